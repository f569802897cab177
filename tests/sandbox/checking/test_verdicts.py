"""Every folder of tests/verdicts, through real sandboxes of every backend."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.checking.suite import (
    Suite,
    default_folder,
    groups,
    leftovers,
    load_cases,
    sandboxed_processes,
)

# one honest run after so many cases; `sandbox self-check --suite` has one after each
SHARE_HONEST = 12
CASES = {case.name: case for case in load_cases(default_folder())}


@pytest.fixture(scope="module")
def reports(each_runner, request):
    """The chosen cases, run two groups at a time while the tests wait for their own."""
    suite = Suite(each_runner)
    cases = [item.callspec.params for item in request.session.items if is_case(item)]
    chosen = [case["name"] for case in cases if case["each_runner"] == suite.backend]
    with suite, ThreadPoolExecutor(2) as pool:
        cases = [CASES[name] for name in chosen if suite.concerns(CASES[name])]
        coming = [
            (group, pool.submit(suite.run, group)) for group in groups(cases, size=SHARE_HONEST)
        ]
        yield {
            case.name: Report(future, place)
            for group, future in coming
            for place, case in enumerate(group)
        }


class Report:
    """The report of one case, once its group has run."""

    def __init__(self, group, place):
        self._group, self._place = group, place

    def result(self):
        return self._group.result()[self._place]


def is_case(item: pytest.Item) -> bool:
    return getattr(item, "originalname", "") == test_case.__name__


@pytest.mark.parametrize("name", CASES)
def test_case(reports, name):
    if name not in reports:
        pytest.skip("not for this backend or this kind of machine")
    report = reports[name].result()
    assert not report.problems, "\n".join(report.problems)


def test_nothing_is_left_behind_after_all_cases(reports, each_runner):
    for report in reports.values():
        report.result()
    assert leftovers() == []
    assert sandboxed_processes() == []


def test_the_suite_has_a_case_for_every_verdict():
    named = {verdict for case in CASES.values() for verdict in case.verdicts}
    assert named >= {"OK", "CE", "LE", "RE", "TLE", "MLE", "GMLE", "OLE", "PE"}
