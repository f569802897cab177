from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    kept = []
    while True:
        kept.append(open("/dev/null"))
