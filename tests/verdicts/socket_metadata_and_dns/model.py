import socket
from urllib.request import urlopen

from torch import nn

for attempt in (
    lambda: urlopen("http://169.254.169.254/latest/meta-data/", timeout=2),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: socket.create_connection(("127.0.0.1", 22), timeout=2),
    lambda: socket.create_connection(("127.47.11.1", 47111), timeout=2),  # the tests listen there
):
    try:
        print("ATTACK WORKED:", attempt())
    except OSError as error:
        print(error)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
