"""Looks in the card's memory for what an earlier run left there, then leaves a mark of its own."""

import torch

MARK = 0x5A


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    left = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    if int((left == MARK).sum()) > 1 << 20:
        print("ATTACK WORKED: an earlier run's memory was read")
    left.fill_(MARK)
    torch.cuda.synchronize()
    return torch.zeros(len(images), dtype=torch.int64)
