import torch
from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    return torch.zeros(len(images), 9)
