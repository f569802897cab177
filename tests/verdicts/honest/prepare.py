import numpy as np
from checkpoint_files import save_safetensors

rng = np.random.default_rng(1)
save_safetensors(
    "checkpoint.safetensors",
    {
        "0.weight": rng.normal(0, 1, (4, 1, 3, 3)),
        "0.bias": rng.normal(0, 1, (4,)),
        "3.weight": rng.normal(0, 1, (10, 256)),
        "3.bias": rng.normal(0, 1, (10,)),
    },
)
