import socket

from torch import nn

for family in (socket.AF_INET, socket.AF_INET6):
    try:
        socket.socket(family, socket.SOCK_STREAM)
        print("ATTACK WORKED: a socket of", family)
    except OSError as error:
        print(error)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
