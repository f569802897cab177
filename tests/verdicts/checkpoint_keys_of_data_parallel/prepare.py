import numpy as np
from checkpoint_files import save_safetensors

tensors = {"module.1.weight": np.zeros((10, 64)), "module.1.bias": np.zeros(10)}
save_safetensors("checkpoint.safetensors", tensors)
