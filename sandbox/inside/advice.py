"""Inside the sandbox: what a student can do about the usual mistakes, by the error they end in."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator
from urllib.error import URLError

from sandbox.inside.sentences import Sentence, said

NO_NETWORK = said("run.advice_no_network")
NO_CUDA = said("run.advice_no_gpu")
WHOLE_MODEL = said("run.advice_whole_model")
_OFFLINE = ("no internet connection", "offline mode is enabled", "couldn't connect to")
_CUDA = ("Torch not compiled with CUDA enabled", "Found no NVIDIA driver", "No CUDA GPUs")
_OFFLINE_TYPES = ("LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectError")


def advise(error: BaseException) -> Sentence | None:
    """What to do about an error; None where its own words must do."""
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
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
