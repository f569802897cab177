"""Content-addressed files: kept under their SHA-256, verified whenever they are read.

Two stores behind one promise (`store.py`): a folder of this machine, or an object store that any
number of machines share; which one is said by a URL. Nothing is ever in memory whole, and no half
of a file is ever found under its name.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from leaderboard.blobs.folder import FolderStore
from leaderboard.blobs.staging import Staging
from leaderboard.blobs.store import Blob, BlobDamaged, BlobMissing, BlobsAway, BlobStore
from leaderboard.config import ConfigError, Settings

__all__ = [
    "Blob",
    "BlobDamaged",
    "BlobMissing",
    "BlobStore",
    "BlobsAway",
    "FolderStore",
    "Staging",
    "open_store",
]

_MIB = 1 << 20


def open_store(settings: Settings) -> BlobStore:
    """The store that the settings name. Connects at its first use, so this may precede a fork.

    Raises:
        ConfigError: the object store's library or keys are missing.
    """
    parts = urlsplit(settings.blobs_url)
    if parts.scheme == "file":
        return FolderStore(Path(unquote(parts.path)))
    # the library behind it takes its time to load, and a folder needs none of it
    try:
        from leaderboard.blobs.objects import ObjectStore, missing_keys
    except ImportError as error:
        raise ConfigError(
            [f"{error.name} is not installed: pip install 'gradewright[server,objects]'"]
        ) from None

    if missing := missing_keys(settings.blobs_url, os.environ):
        raise ConfigError(
            [
                f"LEADERBOARD_BLOBS_URL names an object store, and {' and '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} not set in the environment "
                "(systemd: /etc/leaderboard/environment)"
            ]
        )
    return ObjectStore(
        settings.blobs_url,
        staging=settings.uploads_dir,
        cache=settings.cache_dir / "blobs",
        cache_bytes=settings.blob_cache_mb * _MIB,
    )
