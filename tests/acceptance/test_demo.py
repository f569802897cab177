"""`make demo` in small: digits, seconds of training, every other step real."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sparing import SPARED

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_the_demo_ends_with_a_board_and_identical_scores_through_both_doors(tmp_path):
    command = [sys.executable, str(ROOT / "deploy" / "demo.py"), "--once", "--data", "digits"]
    command += ["--quick", "--home", str(tmp_path / "demo"), "--port", "8600"]

    environment = {**os.environ, **SPARED}
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        for _ in range(2)
    )

    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("identical") == 2
    assert "The first page is there" in first.stdout
    for baseline in ("class_means", "lenet5"):
        assert f"baseline\t{baseline}" in first.stdout
        if baseline != "class_means":  # a CSV, which is handed in once
            assert f"{baseline}: unchanged" in second.stdout, second.stdout + second.stderr
    readme = tmp_path / "demo/assignments/digits/README.md"
    assert "still at work" not in readme.read_text(encoding="utf-8")
    assert "Using the trained lenet5 again" in second.stdout
