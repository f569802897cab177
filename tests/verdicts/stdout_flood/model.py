import sys

from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    for _ in range(1 << 20):
        sys.stdout.write("x" * 1023 + "\n")
