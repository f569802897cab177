import numpy as np
from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    return np.array([object()] * len(images))
