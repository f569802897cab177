import ctypes
import fcntl
import os
from pathlib import Path

from torch import nn

for path in ("/tmp/mark", "/dev/shm/mark", "/bundle/mark", "/dev/mqueue/mark"):
    if Path(path).exists():
        print("ATTACK WORKED: found", path)
    try:
        Path(path).write_text("x")
    except OSError as error:
        print(error)
shared = open("/opt/packages/torch/__init__.py")  # the same file in every run
try:
    fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError as error:
    print("ATTACK WORKED: found a lock", error)
except OSError as error:
    print("no locks here", error)
libc = ctypes.CDLL(None, use_errno=True)
IPC_CREAT = 0o1000
if libc.shmget(4711, 4096, 0) >= 0:
    print("ATTACK WORKED: found System V shared memory")
print(libc.shmget(4711, 4096, IPC_CREAT | 0o666), os.getpid())


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
