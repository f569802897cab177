import os

from torch import nn

for _ in range(1024):
    os.write(2, bytes(1 << 20))


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
