from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    raise RuntimeError(f"ATTACK WORKED: {images[0].tolist()}")
