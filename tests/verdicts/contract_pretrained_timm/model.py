import timm


def build_model():
    return timm.create_model("resnet18", pretrained=True)
