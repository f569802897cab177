import torch
from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    return images.flatten(1)[:, :10].to(torch.bfloat16)
