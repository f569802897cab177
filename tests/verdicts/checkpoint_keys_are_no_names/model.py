from torch import nn


def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
