"""`grader data`: the public pack of an assignment, downloaded, checked and unpacked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import TranslatedCommand, json_option, server_options, signed_in
from grader.cli.terminal.console import progress_bar, show, show_json, talk
from grader.client.client import Client
from grader.client.packs import DOWNLOADS, PACK_MARK, unpack


@click.command("data", cls=TranslatedCommand)
@click.argument("slug")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--no-train", is_flag=True, help="Leave out training data kept on another host.")
@server_options
@json_option
def data_command(
    slug: str,
    folder: Path | None,
    no_train: bool,
    server: str | None,
    token: str | None,
    course: str | None,
    as_json: bool,
) -> None:
    """Download the public pack of assignment SLUG into FOLDER (default: SLUG).

    \b
    Example: grader data fashion-mnist
    """
    folder = folder or Path(slug)
    if folder.exists() and any(folder.iterdir()) and not (folder / PACK_MARK).exists():
        raise click.UsageError(tr("{path} holds other files; name a new folder", path=folder))
    client, config = signed_in(server, token, course, patient=True)
    archive = folder.with_name(folder.name + ".zip")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with client:
        with progress_bar(tr("Downloading")) as on_progress:
            sha256 = client.download_pack(
                slug, archive, course=config.course, on_progress=on_progress
            )
        names = unpack(archive, folder)
        archive.unlink()
        if not no_train:
            names += _fetch_training_data(client, folder)
    if as_json:
        show_json({"folder": str(folder), "sha256": sha256, "files": names})
    else:
        show(str(folder))
        talk(tr("{count} files, SHA-256 {sha256}.", count=len(names), sha256=sha256))


def _fetch_training_data(client: Client, folder: Path) -> list[str]:
    """Fetch what the assignment names into the pack's folder `train_download`; its path."""
    about = json.loads((folder / PACK_MARK).read_text(encoding="utf-8"))
    url, sha256 = about.get("train_url"), about.get("train_sha256", "")
    if not url:
        return []
    target = folder / DOWNLOADS / _file_name(url)
    if not (sha256 and target.exists() and _sha256_of(target) == sha256):
        target.parent.mkdir(exist_ok=True)
        talk(tr("Training data: {url}", url=url))
        with progress_bar(tr("Downloading")) as on_progress:
            client.download_training_data(url, target, sha256=sha256, on_progress=on_progress)
    return [f"{DOWNLOADS}/{target.name}"]


def _file_name(url: str) -> str:
    name = unquote(urlsplit(url).path).replace("\\", "/").rpartition("/")[2]
    return name if name.strip(".") else "train"


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
