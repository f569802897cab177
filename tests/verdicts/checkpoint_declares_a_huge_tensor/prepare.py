import json
import struct
from pathlib import Path

end = 4 << 40
header = {"1.weight": {"dtype": "F32", "shape": [1 << 20, 1 << 20], "data_offsets": [0, end]}}
text = json.dumps(header).encode()
Path("checkpoint.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"x" * 64)
