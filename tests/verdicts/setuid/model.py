import os
import stat
from pathlib import Path

from torch import nn

for folder, _, names in os.walk("/opt"):
    for name in names:
        mode = os.lstat(os.path.join(folder, name)).st_mode
        if mode & (stat.S_ISUID | stat.S_ISGID):
            print("ATTACK WORKED:", folder, name)
for user in (0, 1, 1000):
    try:
        os.setuid(user)
        print("ATTACK WORKED: user", user)
    except OSError as error:
        print(error)
status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
print({name: status[name] for name in ("NoNewPrivs", "CapEff", "CapBnd", "Seccomp")})
if status["NoNewPrivs"] != "1" or int(status["CapEff"], 16) or int(status["CapBnd"], 16):
    print("ATTACK WORKED: privileges")


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
