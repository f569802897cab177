import torchvision


def build_model():
    return torchvision.models.resnet18(weights="DEFAULT")
