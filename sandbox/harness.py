"""The program inside the sandbox: it runs the student's model and sends its predictions out.

It imports torch and says READY; only then does it get its limits and touch the bundle. All that
it says afterwards could as well have been said by the student's code, which shares the process:
nothing here is a defence, except what is done before the student's code is imported.

The contract with the student's `model.py`:

    build_model() -> torch.nn.Module        required
    preprocess(images) -> Tensor            optional; images: uint8 (N, C, H, W)
    predict(model, batch) -> Tensor         optional; (N, K) scores or (N,) integer labels
    BATCH_SIZE = 32                         optional; lowers the batch size
"""

from __future__ import annotations

import builtins
import errno
import gc
import importlib
import json
import os
import random
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch

from sandbox import device as devices
from sandbox.advice import advise
from sandbox.protocol import (
    FAILED_TEXT_BYTES,
    HEADER,
    LOADED_PAYLOAD,
    Failure,
    Frame,
    read_exactly,
    read_header,
    write_frame,
)
from sandbox.torchvision_compat import define_missing_schemas

SUFFIXES = (".safetensors", ".pt")
OTHERS = (".pth", ".ckpt", ".bin")  # what torch.save is also told to write
HERE = str(Path(__file__).parent)


class ProgramFailed(Exception):
    """The student's program broke its contract; the text is for the student."""

    def __init__(self, failure: Failure, text: str) -> None:
        super().__init__(text)
        self.failure = failure


def main(request: int, response: int) -> None:
    """Serve one run over two pipes, then leave. Never returns."""
    define_missing_schemas()
    devices.wake()
    gc.freeze()  # nor is it ever garbage; switched off while it was imported (`scratch.py`)
    gc.enable()
    write_frame(response, Frame.READY)
    config = json.loads(_read_frame(request, Frame.CONFIG))
    _apply(config)
    feed = _Feed(request, config)
    status = 0
    try:
        _evaluate(config, feed, response)
        write_frame(response, Frame.END)
    except ProgramFailed as failed:
        status = 1
        if failed.__cause__ is not None:
            _print_traceback(failed.__cause__)
        print(failed, file=sys.stderr)  # noqa: T201 - the sample run's log is the student's view
        _send_failure(response, failed.failure, str(failed))
    # Not `sys.exit`: threads and exit handlers of the student's code get no further turn.
    os._exit(status)


def _evaluate(config: dict[str, Any], feed: _Feed, response: int) -> None:
    module = _import_model(Path(config["bundle"]))
    model = _build(module)
    _load_checkpoints(model, Path(config["bundle"]), config["weights_only"])
    device = devices.prepare(config["device"], config.get("gpu_memory_mb", 0))
    with _blamed_on(Failure.CE, "The model can't be put on its device and in eval mode"):
        model.to(device).eval()
    batch_size = _batch_size(module, config["batch_size"])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    write_frame(response, Frame.LOADED, LOADED_PAYLOAD.pack(parameters, batch_size))

    preprocess = getattr(module, "preprocess", _default_preprocess)
    predict = getattr(module, "predict", _default_predict)

    def answer(images: torch.Tensor) -> tuple[Frame, bytes]:
        return _checked(predict(model, preprocess(images)), len(images), config["num_classes"])

    answers = devices.Halving(answer)
    for images in devices.ahead(feed, device):
        with torch.inference_mode(), _blamed_on(Failure.RE, "The program failed while predicting"):
            kinds, payloads = zip(*answers(images), strict=True)
        if len(set(kinds)) > 1:
            raise ProgramFailed(Failure.PE, "predict() returned scores, then labels.")
        write_frame(response, kinds[0], b"".join(payloads))


# Before the student's code


def _apply(config: dict[str, Any]) -> None:
    """Limits of this process and its children, and everything that makes a run repeatable."""
    os.environ.clear()
    # asking for what can't be reached, again and again, would end as a time-out instead
    os.environ["HF_HUB_OFFLINE"] = "1"
    # defined by the `site` module, which is not loaded
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]
    if config["rlimits"]:
        import resource  # missing on Windows, where only one's own code runs, without limits

        for name, value in config["rlimits"].items():
            resource.setrlimit(getattr(resource, name), (value, value))
    torch.set_num_threads(config["cpus"])
    torch.set_num_interop_threads(1)
    # `torch.use_deterministic_algorithms` without its import of the compiler's settings, which
    # takes longer (1 s) than a small model's whole evaluation.
    torch._C._set_deterministic_algorithms(True, warn_only=True)
    # which by default also writes over each tensor that is made without values
    torch._C._set_deterministic_fill_uninitialized_memory(False)
    random.seed(config["seed"])
    np.random.seed(config["seed"])
    torch.manual_seed(config["seed"])


class _Feed:
    """Image batches, read ahead by one so that the next is here when the model asks for it."""

    def __init__(self, request: int, config: dict[str, Any]) -> None:
        self._request = request
        self._shape = tuple(config["shape"])  # (H, W) or (H, W, C)
        self._ready: SimpleQueue[bytearray | None] = SimpleQueue()
        self._room = threading.Semaphore(2)  # one in use, one waiting
        threading.Thread(target=self._read, daemon=True).start()

    def __iter__(self) -> Iterator[torch.Tensor]:
        """Tensors uint8 (N, C, H, W)."""
        while (raw := self._ready.get()) is not None:
            images = torch.frombuffer(raw, dtype=torch.uint8).view(-1, *self._shape)
            if len(self._shape) == 2:
                images = images.unsqueeze(1)
            else:
                images = images.permute(0, 3, 1, 2).contiguous()
            yield images
            self._room.release()

    def _read(self) -> None:
        while True:
            self._room.acquire()
            kind, length = read_header(read_exactly(self._request, HEADER.size))
            if kind != Frame.BATCH:
                self._ready.put(None)
                return
            self._ready.put(read_exactly(self._request, length))


def _read_frame(request: int, expected: Frame) -> bytearray:
    kind, length = read_header(read_exactly(request, HEADER.size))
    if kind != expected:
        raise ValueError(f"expected {expected.name}, got a frame of type {kind}")
    return read_exactly(request, length)


# The student's code


class _blamed_on:  # noqa: N801 - reads as a clause in a `with` line
    """What is raised in the block becomes a `ProgramFailed` of this kind."""

    def __init__(self, failure: Failure, what: str) -> None:
        self.failure = failure
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, ProgramFailed):
            return
        failure, text = self._explain(error)
        raise ProgramFailed(failure, text) from error

    def _explain(self, error: BaseException) -> tuple[Failure, str]:
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, torch.OutOfMemoryError):
            return Failure.GMLE, f"{self.what}: the GPU's memory is full."
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            return Failure.MLE, f"{self.what}: memory could not be allocated ({said})."
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return Failure.OLE, f"{self.what}: /tmp is full ({said})."
        if isinstance(error, SystemExit) and self.failure is Failure.RE and not error.code:
            return Failure.PE, "The program called exit() before all predictions were made."
        advice = advise(error)
        if advice:
            said = f"{said.splitlines()[0].partition('. ')[0][:200].rstrip('.')}. {advice}"
        return self.failure, f"{self.what}: {said}"


def _import_model(bundle: Path) -> Any:
    """The bundle's `model.py`.

    Its folder comes first on the path, as it does when a student runs it at home. What this
    harness uses is imported already, so a module of the bundle that is named `torch` changes
    nothing; our own package steps aside, so that one named `sandbox` works.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    sys.path.insert(0, str(bundle))
    sys.path.remove(str(Path(HERE).parent))
    if not (bundle / "model.py").is_file():
        raise ProgramFailed(Failure.CE, "The bundle has no model.py.")
    with _blamed_on(Failure.CE, "model.py can't be imported"):
        return importlib.import_module("model")


def _build(module: Any) -> torch.nn.Module:
    if not callable(getattr(module, "build_model", None)):
        raise ProgramFailed(Failure.CE, "model.py defines no function build_model().")
    with _blamed_on(Failure.CE, "build_model() failed"):
        model = module.build_model()
    if not isinstance(model, torch.nn.Module):
        got = type(model).__name__
        raise ProgramFailed(Failure.CE, f"build_model() must return a torch.nn.Module, not {got}.")
    return model


def _batch_size(module: Any, most: int) -> int:
    wanted = getattr(module, "BATCH_SIZE", most)
    if not isinstance(wanted, int) or wanted < 1:
        raise ProgramFailed(Failure.CE, "BATCH_SIZE in model.py must be a whole number above 0.")
    return min(wanted, most)


def _default_preprocess(images: torch.Tensor) -> torch.Tensor:
    return images.float() / 255


def _default_predict(model: torch.nn.Module, batch: torch.Tensor) -> Any:
    return model(batch)


# Checkpoints


def _load_checkpoints(model: torch.nn.Module, bundle: Path, weights_only: bool) -> None:
    """Load every checkpoint of the bundle, strictly."""
    files = _checkpoint_files(bundle)
    expected = set(model.state_dict())
    if not files:
        if expected:
            raise ProgramFailed(
                Failure.LE,
                f"The bundle has no checkpoint, but the model has {len(expected)} tensors. "
                "Expected checkpoint.safetensors or checkpoint.pt" + _misnamed(bundle),
            )
        return
    state: dict[str, torch.Tensor] = {}
    for prefix, file in files:
        with _blamed_on(Failure.LE, f"{file.name} can't be loaded"):
            tensors = _read_checkpoint(file, weights_only)
        state |= {prefix + name: tensor for name, tensor in tensors.items()}
    _compare_names(expected, set(state))
    with _blamed_on(Failure.LE, "The checkpoint does not fit the model"):
        model.load_state_dict(state, strict=True)


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
        raise ProgramFailed(Failure.LE, f"Which checkpoint is meant? The bundle has {names}.")
    return found


def _misnamed(bundle: Path) -> str:
    others = [file for file in sorted(bundle.iterdir()) if file.suffix in (*SUFFIXES, *OTHERS)]
    if not others:
        return "."
    suffix = others[0].suffix if others[0].suffix in SUFFIXES else ".pt"
    return f"; rename {others[0].name} to checkpoint{suffix} if that is it."


def _read_checkpoint(file: Path, weights_only: bool) -> dict[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        safetensors = importlib.import_module("safetensors.torch")
        loaded: Any = safetensors.load_file(file)
    else:
        # The file is a pickle; `weights_only` decodes tensors and plain containers, no callables.
        loaded = torch.load(file, map_location="cpu", weights_only=weights_only)
    if not isinstance(loaded, dict) or not all(
        isinstance(tensor, torch.Tensor) for tensor in loaded.values()
    ):
        raise ProgramFailed(Failure.LE, f"{file.name} is not a state_dict. {_nested(loaded)}")
    return dict(loaded)


def _nested(loaded: Any) -> str:
    if isinstance(loaded, dict):
        for name, value in loaded.items():
            if isinstance(value, dict) and value:
                return f"It has one under {name!r}: save that one alone."
    return "Save it with torch.save(model.state_dict(), 'checkpoint.pt')."


def _compare_names(expected: set[str], found: set[str]) -> None:
    missing, unexpected = sorted(expected - found), sorted(found - expected)
    if not missing and not unexpected:
        return
    parts = [
        f"{what}: {', '.join(names[:5])}" + (f" and {len(names) - 5} more" if names[5:] else "")
        for what, names in (("missing", missing), ("not in the model", unexpected))
        if names
    ]
    hint = ""
    if unexpected and all(name.startswith("module.") for name in unexpected):
        hint = " The names begin with `module.`: save `model.module.state_dict()`."
    raise ProgramFailed(
        Failure.LE, f"The checkpoint does not fit the model; {'; '.join(parts)}.{hint}"
    )


# Predictions


def _checked(predicted: Any, rows: int, num_classes: int) -> tuple[Frame, bytes]:
    """One batch of predictions as a frame; the trusted side checks all of it again."""

    def wrong(text: str) -> ProgramFailed:
        return ProgramFailed(Failure.PE, f"predict() returned {text}.")

    if not isinstance(predicted, torch.Tensor):
        raise wrong(f"{type(predicted).__name__}, not a Tensor")
    predicted = predicted.detach().cpu()
    shape = tuple(predicted.shape)
    if predicted.is_floating_point():
        if shape != (rows, num_classes):
            raise wrong(f"scores of shape {shape} instead of {(rows, num_classes)}")
        scores = predicted.to(torch.float32).contiguous()
        if not bool(torch.isfinite(scores).all()):
            raise wrong("scores that are NaN or infinite")
        return Frame.SCORES, scores.numpy().tobytes()
    if predicted.is_complex() or predicted.dtype == torch.bool:
        raise wrong(f"values of type {predicted.dtype}, neither scores nor labels")
    if shape != (rows,):
        raise wrong(f"labels of shape {shape} instead of {(rows,)}")
    labels = predicted.to(torch.int64).contiguous()
    if rows and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise wrong(f"labels outside 0…{num_classes - 1}")
    return Frame.LABELS, labels.numpy().tobytes()


def _send_failure(response: int, failure: Failure, text: str) -> None:
    raw = text.encode("utf-8", "replace")[: FAILED_TEXT_BYTES - 1]
    write_frame(response, Frame.FAILED, bytes([failure]) + raw)


def _print_traceback(error: BaseException) -> None:
    """The traceback from the first frame of the bundle on, where there is one."""
    first = error.__traceback__
    while first is not None and not _is_in_bundle(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    traceback.print_exception(type(error), error, first or error.__traceback__)


def _is_in_bundle(file: str) -> bool:
    return not file.startswith((HERE, "<frozen importlib")) and "/importlib/" not in file
