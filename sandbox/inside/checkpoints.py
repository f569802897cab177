"""Inside the sandbox: the tensors of a bundle's checkpoints, and what is wrong with them.

They are read before any of the student's code is there, and put into the model by name, strictly.
A checkpoint whose names would fit but for a prefix is not loaded: what it is and how it should be
saved is said in words.
"""

from __future__ import annotations

import importlib
import pickle
import pickletools
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import torch

from sandbox.inside.failing import ProgramFailed, blamed_on
from sandbox.inside.protocol import Failure
from sandbox.inside.sentences import Sentence, said

SUFFIXES = (".safetensors", ".pt")
OTHERS = (".pth", ".ckpt", ".bin")  # what torch.save is also told to write
# a zip's entries, padding and pickle of one tensor (some 400), with names of any usual length
_ABOUT_BYTES = 1024
Tensors = dict[str, torch.Tensor]
# what training scripts save beside the tensors, by the module it comes from
_VALUES = {
    "numpy": said("run.advice_numpy_value"),
    "pathlib": said("run.advice_path_value"),
    "argparse": said("run.advice_namespace_value"),
}
_OF_LIGHTNING = {"pytorch-lightning_version", "hyper_parameters", "optimizer_states", "callbacks"}
# under what a training script keeps the model's tensors, likeliest first
_ENTRIES = (
    *("model_state_dict", "state_dict", "model", "module", "net", "network", "weights", "params"),
    *("student", "ema", "model_ema"),
)
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_DAMAGED = (EOFError, UnicodeDecodeError, zipfile.BadZipFile)
_CUT_OFF = ("PytorchStreamReader", "unexpected EOF", "corrupted")


def read_checkpoints(bundle: Path, weights_only: bool) -> Tensors | None:
    """The tensors of every checkpoint of the bundle by their names; None where it has none.

    Raises:
        ProgramFailed: one can't be read, or is no state_dict.
    """
    files = _checkpoint_files(bundle)
    if not files:
        return None
    state: Tensors = {}
    for prefix, file in files:
        if not file.stat().st_size:
            raise ProgramFailed(Failure.LE, said("run.empty_checkpoint", file=file.name))
        with blamed_on(Failure.LE, "run.unreadable_checkpoint", file=file.name):
            tensors = _read_checkpoint(file, weights_only)
        state |= {prefix + name: tensor for name, tensor in tensors.items()}
    return state


def count_values(state: Tensors) -> int:
    """How many values these tensors hold; memory that several show is counted once."""
    return sum(count for count, _ in _kept(state))


def count_others(bundle: Path, state: Tensors) -> int:
    """How many bytes of the checkpoints are no values, nor what a format needs to tell of them."""
    files = sum(file.stat().st_size for _, file in _checkpoint_files(bundle))
    values = sum(count * size for count, size in _kept(state))
    return max(0, files - values - _ABOUT_BYTES * len(state))


def _kept(state: Tensors) -> list[tuple[int, int]]:
    """Of each piece of memory, how many values these tensors show, and a value's bytes."""
    kept: dict[int, tuple[int, int]] = {}
    with blamed_on(Failure.LE, "run.uncounted"):
        for tensor in state.values():
            storage, size = tensor.untyped_storage(), tensor.element_size()
            place = storage.data_ptr()
            count = kept.get(place, (0, size))[0] + tensor.numel()
            kept[place] = min(count, storage.nbytes() // size), size
    return list(kept.values())


def load_checkpoints(model: torch.nn.Module, state: Tensors | None, bundle: Path) -> None:
    """Put the checkpoints' tensors into the model, strictly.

    A module that stands in the model under two names may be there under one of them:
    `safetensors.torch.save_model` writes no more.

    Raises:
        ProgramFailed: the names or the shapes differ.
    """
    own: dict[str, Any] = model.state_dict()  # a module's extra state may be anything
    if state is None:
        if own:
            raise ProgramFailed(Failure.LE, _no_checkpoint(bundle, len(own)))
        return
    state = state | _under_other_names(own, state)
    _compare_names(set(own), set(state))
    with blamed_on(Failure.LE, "run.loading_failed"):
        model.load_state_dict(state, strict=True)


# Files


def _checkpoint_files(bundle: Path) -> list[tuple[str, Path]]:
    """(prefix, file) pairs: one without prefix, or those of `checkpoints/` by their names."""
    single = [bundle / f"checkpoint{suffix}" for suffix in SUFFIXES]
    found = [("", file) for file in single if file.is_file()]
    folder = bundle / "checkpoints"
    if folder.is_dir():
        several = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)
        found += [(f"{file.stem}.", file) for file in several]
    prefixes = [prefix for prefix, _ in found]
    if len(set(prefixes)) != len(prefixes) or ("" in prefixes and len(prefixes) > 1):
        names = ", ".join(str(file.relative_to(bundle)) for _, file in found)
        raise ProgramFailed(Failure.LE, said("run.which_checkpoint", files=names))
    return found


def _no_checkpoint(bundle: Path, tensors: int) -> Sentence:
    others = [file for file in sorted(bundle.iterdir()) if file.suffix in (*SUFFIXES, *OTHERS)]
    if not others:
        return said("run.no_checkpoint", tensors=tensors)
    suffix = others[0].suffix if others[0].suffix in SUFFIXES else ".pt"
    file, expected = others[0].name, f"checkpoint{suffix}"
    return said("run.no_checkpoint_but", tensors=tensors, file=file, expected=expected)


def _read_checkpoint(file: Path, weights_only: bool) -> Tensors:
    loaded = (
        _of_safetensors(file) if file.suffix == ".safetensors" else _of_torch(file, weights_only)
    )
    if loaded == {}:
        raise ProgramFailed(Failure.LE, said("run.no_tensors", file=file.name))
    if not isinstance(loaded, dict) or not all(
        isinstance(tensor, torch.Tensor) for tensor in loaded.values()
    ):
        told = said("run.not_a_state_dict", file=file.name)
        raise ProgramFailed(Failure.LE, said("run.with_advice", said=told, advice=_within(loaded)))
    unnamed = [key for key in loaded if not isinstance(key, str)]
    if unnamed:
        kind, key = type(unnamed[0]).__name__, str(unnamed[0])[:40]
        told = said("run.unnamed_tensors", file=file.name, type=kind, key=key)
        advice = said("run.advice_save_state_dict")
        raise ProgramFailed(Failure.LE, said("run.with_advice", said=told, advice=advice))
    return dict(loaded)


def _of_safetensors(file: Path) -> Any:
    safetensors = importlib.import_module("safetensors")
    try:
        return importlib.import_module("safetensors.torch").load_file(file)
    except safetensors.SafetensorError as error:
        raise _damaged(file, error) from error


def _of_torch(file: Path, weights_only: bool) -> Any:
    """The file is a pickle; `weights_only` decodes tensors and plain containers, no callables."""
    try:
        return torch.load(file, map_location="cpu", weights_only=weights_only)
    except pickle.UnpicklingError:
        _name_objects(file)
        with file.open("rb") as opened:
            head = opened.read(2)
        if not head.startswith((b"PK", b"\x80")):
            told = said("run.unknown_checkpoint", file=file.name)
            advice = said("run.advice_save_state_dict")
            told = said("run.with_advice", said=told, advice=advice)
            raise ProgramFailed(Failure.LE, told) from None
        raise
    except _DAMAGED as error:
        raise _damaged(file, error) from error
    except RuntimeError as error:
        if any(words in str(error) for words in _CUT_OFF):
            raise _damaged(file, error) from error
        raise


def _damaged(file: Path, error: Exception) -> ProgramFailed:
    cause = str(error).partition("\n")[0].partition(". ")[0][:120]
    return ProgramFailed(Failure.LE, said("run.damaged_checkpoint", file=file.name, error=cause))


def _name_objects(file: Path) -> None:
    """Say what a file of torch.save holds beside tensors and plain values.

    Raises:
        ProgramFailed: it holds some.
    """
    try:
        types = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(file)))
    except (ValueError, RuntimeError, pickle.UnpicklingError):
        return  # of another format, or damaged
    if not types:
        return
    entry, some = _entry_of(file, types), ", ".join(types[:3])
    told = said("run.holds_object", file=file.name, types=some)
    if entry:
        key = repr(entry[:40])
        told = said("run.holds_object_under", file=file.name, key=key, types=some)
    raise ProgramFailed(Failure.LE, said("run.with_advice", said=told, advice=_instead(types)))


def _entry_of(file: Path, types: list[str]) -> str:
    """The key that stands before the first object of these types; the pickle is only listed."""
    last = ""
    with zipfile.ZipFile(file) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        for opcode, argument, _ in pickletools.genops(archive.read(name)):
            if opcode.name == "GLOBAL" and str(argument).replace(" ", ".") in types:
                return last
            last = argument if isinstance(argument, str) and opcode.name != "GLOBAL" else last
    return ""


def _instead(types: Collection[str]) -> Sentence:
    kinds = {name.partition(".")[0] for name in types}
    if "numpy.ndarray" in types:
        return said("run.advice_numpy_arrays")
    advice = _VALUES.get(kinds.pop()) if len(kinds) == 1 else None
    return advice or said("run.advice_save_state_dict")


def _within(loaded: Any) -> Sentence:
    """What to save instead of something that is no state_dict."""
    if not isinstance(loaded, dict):
        return said("run.advice_save_state_dict")
    found = {key: value for key, value in loaded.items() if _is_state_dict(value)}
    known = [key for key in _ENTRIES if key in found]
    key = next(iter([*known, *found]), None)
    if key is not None:
        tops = _first_parts(found[key])
        if _OF_LIGHTNING & loaded.keys() and len(tops) == 1:
            return said("run.advice_lightning", attribute=tops.pop())
        return said("run.advice_state_dict_within", key=repr(key))
    other = next(key for key, value in loaded.items() if not isinstance(value, torch.Tensor))
    if len(loaded) > 1 and any(isinstance(value, torch.Tensor) for value in loaded.values()):
        kind = type(loaded[other]).__name__
        return said("run.advice_other_entry", key=repr(other), type=kind)
    return said("run.advice_save_state_dict")


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(key, str) for key in value)
        and all(isinstance(tensor, torch.Tensor) for tensor in value.values())
    )


def _has_numbers(names: Iterable[str]) -> bool:
    return all(part.isdigit() for part in _first_parts(names))


def _first_parts(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


# Names


def _under_other_names(own: dict[str, Any], state: Tensors) -> Tensors:
    """The checkpoint's tensors for names that it lacks, where the model has one tensor for both."""
    places = {
        name: (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        for name, tensor in own.items()
        if isinstance(tensor, torch.Tensor) and tensor.data_ptr()
    }
    known = {place: name for name, place in places.items() if name in state}
    lacking = {name: place for name, place in places.items() if name not in state}
    return {name: state[known[place]] for name, place in lacking.items() if place in known}


def _compare_names(expected: set[str], found: set[str]) -> None:
    missing, unknown = sorted(expected - found), sorted(found - expected)
    if missing and unknown:
        told = said("run.names_differ", missing=_some_of(missing), unknown=_some_of(unknown))
    elif missing:
        told = said("run.names_missing", missing=_some_of(missing))
    elif unknown:
        told = said("run.names_unknown", unknown=_some_of(unknown))
    else:
        return
    advice = _advice_on_names(expected, found) if missing else None
    if advice is not None:
        told = said("run.with_advice", said=told, advice=advice)
    raise ProgramFailed(Failure.LE, told)


def _advice_on_names(expected: set[str], found: set[str]) -> Sentence | None:
    """What to do where one prefix is all that keeps the names from fitting."""
    prefix = _prefix_of(expected, found)
    if prefix is not None:
        others = sorted(found - {prefix + name for name in expected})
        path = prefix.rstrip(".")
        if not others:
            return said("run.advice_prefix", prefix=prefix, path=path)
        left_out = _some_of(others)
        return said("run.advice_prefix_and_others", prefix=prefix, path=path, others=left_out)
    prefix = _prefix_of(found, expected)
    if prefix is not None and len(found) == len(expected):
        return said("run.advice_prefix_lacking", prefix=prefix, path=prefix.rstrip("."))
    part = _part_of(expected, found)
    if part is not None:
        return said("run.advice_part", part=f"{part}.")
    if _has_numbers(found) and not _has_numbers(expected):
        return said("run.advice_sequential")
    return None


def _prefix_of(short: set[str], long: set[str]) -> str | None:
    """The shortest prefix with which every one of the short names is among the long ones."""
    if not short:
        return None
    name = max(short, key=len)
    ends = f".{name}"
    prefixes = sorted((each[: -len(name)] for each in long if each.endswith(ends)), key=len)
    return next((one for one in prefixes if {one + each for each in short} <= long), None)


def _part_of(expected: set[str], found: set[str]) -> str | None:
    """The wrapper's name within the names, without which they are the expected ones."""
    for part in _WRAPPERS:
        bare = [".".join(each for each in name.split(".") if each != part) for name in found]
        if len(set(bare)) == len(bare) and set(bare) == expected:
            return part
    return None


def _some_of(names: list[str]) -> str | Sentence:
    first = ", ".join(names[:5])
    return said("run.cause_and_more", names=first, count=len(names) - 5) if names[5:] else first
