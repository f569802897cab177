"""What an unfinished run leaves to go on from, and that a finished one is not trained over."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from reference.data import ImageSet
from reference.errors import RunError
from reference.recipe import Recipe, quick
from reference.runs import RunRecord

UNFINISHED = "unfinished.pt"


def save(folder: Path, state: Mapping[str, Any], *, belongs_to: Mapping[str, Any]) -> None:
    """Keep the state after an epoch; one that is there already stays whole until then.

    `belongs_to` says which training this is: recipe, seed, images, device.
    """
    part = folder / f"{UNFINISHED}.part"
    random = {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    content = {"belongs_to": dict(belongs_to), "random": random, "state": dict(state)}
    torch.save(content, part)
    part.replace(folder / UNFINISHED)


def load(folder: Path, *, belongs_to: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state of the unfinished run in `folder`; None where there is none.

    Torch's own generators, which dropout draws from, go on from where they were too.

    Raises:
        RunError: it is of another training, or damaged.
    """
    path = folder / UNFINISHED
    if not path.is_file():
        return None
    content = _read(path)
    for key, value in belongs_to.items():
        # a file that is older than the key says nothing of it
        if content["belongs_to"].get(key, value) != value:
            raise RunError(
                f"{path} is of another training (its {key} differs); "
                "give another folder, or start anew without --resume"
            )
    torch.set_rng_state(content["random"]["torch"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(content["random"]["cuda"])
    state: dict[str, Any] = content["state"]
    return state


def finished_run(
    recipe: Recipe, images: ImageSet, *, seed: int, out: Path, smoke: bool
) -> RunRecord | None:
    """The run that has finished in `out`, if it is of this training."""
    try:
        record = RunRecord.read(out)
    except RunError:
        return None
    this = json.loads(json.dumps(dataclasses.asdict(recipe)))
    wanted = (this, images.fingerprint, seed, smoke)
    found = (record.settings, record.data["sha256"], record.seed, record.quick)
    return record if found == wanted else None


def check_room(recipe: Recipe, images: ImageSet, *, seed: int, out: Path, smoke: bool) -> None:
    """Whether nothing is lost by training into `out`: a smoke run, or the same training, is not.

    Raises:
        RunError: it holds a finished run of another training.
    """
    try:
        record = RunRecord.read(out)
    except RunError:
        return
    wanted = quick(recipe) if smoke else recipe
    if record.quick or finished_run(wanted, images, seed=seed, out=out, smoke=smoke):
        return
    raise RunError(
        f"{out} holds a finished run of another training ({record.recipe} on "
        f"{record.data['name']}, seed {record.seed}): give another --out, or delete it"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(content, dict) and {"belongs_to", "random", "state"} <= content.keys():
            return content
        reason = "it is something else"
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
    raise RunError(f"{path} can't be read ({reason}): start anew without --resume")
