"""The folder that one training run leaves, and how to get its model back.

run.json                  recipe, seed, data, environment and result: all that a bundle needs
results.jsonl             one line an epoch, written as training goes
checkpoint.safetensors    the weights that selection kept
answers.safetensors       their logits on validation and test images: for tests in pairs, ROC curves
                          and ensembles
unfinished.pt             until then: the state after an epoch, so that a run that was interrupted
                          goes on as if nothing had happened
"""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reference import models
from reference.errors import RunError
from reference.models.registry import Option
from reference.recipe.settings import TrainingSettings
from reference.training.learner import has_bfloat16
from reference.training.transforms.evaluating import EvaluationTransform

RECORD = "run.json"
RESULTS = "results.jsonl"
CHECKPOINT = "checkpoint.safetensors"
ANSWERS = "answers.safetensors"
UNFINISHED = "unfinished.pt"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A finished run, complete enough to build its model and its bundle.

    Attributes:
        model, options: registry name and every option. channels: of the images.
        size: height and width that the model takes; `mean`, `std`: what evaluation normalises by;
            `enlarge`, `mirror`: see `EvaluationTransform`.
        data: name, origin, sha256. environment: versions, device, threads, precision in fact.
        result: what training measured. code: SHA-256 of what trained it; empty for runs that were
            made before it was kept. confusion: K×K counts on the test images, rows the true class.
        images_per_class: different images of each class that it was trained on.
    """

    recipe: str
    title: str
    seed: int
    quick: bool
    model: str
    options: Mapping[str, Option]
    classes: tuple[str, ...]
    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data: Mapping[str, str]
    settings: Mapping[str, Any]
    environment: Mapping[str, str | int]
    result: Mapping[str, Any]
    code: str = ""
    confusion: Sequence[Sequence[int]] = ()
    images_per_class: Sequence[int] = ()
    enlarge: int = 0
    mirror: bool = False
    format: int = FORMAT

    @property
    def transform(self) -> EvaluationTransform:
        """What evaluation does to images."""
        return EvaluationTransform(
            size=self.size,
            mean=self.mean,
            std=self.std,
            enlarge=self.enlarge,
            mirror=self.mirror,
        )

    def build_model(self) -> nn.Module:
        """The model with untrained weights."""
        return models.find(self.model).build(
            len(self.classes), channels=self.channels, size=self.size, **self.options
        )

    def write(self, folder: Path) -> None:
        """Write `run.json`; it appears only whole."""
        table = finite(dataclasses.asdict(self))
        _replace(folder / RECORD, json.dumps(table, indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """The record of a finished run.

        Raises:
            RunError: there is none, or it is of another format.
        """
        path = folder / RECORD
        if not path.is_file() or not (folder / CHECKPOINT).is_file():
            raise RunError(f"{folder} holds no finished run ({RECORD} and {CHECKPOINT})")
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            if table["format"] != FORMAT:
                raise RunError(f"{path} is of format {table['format']}, not {FORMAT}")
            for key in ("classes", "mean", "std"):
                table[key] = tuple(table[key])
            table["options"] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in table["options"].items()
            }
            return cls(**table)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{path} can't be read: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Answers:
    """A run's logits: float32 N×K of its validation images and of the test images.

    `validation_rows`: which of the training images those were, int64.
    """

    validation_rows: Tensor
    validation: Tensor
    test: Tensor

    def write(self, folder: Path) -> None:
        """Write them beside the run's record."""
        from safetensors.torch import save_file

        kept = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        save_file({name: value.contiguous() for name, value in kept.items()}, folder / ANSWERS)

    @classmethod
    def read(cls, folder: Path) -> Answers:
        """Those of a finished run.

        Raises:
            RunError: the run is from before answers were kept, or they are damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not (folder / ANSWERS).is_file():
            raise RunError(f"{folder} keeps no answers ({ANSWERS}): train it anew")
        try:
            return cls(**load_file(folder / ANSWERS))
        except (SafetensorError, TypeError) as error:
            raise RunError(f"{folder / ANSWERS} can't be read: {error}") from error


def environment(device: torch.device, settings: TrainingSettings) -> dict[str, str | int]:
    """What the bits of a run depend on besides its settings and the code."""
    half = settings.precision == "bfloat16" and has_bfloat16(device)
    cpu = str(torch.cpu.get_capabilities().get("cpu_name", platform.machine()))
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        "threads": torch.get_num_threads(),
        "precision": "bfloat16" if half else "float32",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def load_model(folder: Path) -> nn.Module:
    """The trained model of a run, on the CPU, in evaluation mode.

    Raises:
        RunError: see `RunRecord.read`; or the weights are damaged, or another model's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    model = RunRecord.read(folder).build_model()
    try:
        model.load_state_dict(load_file(folder / CHECKPOINT))
    except (SafetensorError, RuntimeError) as error:  # RuntimeError: other names or shapes
        raise RunError(f"{folder / CHECKPOINT} can't be read: {error}") from error
    return model.eval()


def write_results(folder: Path, epochs: Sequence[Mapping[str, Any]]) -> None:
    """Write `results.jsonl`, a line an epoch; it appears only whole."""
    _replace(folder / RESULTS, "".join(json.dumps(finite(each)) + "\n" for each in epochs))


def finite(value: Any) -> Any:
    """The same with null for figures that are not finite (a loss that collapsed): JSON has none."""
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def save_unfinished(
    folder: Path, state: Mapping[str, Any], *, belongs_to: Mapping[str, Any]
) -> None:
    """Keep the state after an epoch; one that is there already stays whole until then.

    `belongs_to` says which training this is: settings, seed, images, device.
    """
    part = folder / f"{UNFINISHED}.part"
    random = {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    content = {"belongs_to": dict(belongs_to), "random": random, "state": dict(state)}
    torch.save(content, part)
    part.replace(folder / UNFINISHED)


def load_unfinished(folder: Path, *, belongs_to: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state of the unfinished run in `folder`; None where there is none.

    Torch's own generators, which dropout draws from, go on from where they were too.

    Raises:
        RunError: it is of another training, or damaged.
    """
    path = folder / UNFINISHED
    if not path.is_file():
        return None
    content = _read_unfinished(path)
    for key, value in belongs_to.items():
        # a file that is older than the key says nothing of it
        if content["belongs_to"].get(key, value) != value:
            raise RunError(
                f"{path} is of another training (its {key} differs); "
                "delete it, give another folder, or start anew without --resume"
            )
    torch.set_rng_state(content["random"]["torch"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(content["random"]["cuda"])
    state: dict[str, Any] = content["state"]
    return state


def discard_unfinished(folder: Path) -> None:
    """Delete the state of a run that has finished."""
    (folder / UNFINISHED).unlink(missing_ok=True)


def _read_unfinished(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(content, dict) and {"belongs_to", "random", "state"} <= content.keys():
            return content
        reason = "it is something else"
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
    raise RunError(f"{path} can't be read ({reason}): start anew without --resume")
