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


CLONE_NEWUSER, CLONE_NEWNS, SIGCHLD = 0x10000000, 0x20000, 17
for flags in (CLONE_NEWUSER, CLONE_NEWUSER | CLONE_NEWNS):
    if libc.unshare(flags) == 0:
        print("ATTACK WORKED: unshare")
    got = call(56, 220, flags | SIGCHLD, 0, 0, 0, 0)
    if got == 0:
        print("ATTACK WORKED: clone")
        os._exit(0)
    arguments = (ctypes.c_uint64 * 11)(flags, 0, 0, 0, SIGCHLD)
    got = call(435, 435, arguments, 88)
    if got == 0:
        print("ATTACK WORKED: clone3")
        os._exit(0)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
