import os

from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    os._exit(128 + 9)
