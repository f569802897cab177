import signal
import time

from torch import nn

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)


def build_model():
    return nn.Identity()


def predict(model, images):
    while True:
        time.sleep(1000)
