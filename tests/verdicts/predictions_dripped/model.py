import time

from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    time.sleep(0.1)
    return (images.mean((1, 2, 3)) * 10).long()
