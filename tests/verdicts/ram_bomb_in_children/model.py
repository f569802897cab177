import os
import time

import torch
from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    for _ in range(5):
        if os.fork() == 0:
            kept = torch.ones(150 << 20, dtype=torch.uint8)
            time.sleep(30)
            os._exit(int(kept[0]))
    time.sleep(30)
    return (images.mean((1, 2, 3)) * 10).long()
