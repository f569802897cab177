import signal

from torch import nn

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)


def build_model():
    return nn.Identity()


def predict(model, images):
    while True:
        pass
