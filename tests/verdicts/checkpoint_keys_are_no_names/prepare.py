"""Writes a .pt as torch.save does, without torch: a pickle that names torch's functions."""

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

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


def save(state, storages):
    text = io.BytesIO()
    Pickler(text, protocol=2).dump(state)
    with zipfile.ZipFile("checkpoint.pt", "w") as archive:
        archive.writestr("checkpoint/data.pkl", text.getvalue())
        archive.writestr("checkpoint/byteorder", "little")
        for name, count in storages.items():
            archive.writestr(f"checkpoint/data/{name}", bytes(4 * count))
        archive.writestr("checkpoint/version", "3\n")


state = OrderedDict()
state["1.weight"] = Tensor(Storage("0", 640), (10, 64), (64, 1))
state[None] = Tensor(Storage("1", 10), (10,), (1,))
save(state, {"0": 640, "1": 10})
