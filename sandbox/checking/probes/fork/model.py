"""Starts processes until it is refused."""

import os
import time

import torch
from torch import nn


def build_model() -> nn.Module:
    """A model without weights."""
    return nn.Identity()


def predict(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """More processes each time; each sleeps."""
    while True:
        if os.fork() == 0:
            time.sleep(1000)
