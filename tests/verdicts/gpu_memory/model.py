"""Takes the card's memory piece by piece."""

import time

import torch


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    _kept = [torch.empty(1 << 28, dtype=torch.uint8, device="cuda").fill_(7) for _ in range(64)]
    time.sleep(20)
    return torch.zeros(len(images), dtype=torch.int64)
