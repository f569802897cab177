import sandbox
import torch
from torch import nn

print(sandbox.WHO)
assert torch.__version__


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
