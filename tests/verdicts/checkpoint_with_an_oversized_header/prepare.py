import struct
from pathlib import Path

Path("checkpoint.safetensors").write_bytes(struct.pack("<Q", 1 << 62) + b"{}" * 64)
