import sys

from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    print("ATTACK WORKED:", images.tolist())
    print("ATTACK WORKED:", images.tolist(), file=sys.stderr)
    return (images.mean((1, 2, 3)) * 10).long()
