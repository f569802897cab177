"""`grader data`: the public pack of an assignment, downloaded, checked and unpacked."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path

import click

from grader.cli.base import TranslatedCommand, json_option, server_options, signed_in
from grader.cli.console import progress_bar, show, show_json, talk
from grader.cli.messages import tr
from grader.errors import NetworkError

PACK_MARK = "assignment.json"


@click.command("data", cls=TranslatedCommand)
@click.argument("slug")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@server_options
@json_option
def data_command(
    slug: str,
    folder: Path | None,
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
    client, config = signed_in(server, token, course)
    archive = folder.with_name(folder.name + ".zip")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with client, progress_bar(tr("Downloading")) as on_progress:
        sha256 = client.download_pack(slug, archive, course=config.course, on_progress=on_progress)
    names = _unpack(archive, folder)
    archive.unlink()
    if as_json:
        show_json({"folder": str(folder), "sha256": sha256, "files": names})
    else:
        show(str(folder))
        talk(tr("{count} files, SHA-256 {sha256}.", count=len(names), sha256=sha256))
        _tell_of_training_data(folder)


def _tell_of_training_data(folder: Path) -> None:
    about = json.loads((folder / PACK_MARK).read_text(encoding="utf-8"))
    if about.get("train_url"):
        talk(
            tr(
                "Training data: {url} (SHA-256 {sha256})",
                url=about["train_url"],
                sha256=about.get("train_sha256", ""),
            )
        )


def _unpack(archive: Path, folder: Path) -> list[str]:
    """Put the archive's content in place of the folder, whole or not at all; returns its names."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".grader-") as temporary:
        fresh = Path(temporary) / "pack"
        try:
            with zipfile.ZipFile(archive) as pack:
                pack.extractall(fresh)  # zipfile itself keeps every name below the target
                names = sorted(pack.namelist())
        except zipfile.BadZipFile as error:
            archive.unlink()
            raise NetworkError(f"the pack is damaged ({error}); download it again") from error
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    return names
