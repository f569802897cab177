"""A downloaded pack becomes a folder, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from grader.errors import NetworkError
from grader.words.message import said

PACK_MARK: Final = "assignment.json"
DOWNLOADS: Final = "train_download"
"""Where training data lie that come from elsewhere."""


def unpack(archive: Path, folder: Path) -> list[str]:
    """Put the archive's content in place of the folder; returns its names.

    Training data that was fetched earlier stays.

    Raises:
        NetworkError: the archive is damaged, and deleted.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".grader-") as temporary:
        fresh = Path(temporary) / "pack"
        try:
            with zipfile.ZipFile(archive) as pack:
                pack.extractall(fresh)  # zipfile itself keeps every name below the target
                names = sorted(pack.namelist())
        except zipfile.BadZipFile as error:
            archive.unlink()
            raise NetworkError(said("exchange.damaged_pack", error=str(error))) from error
        if (folder / DOWNLOADS).is_dir():
            (folder / DOWNLOADS).rename(fresh / DOWNLOADS)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    return names
