"""The fingerprint of code covers what trains a model and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reference import models
from reference.training import fingerprint
from reference.training import train as training
from reference.training.runs import RunRecord


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this package that may be edited."""
    copy = tmp_path / "reference"
    shutil.copytree(fingerprint.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "PACKAGE", copy)
    return copy


def edit(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        "training/train.py",
        "training/loop.py",
        "training/transforms/augment.py",
        "training/transforms/preprocessing.py",
        "models/lenet.py",
    ],
)
def test_fingerprint_changes_with_what_trains(package: Path, name: str):
    before = fingerprint.of_training(package / "models" / "lenet.py")

    edit(package / name)

    assert fingerprint.of_training(package / "models" / "lenet.py") != before


def test_what_is_edited_after_it_was_loaded_is_not_in_a_runs_fingerprint(package: Path):
    family = package / "models" / "lenet.py"
    before, loaded = fingerprint.of_training(family), fingerprint.of_loop()

    edit(package / "training" / "train.py")

    assert fingerprint.of_training(family, loaded) == before != fingerprint.of_training(family)


def test_a_run_has_the_fingerprint_of_the_code_that_was_loaded(record: RunRecord):
    family = models.find(record.model).source_file

    assert record.code == fingerprint.of_training(family, training.LOADED)
    assert training.LOADED.keys() >= {Path(training.__file__), Path(fingerprint.__file__)}


@pytest.mark.parametrize("name", ["cli.py", "submitting/bundling.py", "models/small_cnn.py"])
def test_fingerprint_stays_when_something_else_changes(package: Path, name: str):
    before = fingerprint.of_training(package / "models" / "lenet.py")

    edit(package / name)

    assert fingerprint.of_training(package / "models" / "lenet.py") == before


def test_fingerprint_does_not_depend_on_where_the_package_lies(package: Path):
    moved = fingerprint.of_training(package / "models" / "lenet.py")

    assert moved == _of_the_real_package()


def _of_the_real_package() -> str:
    family = models.find("lenet5").source_file
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprint, "PACKAGE", family.parent.parent)
        return fingerprint.of_training(family)
