"""Never gives a prediction, and is deaf to signals."""

import signal
import time

import torch
from torch import nn


def build_model() -> nn.Module:
    """A model without weights."""
    return nn.Identity()


def predict(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Sleep for ever."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1000)
