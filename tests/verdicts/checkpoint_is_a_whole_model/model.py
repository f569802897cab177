import torch


def build_model():
    return torch.nn.Linear(64, 10)


def preprocess(images):
    return images.flatten(1).float() / 255
