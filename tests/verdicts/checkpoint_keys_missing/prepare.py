import numpy as np
from checkpoint_files import save_safetensors

rng = np.random.default_rng(1)
save_safetensors("checkpoint.safetensors", {"1.weight": rng.normal(0, 1, (10, 64))})
