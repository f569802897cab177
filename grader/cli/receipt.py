"""`grader receipt`: is a receipt what the server signed, checked on this machine alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import ExitCode, TranslatedCommand
from grader.cli.terminal.console import show, talk

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("receipt", cls=TranslatedCommand)
@click.argument("receipt_file", type=_FILE, metavar="FILE")
@click.option(
    "--key",
    "key_file",
    required=True,
    type=_FILE,
    help="The server's public key, as /api/v1/receipt-key gives it.",
)
@click.option("--of", "handed_in", type=_FILE, help="Also: is it the receipt of this file?")
def receipt_command(receipt_file: Path, key_file: Path, handed_in: Path | None) -> None:
    """Verify a signed receipt offline.

    FILE holds what `grader submit --json` or `grader status ID --json` printed.

    \b
    Example: grader receipt submission.json --key receipt-key.json --of predictions.csv
    """
    receipt = _receipt(_read_json(receipt_file))
    key = str(_read_json(key_file).get("public_key", ""))
    if not _is_signed(receipt, key):
        talk(tr("The receipt was not signed by this key, or was changed since."))
        sys.exit(ExitCode.REJECTED)
    if "accepted_at" not in receipt:
        talk(tr("This is genuine, and no receipt: it does not say that a file was handed in."))
        sys.exit(ExitCode.REJECTED)
    if handed_in is not None and _sha256(handed_in) != receipt.get("sha256"):
        talk(tr("The receipt is genuine, but of another file."))
        sys.exit(ExitCode.REJECTED)
    show(
        tr(
            "Genuine: {id}, accepted {time}, SHA-256 {sha256}",
            id=receipt.get("id"),
            time=receipt.get("accepted_at"),
            sha256=receipt.get("sha256"),
        )
    )


def _receipt(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A receipt, or that of a submission's report."""
    inner = content.get("receipt")
    return inner if isinstance(inner, Mapping) else content


def _is_signed(receipt: Mapping[str, Any], public_key: str) -> bool:
    """Whether the Ed25519 key (base64) signed the receipt's other members as canonical JSON."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        talk(tr("Verifying needs an extra: pip install 'gradewright[receipts]'"))
        sys.exit(ExitCode.USAGE)
    facts = {name: value for name, value in receipt.items() if name != "signature"}
    content = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
        key.verify(base64.b64decode(str(receipt.get("signature", ""))), content.encode())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, Mapping):
        talk(tr("{path} holds no JSON object", path=path))
        sys.exit(ExitCode.USAGE)
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
