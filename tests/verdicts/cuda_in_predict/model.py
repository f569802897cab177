import torch


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    return model(images.to("cuda")).flatten(1)[:, :10]
