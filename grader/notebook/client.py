"""The client that people call: it knows where its token is, checks what it sends, and waits."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from grader.assignments.pack import Pack
from grader.bundles.bundle import inspect_bundle
from grader.client import client
from grader.client.config import Config
from grader.client.packs import PACK_MARK, unpack
from grader.client.replies import SubmissionReport
from grader.errors import AuthError
from grader.file_kinds import kind_of
from grader.notebook import secrets
from grader.notebook.tables import csv_of_array, csv_of_frame, is_frame
from grader.requirements import Requirements
from grader.words.message import said

_FILE_NAME: Final = "predictions.csv"


class Client(client.Client):
    """A user of one grading server, from a notebook or a script.

        client = Client()                        # the server and token of the notebook's secrets
        client.data("fashion-mnist", "pack")
        client.submit(labels, "fashion-mnist", message="first try")

    url, token: default: the environment (GRADER_SERVER, GRADER_TOKEN), the secrets of Colab or
    Kaggle under these names, then what `grader login` keeps. course: needed where several courses
    have an assignment of one name; default: GRADER_COURSE from the same places.

    Raises:
        AuthError: nothing says which server it is.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        course: str | None = None,
        language: str = "en",
        attempts: int = 6,
        timeout_seconds: float = 60.0,
        on_retry: Callable[[str, float], None] | None = None,
    ) -> None:
        known = secrets.known(Config(server=url, token=token, course=course))
        if not known.server:
            raise AuthError(said("exchange.no_server"))
        super().__init__(
            known.server,
            known.token,
            language=language,
            attempts=attempts,
            timeout_seconds=timeout_seconds,
            on_retry=on_retry,
        )
        self.course = known.course
        self._packs: dict[str, Path] = {}

    def __repr__(self) -> str:
        return f"Client({self.server!r}, signed in: {'yes' if self._transport.token else 'no'})"

    def course_of(self, slug: str) -> str:
        """The course to ask about an assignment: the given one, else the one that has it."""
        return self.course or super().course_of(slug)

    def data(self, assignment: str, folder: Path | str, *, course: str | None = None) -> Path:
        """Download the public pack into a folder, in place of an earlier one; returns the folder.

        Raises:
            FileExistsError: the folder holds something else.
        """
        into = Path(folder)
        if into.exists() and any(into.iterdir()) and not (into / PACK_MARK).exists():
            raise FileExistsError(f"{into} holds other files; name a new folder")
        into.parent.mkdir(parents=True, exist_ok=True)
        archive = into.with_name(f"{into.name}.zip")
        self.download_pack(assignment, archive, course=course)
        unpack(archive, into)
        archive.unlink()
        self._packs[assignment] = into
        return into

    def submit(
        self,
        predictions: Any,
        assignment: str,
        *,
        message: str = "",
        wait: bool = True,
        pack: Path | str | None = None,
        course: str | None = None,
        declared: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> SubmissionReport:
        """Check and hand in predictions or code, wait for the score, and give the report.

        predictions: a path (CSV, bundle folder or archive), a frame of pandas or polars with a
        column of ids, or an array: labels (N,) or scores (N, K), row i for the i-th id of the
        pack's ids.csv, which is the order of its test images. pack: its folder; default: that of
        `data`. An array without a pack fetches one.

        Raises:
            InvalidPredictions: the server would reject them; nothing was sent.
            InvalidBundle: the same, of code.
        """
        with self._as_file(predictions, assignment, pack, course) as path:
            report = self.send(
                path,
                assignment=assignment,
                message=message,
                declared=declared,
                course=course,
                idempotency_key=idempotency_key,
            )
        return self.wait(report.id) if wait and not report.is_done else report

    @contextmanager
    def _as_file(
        self, predictions: Any, assignment: str, pack: Path | str | None, course: str | None
    ) -> Iterator[Path]:
        """The file to send, checked with the pack where there is one."""
        folder = self._packs.get(assignment) if pack is None else Path(pack)
        with tempfile.TemporaryDirectory(prefix="grader-") as scratch:
            if isinstance(predictions, str | Path):
                path = Path(predictions)
                _check(path, folder)
                yield path
                return
            if is_frame(predictions):
                content = csv_of_frame(predictions)
            else:
                folder = folder or self.data(assignment, Path(scratch) / "pack", course=course)
                content = csv_of_array(predictions, Pack.load(folder).expected())
            path = Path(scratch) / _FILE_NAME
            path.write_bytes(content)
            _check(path, folder)
            yield path
            if folder and folder.is_relative_to(scratch):
                del self._packs[assignment]


def _check(path: Path, pack: Path | None) -> None:
    """Find what the server would find, before anything is sent."""
    if kind_of(path) == "code":
        inspect_bundle(path)
    elif pack is not None:
        known = Pack.load(pack)
        requirements = Requirements.of_pack(known)
        requirements.check_kind(path)
        with path.open("rb") as stream:
            requirements.read_csv(stream, known.expected())
