"""Inside the sandbox: what a student can do about the usual mistakes, by the error they end in."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator
from urllib.error import URLError

NO_NETWORK = (
    "There is no network here: build the model without downloading (pretrained=False, "
    "weights=None) and put all weights in the checkpoint."
)
NO_CUDA = (
    "There is no GPU here: leave out .cuda() and device='cuda'. The model is put on the right "
    "device for you; use images.device in preprocess() and predict()."
)
WHOLE_MODEL = (
    "It holds a pickled object, such as a whole model, and is not opened: save the tensors alone, "
    "torch.save(model.state_dict(), 'checkpoint.pt')."
)
_OFFLINE = ("no internet connection", "offline mode is enabled", "couldn't connect to")
_CUDA = ("Torch not compiled with CUDA enabled", "Found no NVIDIA driver", "No CUDA GPUs")
_OFFLINE_TYPES = ("LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectError")


def advise(error: BaseException) -> str:
    """What to do about an error, or "" where its own words must do."""
    for each in _chain(error):
        text = str(each)
        if isinstance(each, (URLError, socket.gaierror)) or type(each).__name__ in _OFFLINE_TYPES:
            return NO_NETWORK
        if any(said in text for said in _OFFLINE):
            return NO_NETWORK
        if any(said in text for said in _CUDA):
            return NO_CUDA
        if isinstance(each, pickle.UnpicklingError):
            return WHOLE_MODEL
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
