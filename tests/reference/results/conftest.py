"""A small sweep that was really trained, on the digits."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference.data import ImageSet
from reference.results import cards, sweep
from reference.results.cards import Card
from reference.results.collection import finished_runs

TABLE = """\
title = "Learning rates"
row = "9.1"
variant = "as_reported"
data = "digits"
seeds = [0, 1]

[model]
name = "lenet5"
activation = "relu"

[training]
epochs = 4
batch_size = 64
lr = 0.01
momentum = 0.9

[[case]]
name = "0.05"
training.lr = 0.05
reported.test_accuracy = 0.5

[[case]]
name = "0.02"
training.lr = 0.02
reported.test_accuracy = 0.9
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "rates.toml"
    path.write_text(TABLE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def runs(table: Path, digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished sweep; nobody changes it."""
    folder = tmp_path_factory.mktemp("runs")
    sweep.run(sweep.plan(str(table), "digits", folder), digits)
    return folder


@pytest.fixture
def card(table: Path, runs: Path) -> Card:
    return cards.make(str(table), finished_runs(runs))


@pytest.fixture
def no_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cards, "FOLDER", tmp_path / "cards")
    return tmp_path / "cards"
