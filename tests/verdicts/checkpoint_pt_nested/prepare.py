from checkpoint_files import Storage, Tensor, save_pt

bias = Tensor(Storage("0", 10), (10,), (1,))
save_pt({"epoch": 3, "state_dict": {"1.bias": bias}}, {"0": 10})
