"""Trying one's own bundle without a sandbox: the same contract, the same channel."""

from __future__ import annotations

import pytest

import sandbox
from sandbox.checking.suite import CLASSES, default_folder, images, load_cases, prepare

CASES = {case.name: case for case in load_cases(default_folder())}


@pytest.mark.parametrize(
    "name",
    [
        "honest",
        "checkpoint_keys_missing",
        "contract_no_build_model",
        "infinite_loop",
        "predictions_nan",
        "exits_with_an_error",
    ],
)
def test_the_verdict_is_that_of_a_sandbox(name, tmp_path):
    case = CASES[name]
    runner = sandbox.get_runner("unconfined")
    result = runner.run(
        prepare(case, tmp_path / "bundle"),
        images(case.images),
        num_classes=CLASSES,
        limits=case.limits,
        logs=True,
    )
    assert result.verdict in case.verdicts, result
    assert case.detail in result.detail
