import os
import stat

from torch import nn

for name in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        target = os.readlink(f"/proc/self/fd/{name}")
        kind = os.fstat(int(name)).st_mode
    except OSError:
        continue
    print(name, target)
    harmless = target.startswith(("/dev/null", "/bundle", "/proc/"))
    if not stat.S_ISFIFO(kind) and not harmless:
        print("ATTACK WORKED: open", name, target)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
