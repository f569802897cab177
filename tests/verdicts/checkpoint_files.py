"""Writes checkpoints without torch, for the `prepare.py` of the cases beside it.

A safetensors file is a length, a JSON header and the raw numbers; a .pt, as torch.save makes it, is
a zip with a pickle that names torch's functions.
"""

import io
import json
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict


def save_safetensors(path, tensors):
    """Write arrays by their names, as 32-bit floats."""
    header, data = {}, b""
    for name, array in tensors.items():
        raw = array.astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
sys.modules.update({"torch": torch, "torch._utils": utils})


class FloatStorage:
    pass


def _rebuild_tensor_v2():
    pass


FloatStorage.__module__, _rebuild_tensor_v2.__module__ = "torch", "torch._utils"
torch.FloatStorage, utils._rebuild_tensor_v2 = FloatStorage, _rebuild_tensor_v2


class Storage:
    def __init__(self, name, count):
        self.reference = ("storage", FloatStorage, name, "cpu", count)


class Tensor:
    def __init__(self, storage, shape, stride):
        self.arguments = (storage, 0, shape, stride, False, OrderedDict())

    def __reduce__(self):
        return _rebuild_tensor_v2, self.arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, item):
        return item.reference if isinstance(item, Storage) else None


def save_pt(state, storages):
    """Write checkpoint.pt: what holds tensors, and how many numbers each storage has."""
    text = io.BytesIO()
    Pickler(text, protocol=2).dump(state)
    with zipfile.ZipFile("checkpoint.pt", "w") as archive:
        archive.writestr("checkpoint/data.pkl", text.getvalue())
        archive.writestr("checkpoint/byteorder", "little")
        for name, count in storages.items():
            archive.writestr(f"checkpoint/data/{name}", bytes(4 * count))
        archive.writestr("checkpoint/version", "3\n")
