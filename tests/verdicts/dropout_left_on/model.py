import torch
from torch import nn


class Noisy(nn.Module):
    def forward(self, images):
        return nn.functional.dropout(images.flatten(1)[:, :10], 0.5, training=True)


def build_model():
    return Noisy()
