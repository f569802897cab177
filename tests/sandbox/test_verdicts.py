"""Every folder of tests/verdicts, through real sandboxes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.suite import Suite, default_folder, leftovers, load_cases, sandboxed_processes

CASES = {case.name: case for case in load_cases(default_folder())}


@pytest.fixture(scope="module")
def reports(runner, request):
    """The chosen cases, run two at a time while the tests wait for their own."""
    chosen = [item.callspec.params["name"] for item in request.session.items if is_case(item)]
    suite = Suite(runner)
    with suite, ThreadPoolExecutor(2) as pool:
        cases = [CASES[name] for name in chosen if suite.concerns(CASES[name])]
        yield {case.name: pool.submit(suite.run, case) for case in cases}


def is_case(item: pytest.Item) -> bool:
    return getattr(item, "originalname", "") == test_case.__name__


@pytest.mark.parametrize("name", CASES)
def test_case(reports, name):
    if name not in reports:
        pytest.skip("not for this backend or this kind of machine")
    report = reports[name].result()
    assert not report.problems, "\n".join(report.problems)


def test_nothing_is_left_behind_after_all_cases(reports):
    for report in reports.values():
        report.result()
    assert leftovers() == []
    assert sandboxed_processes() == []


def test_the_suite_has_a_case_for_every_verdict():
    named = {verdict for case in CASES.values() for verdict in case.verdicts}
    assert named >= {"OK", "CE", "LE", "RE", "TLE", "MLE", "OLE", "PE"}
