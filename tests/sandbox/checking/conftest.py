"""What the trusted side decides is tried on one backend; the walls, which differ, on each.

That a case is not vacuous is shown for each on one backend. On another one attack is let through
for each set of defences: that they can be switched off is all that is the backend's. The rest of
case × backend is `long`; `sandbox self-check --suite` has every case, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import sandbox
from sandbox.checking.suite import Case, default_folder, load_cases
from sandbox.defences import CONFINEMENT

_WALLED_OTHERWISE = ("exhausting", "kernel-level", "two walls")
_CASES = {case.name: case for case in load_cases(default_folder())}
_SECOND_BACKENDS = frozenset(sandbox.confining_backends()[1:])


def is_about_walls(case: Case) -> bool:
    """Whether what must happen is up to the backend; honest programs may find a wall too tight."""
    if case.verdicts == ("OK",) or case.without.excepted.startswith(_WALLED_OTHERWISE):
        return True
    return not CONFINEMENT.keys().isdisjoint(case.without.defences)


def is_first_proof(case: Case, backend: str) -> bool:
    """Whether no case before it has its attack work on this backend with the same defences off."""
    alike = (
        each.name
        for each in _CASES.values()
        if each.without.defences == case.without.defences
        and is_about_walls(each)
        and (not each.without.backends or backend in each.without.backends)
    )
    return next(alike, case.name) == case.name


@pytest.hookimpl(tryfirst=True)  # before the marks choose
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and item.path.parent == here
            and hasattr(item, "callspec")
        ):
            params = item.callspec.params
            case, backend = _CASES.get(params.get("name", "")), params.get("each_runner", "")
            if case and backend in _SECOND_BACKENDS and not is_tried(case, backend, item):
                item.add_marker(pytest.mark.long)


def is_tried(case: Case, backend: str, item: pytest.Function) -> bool:
    """Whether a second backend has this test of the case in every run of the tests."""
    proves = item.originalname == "test_the_attack_works_with_its_defence_off"
    return is_about_walls(case) and (not proves or is_first_proof(case, backend))
