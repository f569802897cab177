"""`grader check` names what often goes wrong with a bundle, and runs nothing to find it."""

import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from grader.cli.trying.hints import hints_for

GOOD_MODEL = "from torch import nn\n\n\ndef build_model():\n    return nn.Linear(4, 2)\n"


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "model.py").write_text(GOOD_MODEL)
    return folder


def messages(bundle):
    return [str(hint) for hint in hints_for(bundle)]


@pytest.mark.parametrize("old_format", [False, True])
def test_a_good_bundle_has_no_hints(bundle, old_format):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)).half()
    torch.save(
        model.state_dict(), bundle / "checkpoint.pt", _use_new_zipfile_serialization=not old_format
    )

    assert messages(bundle) == []


def test_a_newer_pickle_protocol_is_read_as_well(bundle):
    torch.save(nn.Linear(4, 2).state_dict(), bundle / "checkpoint.pt", pickle_protocol=5)

    assert messages(bundle) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("resnet18(pretrained=True)", "no network"),
        ("resnet18(weights='IMAGENET1K_V1')", "no network"),
        ("resnet18(weights=ResNet18_Weights.DEFAULT)", "no network"),
        ("torch.hub.load('a/b', 'c')", "network"),
        ("model.cuda()", ".cuda()"),
        ("model.to('cuda:0')", ".cuda()"),
    ],
)
def test_a_call_that_fails_on_the_server_is_named_with_its_line(bundle, line, expected):
    (bundle / "model.py").write_text(f"def build_model():\n    return {line}\n")

    (message,) = messages(bundle)

    assert message.startswith("model.py:2: ")
    assert expected in message


@pytest.mark.parametrize(
    "line", ["resnet18(pretrained=False)", "resnet18(weights=None)", "model.to('cpu')", "x.to(y)"]
)
def test_a_harmless_call_is_not_named(bundle, line):
    (bundle / "model.py").write_text(f"def build_model():\n    return {line}\n")

    assert messages(bundle) == []


def test_a_missing_build_model_is_named(bundle):
    (bundle / "model.py").write_text("class Net: ...\n")

    assert "build_model" in messages(bundle)[0]


def test_a_syntax_error_is_named_with_its_line(bundle):
    (bundle / "model.py").write_text("def build_model():\n    return (\n")

    assert messages(bundle)[0].startswith("model.py:2: is not valid Python")


@pytest.mark.parametrize("name", ["checkpoint.pth", "best.ckpt", "weights.pkl"])
def test_a_file_that_is_not_read_is_named(bundle, name):
    (bundle / name).write_bytes(b"\x80")

    assert "checkpoint.pt" in messages(bundle)[0]


def test_a_pickled_model_is_named_by_its_class_and_never_unpickled(bundle):
    torch.save(nn.Linear(4, 2), bundle / "checkpoint.pt")

    (message,) = messages(bundle)

    assert "torch.nn.modules.linear.Linear" in message


class Trap:
    def __reduce__(self):
        return (open, ("trap-was-sprung", "w"))


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_calls_something_is_named_and_calls_nothing(
    bundle, protocol, zipped, monkeypatch
):
    monkeypatch.chdir(bundle.parent)
    content = pickle.dumps({"w": Trap()}, protocol=protocol)
    if zipped:
        with zipfile.ZipFile(bundle / "checkpoint.pt", "w") as archive:
            archive.writestr("archive/data.pkl", content)
    else:
        (bundle / "checkpoint.pt").write_bytes(content)

    assert "open" in messages(bundle)[0]
    assert not (bundle.parent / "trap-was-sprung").exists()


def test_a_nested_state_dict_is_named_by_its_key(bundle):
    state = {"epoch": 3, "state_dict": nn.Linear(4, 2).state_dict()}
    torch.save(state, bundle / "checkpoint.pt")

    assert "'state_dict'" in messages(bundle)[0]


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
)
def test_names_left_by_a_wrapper_are_named(bundle, suffix, prefix):
    state = {f"{prefix}{name}": value for name, value in nn.Linear(4, 2).state_dict().items()}
    path = bundle / f"checkpoint.{suffix}"
    if suffix == "pt":
        torch.save(state | {"n_averaged": torch.tensor(3)}, path)
    else:
        save_file(state, path)

    assert f"save model.{prefix}state_dict()" in messages(bundle)[0]


@pytest.mark.parametrize("content", [b"", b"\x80", b"PK\x03\x04", b"hello", b"\x80\x05cposix\n"])
def test_a_damaged_checkpoint_is_said_to_be_none(bundle, content):
    (bundle / "checkpoint.pt").write_bytes(content)

    assert "torch.save" in messages(bundle)[0]
