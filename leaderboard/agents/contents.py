"""What an agent fetches for a run: the bundle as it was handed in, and the images alone."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import sqlalchemy as sa
from itsdangerous import BadData
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from grader.evaluation import pixels_sha256
from grader.words.message import said
from leaderboard.accounts import signing
from leaderboard.errors import LinkInvalid, NotFound
from leaderboard.models import AgentRun, Submission
from leaderboard.rules.catalog import Catalog
from sandbox import Job

LASTS: Final = timedelta(minutes=10)
What = Literal["bundle", "images"]


class Addresses:
    """Signs what an agent may fetch, for a few minutes, and for one lease."""

    def __init__(self, secret_key: str) -> None:
        self._signer = signing.timed(secret_key, salt="agent-run")

    def of(self, run: str, lease_sha256: str, what: What) -> str:
        """A word that stands for one thing of one lease."""
        signed = self._signer.dumps([run, lease_sha256, what])
        return signed if isinstance(signed, str) else signed.decode()

    def read(self, session: Session, signed: str) -> tuple[AgentRun, What]:
        """The run, and what is wanted of it.

        Raises:
            LinkInvalid: it was not signed here, is too old, or the lease is over.
        """
        run, lease_sha256, what = self._loaded(signed)
        wanted = sa.select(AgentRun).filter_by(public_id=run, lease_sha256=lease_sha256)
        found = session.scalars(wanted).first()
        if found is None:
            raise LinkInvalid(said("agent.lease_lost"))
        return found, what

    def _loaded(self, signed: str) -> tuple[str, str, What]:
        try:
            run, lease_sha256, what = self._signer.loads(signed, max_age=int(LASTS.total_seconds()))
        except (BadData, ValueError) as error:
            raise LinkInvalid(said("agent.lease_lost")) from error
        return run, lease_sha256, what


def bundle_of(session: Session, run: AgentRun) -> tuple[str, int]:
    """The hash and the size in bytes of the file that was handed in."""
    found = session.get_one(Submission, run.submission_id)
    return found.content_sha256, found.size_bytes


def images_of(catalog: Catalog, run: AgentRun) -> NDArray[np.uint8]:
    """The images that the run is about, uint8, without anything that says what is on them.

    Raises:
        NotFound: neither the public sample nor the hidden images are those the run names.
    """
    wanted = Job.from_bytes(run.job).images_sha256
    for part in ("sample", "hidden"):
        if _print(catalog, run.folder_sha256, part) == wanted:
            return _images(catalog, run.folder_sha256, part)
    raise NotFound(said("agent.no_run"))


def _images(catalog: Catalog, folder_sha256: str, part: str) -> NDArray[np.uint8]:
    loaded = catalog.load_version(folder_sha256)
    return loaded.sample()[0] if part == "sample" else loaded.test_images()


@lru_cache(maxsize=64)
def _print(catalog: Catalog, folder_sha256: str, part: str) -> str:
    return pixels_sha256(_images(catalog, folder_sha256, part))
