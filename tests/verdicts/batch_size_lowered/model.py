from torch import nn

BATCH_SIZE = 5


def build_model():
    return nn.Identity()


def predict(model, images):
    assert len(images) <= 5
    return (images.mean((1, 2, 3)) * 10).long()
