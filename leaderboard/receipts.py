"""Signed receipts of hand-ins (Ed25519), which anyone can verify offline with the public key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)


class Receipts:
    """Signs and verifies; `public_key` is what a student needs to verify offline."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = base64.b64encode(_raw(key.public_key())).decode()
        self.key_id = hashlib.sha256(_raw(key.public_key())).hexdigest()[:16]
        secret = key.private_bytes(
            serialization.Encoding.Raw,
            serialization.PrivateFormat.Raw,
            serialization.NoEncryption(),
        )
        self._printing_key = hmac.digest(secret, b"keyed prints", "sha256")

    @classmethod
    def from_file(cls, path: Path) -> Receipts:
        """Read the private key (PEM).

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is no key.
        """
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} holds no Ed25519 key")
        return cls(key)

    def sign(self, facts: dict[str, Any]) -> dict[str, Any]:
        """The facts with `key_id` and `signature` over their canonical JSON."""
        signed = {**facts, "key_id": self.key_id}
        return {**signed, "signature": self.signature(canonical_json(signed))}

    def signature(self, content: bytes) -> str:
        """The signature of some bytes, base64."""
        return base64.b64encode(self._key.sign(content)).decode()

    def keyed_print(self, content: bytes) -> str:
        """A hash of some bytes that nobody makes without the key, hexadecimal: whoever guesses what
        was hashed (an address) can't try the guess."""
        return hmac.new(self._printing_key, content, "sha256").hexdigest()


def verify(receipt: dict[str, Any], public_key: str) -> bool:
    """Whether a receipt was signed by the key (base64 of 32 bytes) and not changed since."""
    facts = {name: value for name, value in receipt.items() if name != "signature"}
    return is_signature(str(receipt.get("signature", "")), canonical_json(facts), public_key)


def is_signature(signature: str, content: bytes, public_key: str) -> bool:
    """Whether the key (base64 of 32 bytes) made a signature (base64) of these bytes."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
    try:
        key.verify(base64.b64decode(signature), content)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def write_new_key(path: Path) -> None:
    """Make a private key, readable by its owner only; an existing one is never replaced."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
