"""What an unfinished run leaves, so that it can go on as if nothing had happened."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from reference.errors import RunError

UNFINISHED = "unfinished.pt"


def save(folder: Path, state: Mapping[str, Any], *, belongs_to: Mapping[str, Any]) -> None:
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
                "delete it, give another folder, or start anew without --resume"
            )
    torch.set_rng_state(content["random"]["torch"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(content["random"]["cuda"])
    state: dict[str, Any] = content["state"]
    return state


def discard(folder: Path) -> None:
    """Delete the state of a run that has finished."""
    (folder / UNFINISHED).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(content, dict) and {"belongs_to", "random", "state"} <= content.keys():
            return content
        reason = "it is something else"
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
    raise RunError(f"{path} can't be read ({reason}): start anew without --resume")
