from parts.network import build
from torch import nn

with open("names.txt") as file:
    print("names:", file.read())


def build_model():
    return build()


def predict(model, images):
    return model(images).argmax(1)
