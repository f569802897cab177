from urllib.request import urlopen


def build_model():
    return urlopen("https://download.pytorch.org/models/resnet18-f37072fd.pth").read()
