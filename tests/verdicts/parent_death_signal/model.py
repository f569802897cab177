import ctypes
import os
import platform

from torch import nn

libc = ctypes.CDLL(None, use_errno=True)


def call(x86_64, aarch64, *arguments):
    number = {"x86_64": x86_64, "aarch64": aarch64}[platform.machine()]
    got = libc.syscall(number, *arguments)
    print(number, arguments, "->", got, os.strerror(ctypes.get_errno()) if got < 0 else "")
    return got


PR_SET_PDEATHSIG = 1
if libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0:
    print("ATTACK WORKED: prctl")


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
