"""One smoke run, shared: everything after training reads it and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from reference import data
from reference.data import idx
from reference.errors import DataError
from reference.recipe import recipe
from reference.training.runs import RunRecord
from reference.training.train import train


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny models gain nothing from more, and on a busy machine the threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> data.ImageSet:
    return data.load("digits")


@pytest.fixture(scope="session")
def fashion() -> data.ImageSet:
    try:
        return data.load("fashion-mnist")
    except DataError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def fashion_folder() -> Path:
    """Where Fashion-MNIST's files are on this machine."""
    try:
        return idx.find(idx.FASHION)[0]
    except DataError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def run(digits: data.ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished smoke run of small_cnn on the digits."""
    out = tmp_path_factory.mktemp("runs") / "small_cnn-3"
    train(recipe.load("small_cnn", data="digits"), digits, seed=3, out=out, smoke=True)
    return out


@pytest.fixture(scope="session")
def record(run: Path) -> RunRecord:
    return RunRecord.read(run)
