"""Checkpoints as people save them: loaded, or told in words what to save instead."""

import argparse
import pathlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_model
from torch import nn

from sandbox.inside.checkpoints import load_checkpoints, read_checkpoints
from sandbox.inside.failing import ProgramFailed


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 3)
        self.b = nn.Linear(3, 2)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)
        self.b = self.a
        self.head = nn.Linear(3, 2)


def state_of(prefix="", model=None):
    return {prefix + name: value for name, value in (model or Net()).state_dict().items()}


def loaded(folder, saved, model=None):
    """Save what a student saved and load it as a run does; give what is told, or the model."""
    torch.save(saved, folder / "checkpoint.pt")
    model = model or Net()
    try:
        load_checkpoints(model, read_checkpoints(folder, weights_only=True), folder)
    except ProgramFailed as failed:
        return str(failed.told)
    return model


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "net.", "ema."],
)
def test_one_prefix_before_every_name_is_said_with_what_to_save(tmp_path, prefix):
    told = loaded(tmp_path, state_of(prefix))
    assert f"The names fit without `{prefix}`: save `model.{prefix}state_dict()`" in told


def test_a_number_beside_prefixed_names_is_named(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(Net())
    told = loaded(tmp_path, averaged.state_dict())
    assert "fit without `module.` and without n_averaged: save `model.module.state_dict()`" in told


def test_what_was_saved_from_within_the_model_is_said(tmp_path):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net()

    assert "The names fit with `net.` before each" in loaded(tmp_path, state_of(), Wrapped())


@pytest.mark.parametrize("wrapper", ["module", "_orig_mod"])
def test_a_wrapper_around_a_part_of_the_model_is_said(tmp_path, wrapper):
    saved = {name.replace("a.", f"a.{wrapper}."): value for name, value in state_of().items()}
    told = loaded(tmp_path, saved)
    assert f"The names fit without `{wrapper}.` within them" in told
    assert f"name.replace('{wrapper}.', '')" in told


def test_an_empty_dict_is_said_to_be_one(tmp_path):
    assert loaded(tmp_path, {}) == (
        "checkpoint.pt holds no tensors: it was saved from an empty dict."
    )


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[: len(content) // 2], "is damaged or ends in the middle"),
        (lambda content: b"\x93NUMPY" + content, "is no file that torch.save writes"),
    ],
)
def test_a_damaged_file_of_torch_is_said_to_be_one(tmp_path, damage, words):
    file = tmp_path / "checkpoint.pt"
    torch.save(state_of(), file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ProgramFailed) as failed:
        read_checkpoints(tmp_path, weights_only=True)
    assert f"checkpoint.pt {words}" in str(failed.value.told)


def test_a_damaged_file_of_safetensors_is_said_to_be_one(tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    save_model(Net(), str(file))
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(ProgramFailed, match="is damaged or ends in the middle"):
        read_checkpoints(tmp_path, weights_only=True)


def test_a_bare_sequential_gets_its_advice(tmp_path):
    bare = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    assert "as those of a bare nn.Sequential do" in loaded(tmp_path, bare.state_dict())


def test_names_that_fit_under_no_prefix_get_no_advice(tmp_path):
    told = loaded(tmp_path, {"x.weight": torch.zeros(2), "module.a.weight": torch.zeros(2)})
    assert told.endswith("not in the model: module.a.weight, x.weight.")


ADAM = torch.optim.Adam(Net().parameters()).state_dict()
STARTED = {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2)}  # of one parameter


@pytest.mark.parametrize(
    ("saved", "key"),
    [
        ({"optimizer": ADAM, "model": state_of()}, "'model'"),
        ({"optimizer": STARTED, "model_state_dict": state_of(), "epoch": 3}, "'model_state_dict'"),
        ({"ema": state_of(), "state_dict": state_of("module.")}, "'state_dict'"),
        ({"epoch": 3, "generator": state_of()}, "'generator'"),
        ({"ema": state_of("module."), "module": state_of()}, "'module'"),
    ],
)
def test_the_entry_that_holds_the_model_is_named(tmp_path, saved, key):
    assert f"It has one under {key}: save that one alone." in loaded(tmp_path, saved)


def test_an_entry_beside_tensors_is_named(tmp_path):
    told = loaded(tmp_path, state_of() | {"epoch": 3})
    assert told.endswith("It also holds 'epoch', of type int: save the tensors alone.")


def test_a_checkpoint_of_lightning_gets_its_advice(tmp_path):
    saved = {"state_dict": state_of("model."), "epoch": 3, "hyper_parameters": {"lr": 0.1}}
    assert "torch.save(lightning_module.model.state_dict(), " in loaded(tmp_path, saved)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.float64(0.9), "under 'best' numpy._core.multiarray.scalar"),
        (pathlib.PurePosixPath("a"), "under 'best' pathlib.PurePosixPath"),
        (argparse.Namespace(lr=0.1), "under 'best' argparse.Namespace"),
    ],
)
def test_an_object_beside_the_tensors_is_named_with_its_key(tmp_path, value, words):
    told = loaded(tmp_path, {"model": state_of(), "best": value})
    assert words in told
    assert told.endswith("save the tensors alone, torch.save(model.state_dict(), 'checkpoint.pt').")


def test_a_whole_model_is_named_by_its_type(tmp_path):
    told = loaded(tmp_path, nn.Sequential(nn.Linear(4, 3)))
    assert "torch.nn.modules.container.Sequential" in told
    assert told.endswith("Save it with torch.save(model.state_dict(), 'checkpoint.pt').")


def test_a_whole_model_in_the_old_format_is_not_opened(tmp_path):
    torch.save(Net(), tmp_path / "checkpoint.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(ProgramFailed, match="It holds a pickled object, such as a whole model"):
        read_checkpoints(tmp_path, weights_only=True)


def test_what_save_model_writes_of_a_shared_module_is_loaded_whole(tmp_path):
    saved, model = Shared(), Shared()
    save_model(saved, str(tmp_path / "checkpoint.safetensors"))
    state = read_checkpoints(tmp_path, weights_only=True)
    assert len(state) == 4

    load_checkpoints(model, state, tmp_path)

    for name, tensor in saved.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_a_module_that_only_looks_like_another_is_not_loaded_from_it(tmp_path):
    state = state_of(model=nn.ModuleDict({"a": nn.Linear(3, 3)}))
    told = loaded(tmp_path, state, nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)}))
    assert told == "The checkpoint does not fit the model; missing: b.bias, b.weight."


def test_arrays_of_numpy_are_no_best_score(tmp_path):
    told = loaded(tmp_path, {name: value.numpy() for name, value in state_of().items()})
    assert "Those are NumPy arrays: save the model's own tensors" in told


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_an_empty_file_is_told_as_that(tmp_path, suffix):
    (tmp_path / f"checkpoint{suffix}").touch()
    with pytest.raises(ProgramFailed, match=r"is empty \(0 bytes\): save it again"):
        read_checkpoints(tmp_path, weights_only=True)
