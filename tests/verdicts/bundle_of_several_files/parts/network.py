import queue_of_mine
import torch


class Network(torch.nn.Module):
    def forward(self, images):
        return images.flatten(1)[:, : queue_of_mine.CLASSES]


def build():
    return Network()
