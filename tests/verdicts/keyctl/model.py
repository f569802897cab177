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


KEY_SPEC_USER_KEYRING = -4
if call(248, 217, b"user", b"mark", b"x", 1, KEY_SPEC_USER_KEYRING) >= 0:
    print("ATTACK WORKED: add_key")
if call(250, 219, 0, KEY_SPEC_USER_KEYRING, 1, 0, 0) >= 0:
    print("ATTACK WORKED: keyctl")


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
