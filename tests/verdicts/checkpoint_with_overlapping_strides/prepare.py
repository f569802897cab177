from collections import OrderedDict

from checkpoint_files import Storage, Tensor, save_pt

state = OrderedDict()
state["1.weight"] = Tensor(Storage("0", 1), (1 << 20, 1 << 20), (0, 0))
state["1.bias"] = Tensor(Storage("0", 1), (10,), (0,))
save_pt(state, {"0": 1})
