from collections import OrderedDict

from checkpoint_files import Storage, Tensor, save_pt

state = OrderedDict()
state["1.weight"] = Tensor(Storage("0", 640), (10, 64), (64, 1))
state["1.bias"] = Tensor(Storage("1", 10), (10,), (1,))
save_pt(state, {"0": 640, "1": 10})
