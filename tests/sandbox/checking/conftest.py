"""What the trusted side decides is tried on one backend; the walls, which differ, on each.

The rest of case × backend is `long`: `sandbox self-check --suite` has it all.
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
            case = _CASES.get(params.get("name", ""))
            if case and params.get("each_runner") in _SECOND_BACKENDS and not is_about_walls(case):
                item.add_marker(pytest.mark.long)
