"""The program inside the sandbox: it runs the student's model and sends its predictions out.

It imports torch and says READY; only then does it get its limits and touch the bundle. All that
it says afterwards could as well have been said by the student's code, which shares the process:
nothing here is a defence, except what is done before the student's code is imported.

The contract with the student's `model.py`:

    build_model() -> torch.nn.Module        required
    preprocess(images) -> Tensor            optional; images: uint8 (N, C, H, W)
    predict(model, batch) -> Tensor         optional; (N, K) scores or (N,) integer labels
    explain(model, batch, classes) -> Tensor  optional, in a run that explains; (N, h, w) heat
    BATCH_SIZE = 32                         optional; lowers the batch size
"""

from __future__ import annotations

import builtins
import gc
import importlib
import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sandbox.inside import device as devices
from sandbox.inside.checkpoints import (
    count_others,
    count_values,
    load_checkpoints,
    read_checkpoints,
)
from sandbox.inside.explaining import heat
from sandbox.inside.failing import ProgramFailed, blamed_on
from sandbox.inside.protocol import (
    COUNTED_PAYLOAD,
    FAILED_BYTES,
    HEADER,
    LOADED_PAYLOAD,
    Failure,
    Frame,
    read_exactly,
    read_header,
    write_frame,
)
from sandbox.inside.sentences import Sentence, said
from sandbox.inside.torchvision_compat import define_missing_schemas

HERE = str(Path(__file__).parent)


def main(request: int, response: int) -> None:
    """Serve one run over two pipes, then leave. Never returns."""
    _take_signals_back()
    define_missing_schemas()
    devices.wake()
    gc.freeze()  # nor is it ever garbage; switched off while it was imported (`scratch.py`)
    gc.enable()
    write_frame(response, Frame.READY)
    config = json.loads(_read_frame(request, Frame.CONFIG))
    _apply(config)
    status = 0
    try:
        _evaluate(config, request, response)
        write_frame(response, Frame.END)
    except ProgramFailed as failed:
        status = 1
        if failed.__cause__ is not None:
            _print_traceback(failed.__cause__)
        print(failed, file=sys.stderr)  # noqa: T201 - the sample run's log is the student's view
        _send_failure(response, failed.failure, failed.told)
    # Not `sys.exit`: threads and exit handlers of the student's code get no further turn.
    os._exit(status)


def _evaluate(config: dict[str, Any], request: int, response: int) -> None:
    bundle = Path(config["bundle"])
    state = read_checkpoints(bundle, config["weights_only"])
    # said before any of the student's code is there, which could say anything
    counted = COUNTED_PAYLOAD.pack(count_values(state or {}), count_others(bundle, state or {}))
    write_frame(response, Frame.COUNTED, counted)
    module = _import_model(bundle)
    model = _build(module)
    load_checkpoints(model, state, bundle)
    del state
    device = devices.prepare(config["device"], config.get("gpu_memory_mb", 0))
    with blamed_on(Failure.CE, "run.device_failed"):
        model.to(device).eval()
    batch_size = _batch_size(module, config["batch_size"])
    write_frame(response, Frame.LOADED, LOADED_PAYLOAD.pack(batch_size))

    preprocess = getattr(module, "preprocess", _default_preprocess)
    predict = getattr(module, "predict", _default_predict)

    def answer(images: torch.Tensor) -> tuple[Frame, bytes]:
        return _checked(predict(model, preprocess(images)), len(images), config["num_classes"])

    answers = devices.Halving(answer)
    # what inference mode leaves in the model no gradient passes through
    mode = torch.no_grad if config["explain"] else torch.inference_mode
    for images in _batches(request, tuple(config["shape"])):
        with mode(), blamed_on(Failure.RE, "run.predict_failed"):
            kinds, payloads = zip(*answers(images.to(device)), strict=True)
        if len(set(kinds)) > 1:
            raise ProgramFailed(Failure.PE, said("run.scores_then_labels"))
        answered = b"".join(payloads)
        write_frame(response, kinds[0], answered)
        if config["explain"]:
            with torch.no_grad(), blamed_on(Failure.RE, "run.explain_failed"):
                batch = preprocess(images.to(device))
                classes = _classes(kinds[0], answered, len(images)).to(device)
                squares = heat(model, batch, classes, getattr(module, "explain", None))
            write_frame(response, Frame.HEAT, squares)


# Before the student's code


def _take_signals_back() -> None:
    """Give children the usual signals, which what started us ignored; process 1 hears of none.

    SIGINT too: Python's own handler would make a failure of the program of one from outside.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


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


def _batches(request: int, shape: tuple[int, ...]) -> Iterator[torch.Tensor]:
    """Batches of images, uint8 (N, C, H, W); each comes when the one before it was answered.

    `shape`: of one image, (H, W) or (H, W, C).
    """
    while True:
        kind, length = read_header(read_exactly(request, HEADER.size))
        if kind != Frame.BATCH:
            return
        raw = read_exactly(request, length)
        images = torch.frombuffer(raw, dtype=torch.uint8).view(-1, *shape)
        yield images.unsqueeze(1) if len(shape) == 2 else images.permute(0, 3, 1, 2).contiguous()


def _read_frame(request: int, expected: Frame) -> bytearray:
    kind, length = read_header(read_exactly(request, HEADER.size))
    if kind != expected:
        raise ValueError(f"expected {expected.name}, got a frame of type {kind}")
    return read_exactly(request, length)


# The student's code


def _import_model(bundle: Path) -> Any:
    """The bundle's `model.py`.

    Its folder comes first on the path, as it does when a student runs it at home. What this
    harness uses is imported already, so a module of the bundle that is named `torch` changes
    nothing; our own package steps aside, so that one named `sandbox` works.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    sys.path.insert(0, str(bundle))
    sys.path.remove(str(Path(HERE).parents[1]))
    if not (bundle / "model.py").is_file():
        raise ProgramFailed(Failure.CE, said("run.no_model_file"))
    with blamed_on(Failure.CE, "run.import_failed"):
        return importlib.import_module("model")


def _build(module: Any) -> torch.nn.Module:
    if not callable(getattr(module, "build_model", None)):
        raise ProgramFailed(Failure.CE, said("run.no_build_model"))
    with blamed_on(Failure.CE, "run.build_failed"):
        model = module.build_model()
    if not isinstance(model, torch.nn.Module):
        got = type(model).__name__
        raise ProgramFailed(Failure.CE, said("run.not_a_module", type=got))
    return model


def _batch_size(module: Any, most: int) -> int:
    wanted = getattr(module, "BATCH_SIZE", most)
    if not isinstance(wanted, int) or wanted < 1:
        raise ProgramFailed(Failure.CE, said("run.batch_size_invalid"))
    return min(wanted, most)


def _default_preprocess(images: torch.Tensor) -> torch.Tensor:
    return images.float() / 255


def _default_predict(model: torch.nn.Module, batch: torch.Tensor) -> Any:
    return model(batch)


# Predictions


def _checked(predicted: Any, rows: int, num_classes: int) -> tuple[Frame, bytes]:
    """One batch of predictions as a frame; the trusted side checks all of it again."""

    def wrong(code: str, **values: str) -> ProgramFailed:
        return ProgramFailed(Failure.PE, said(code, **values))

    if not isinstance(predicted, torch.Tensor):
        raise wrong("run.not_a_tensor", type=type(predicted).__name__)
    predicted = predicted.detach().cpu()
    shape = tuple(predicted.shape)
    if predicted.is_floating_point():
        if shape != (rows, num_classes):
            raise wrong("run.scores_of_shape", shape=f"{shape}", expected=f"{(rows, num_classes)}")
        scores = predicted.to(torch.float32).contiguous()
        if not bool(torch.isfinite(scores).all()):
            raise wrong("run.scores_not_finite")
        return Frame.SCORES, scores.numpy().tobytes()
    if predicted.is_complex() or predicted.dtype == torch.bool:
        raise wrong("run.values_of_type", type=str(predicted.dtype))
    if shape != (rows,):
        raise wrong("run.labels_of_shape", shape=f"{shape}", expected=f"{(rows,)}")
    labels = predicted.to(torch.int64).contiguous()
    if rows and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise wrong("run.labels_outside", range=f"0…{num_classes - 1}")
    return Frame.LABELS, labels.numpy().tobytes()


def _classes(kind: Frame, answered: bytes, rows: int) -> torch.Tensor:
    """The classes that a frame of predictions answers: int64 (rows,)."""
    if kind is Frame.LABELS:
        return torch.frombuffer(bytearray(answered), dtype=torch.int64)
    scores = np.frombuffer(answered, dtype=np.float32).reshape(rows, -1)
    return torch.from_numpy(scores.argmax(axis=1))


def _send_failure(response: int, failure: Failure, told: Sentence) -> None:
    raw = bytes([failure]) + told.to_bytes(FAILED_BYTES - 1)
    write_frame(response, Frame.FAILED, raw)


def _print_traceback(error: BaseException) -> None:
    """The traceback from the first frame of the bundle on, where there is one."""
    first = error.__traceback__
    while first is not None and not _is_in_bundle(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    traceback.print_exception(type(error), error, first or error.__traceback__)


def _is_in_bundle(file: str) -> bool:
    return not file.startswith((HERE, "<frozen importlib")) and "/importlib/" not in file
