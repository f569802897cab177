from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    return images / (1 // 0)
