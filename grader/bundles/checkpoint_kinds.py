"""What lies in place of a checkpoint, by its first and last bytes; nothing is decoded."""

from __future__ import annotations

import struct
from typing import Final

HEAD_BYTES: Final = 64
TAIL_BYTES: Final = 1024
_SAFETENSORS_HEADER_BYTES: Final = 100_000_000  # the format's own limit
_ZIP, _END_OF_ZIP = b"PK\x03\x04", b"PK\x05\x06"
# how it starts, in small letters → what it is
_STARTS: Final = (
    ((b"<!doctype html", b"<html", b"<?xml"), "web_page"),
    ((b"version https://git-lfs",), "lfs_pointer"),
    ((b"\x89hdf",), "keras_file"),
    ((b"\x1f\x8b", b"bzh", b"\xfd7zxz", b"rar!", b"7z\xbc\xaf"), "packed_checkpoint"),
    ((b'{"', b"{\n", b"{ ", b"[{"), "text_checkpoint"),
)

# kind → codes of what is said and what to do
WORDS: Final = {
    "web_page": ("bundle.web_page", "bundle.web_page.hint"),
    "lfs_pointer": ("bundle.lfs_pointer", "bundle.lfs_pointer.hint"),
    "keras_file": ("bundle.keras_file", "bundle.keras_file.hint"),
    "packed_checkpoint": ("bundle.packed_checkpoint", "bundle.packed_checkpoint.hint"),
    "text_checkpoint": ("bundle.text_checkpoint", "bundle.text_checkpoint.hint"),
    "onnx_file": ("bundle.onnx_file", "bundle.onnx_file.hint"),
    "saved_by_torch": ("bundle.saved_by_torch", "bundle.saved_by_torch.hint"),
    "saved_by_safetensors": ("bundle.saved_by_safetensors", "bundle.saved_by_safetensors.hint"),
    "cut_off_checkpoint": ("bundle.cut_off_checkpoint", "bundle.cut_off_checkpoint.hint"),
    "bad_safetensors": ("bundle.bad_safetensors", "bundle.bad_safetensors.hint"),
}


def what_instead(name: str, size: int, head: bytes, tail: bytes) -> str | None:
    """The kind of what is no checkpoint of its suffix, one of `WORDS`; None where it may be one.

    `head`, `tail`: its first and last bytes, `HEAD_BYTES` and `TAIL_BYTES` where there are as many.
    """
    start = head.lstrip().lower()
    for starts, kind in _STARTS:
        if start.startswith(starts):
            return kind
    if head.startswith(b"\x08") and (b"pytorch" in head or b"onnx" in head):
        return "onnx_file"
    is_zip = head.startswith(_ZIP)
    if name.endswith(".safetensors"):
        if is_zip or head.startswith(b"\x80\x02"):
            return "saved_by_torch"
        return None if _is_safetensors(head, size) else "bad_safetensors"
    if _is_safetensors(head, size):
        return "saved_by_safetensors"
    if is_zip and _END_OF_ZIP not in tail:
        return "cut_off_checkpoint"
    return None


def _is_safetensors(head: bytes, size: int) -> bool:
    if len(head) < 9 or head[8:9] != b"{":
        return False
    length: int = struct.unpack("<Q", head[:8])[0]
    return length <= min(size - 8, _SAFETENSORS_HEADER_BYTES)
