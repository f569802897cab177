from pathlib import Path

import numpy as np
from checkpoint_files import save_safetensors

rng = np.random.default_rng(1)
Path("checkpoints").mkdir()
for value, name in ((1, "first"), (2, "second")):
    weight = rng.normal(0, 1, (10, 64))
    save_safetensors(
        f"checkpoints/{name}.safetensors", {"weight": weight, "bias": np.full(10, value)}
    )
