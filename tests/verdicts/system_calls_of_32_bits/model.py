import ctypes
import mmap

from torch import nn

# mov eax, 20 (getpid); int 0x80; ret
CODE = bytes.fromhex("b814000000cd80c3")


def build_model():
    return nn.Identity()


def predict(model, images):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(CODE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    print("ATTACK WORKED: getpid gave", ctypes.CFUNCTYPE(ctypes.c_int)(address)())
