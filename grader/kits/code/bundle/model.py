"""What the server runs: it builds the model, loads the checkpoint beside this file, and predicts.

Nothing is downloaded there: no `pretrained=True`. Weights belong into the checkpoint.
"""

import torch
from settings import CHANNELS, NUM_CLASSES
from torch import nn
from torch.nn import functional

LONGEST_SIDE = 64  # larger images are averaged down to this


def build_model() -> nn.Module:
    """A small convolutional network for images of any size.

    Widths are multiples of 16: with 24 and 48, training on a CPU took ten times as long.
    """
    return nn.Sequential(
        *block(CHANNELS, 16),
        *block(16, 32),
        *block(32, 64),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, NUM_CLASSES),
    )


def block(inputs: int, outputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]


def preprocess(images: torch.Tensor) -> torch.Tensor:
    """From uint8 (N, C, H, W) to what the network takes; the same in training and on the server."""
    batch = (images.float() / 255 - 0.5) / 0.5
    height, width = batch.shape[2:]
    if max(height, width) > LONGEST_SIDE:
        scale = LONGEST_SIDE / max(height, width)
        batch = functional.interpolate(batch, scale_factor=scale, mode="area")
    return batch.contiguous(memory_format=torch.channels_last)
