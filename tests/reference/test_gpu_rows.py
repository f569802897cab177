"""The script for a machine with a card, dry on the processor."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from reference import gpu_rows
from reference.data import ImageSet
from reference.recipe import recipe

TWO = ("lenet5", "cnn_8s")


def test_every_row_is_one_of_recipes_that_know_fashion_mnist():
    found = [each.full_name for each in gpu_rows.settings()]

    assert len(set(found)) == len(found) > 25
    assert {each.data for each in gpu_rows.settings()} == {"fashion-mnist"}
    for row in gpu_rows.ROWS:
        assert recipe.load(row, data="fashion-mnist").model.name


def test_time_that_is_up_ends_it_and_the_same_command_goes_on(digits: ImageSet, tmp_path: Path):
    images = gpu_rows.few(digits, 100)
    how = {"seeds": (0,), "smoke": True}

    none = gpu_rows.run(TWO, images, tmp_path / "a", deadline=time.monotonic() - 1, **how)
    whole = gpu_rows.run(TWO, images, tmp_path / "a", deadline=time.monotonic() + 600, **how)
    again = gpu_rows.run(TWO, images, tmp_path / "a", deadline=time.monotonic() - 1, **how)

    assert [each.seconds for each in none] == [None, None]
    assert [each.name for each in whole] == ["lenet5-0", "cnn_8s-0"]
    assert all(each.test_accuracy is not None for each in whole)
    assert again == whole
    told = gpu_rows.report([*none, *whole], seconds=1.0)
    assert len(told["finished"]) == len(told["left"]) == 2


def test_a_run_that_was_stopped_ends_with_the_same_bits(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    images, row = gpu_rows.few(digits, 100), ("lenet5",)
    how = {"seeds": (0,), "smoke": True}
    moments = iter([0.0, 2.0])  # in time at the start, too late after the first epoch
    with monkeypatch.context() as patch:
        patch.setattr(gpu_rows, "now", lambda: next(moments))
        stopped = gpu_rows.run(row, images, tmp_path / "a", deadline=1.0, **how)
    assert stopped[0].seconds is None
    assert (tmp_path / "a" / "lenet5-0" / "unfinished.pt").is_file()

    late = time.monotonic() + 600
    for out in ("a", "b"):
        gpu_rows.run(row, images, tmp_path / out, deadline=late, **how)

    ended, whole = (
        (tmp_path / out / "lenet5-0" / "checkpoint.safetensors").read_bytes() for out in "ab"
    )
    assert ended == whole


def test_without_a_card_it_says_so_or_runs_dry(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(gpu_rows.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu_rows.data, "load", lambda name: digits)
    monkeypatch.setattr(gpu_rows, "DRY_IMAGES", 100)
    places = ["--out", str(tmp_path / "runs"), "--json", str(tmp_path / "rows.json")]

    refused = gpu_rows.main(places)
    said = capsys.readouterr().err
    done = gpu_rows.main([*places, "--dry", "--row", "resnext18"])

    assert (refused, done) == (2, 0)
    assert "no card" in said
    told = json.loads((tmp_path / "rows.json").read_text())
    assert told["device"] == "processor"
    assert [each["name"] for each in told["finished"]] == ["resnext18-0"]
