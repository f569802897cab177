import torch
from torch import nn


class Ensemble(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(64, 10), nn.Linear(64, 10)

    def forward(self, images):
        assert float(self.first.bias[0]) == 1 and float(self.second.bias[0]) == 2
        return self.first(images.flatten(1)) + self.second(images.flatten(1))


def build_model():
    return Ensemble()
