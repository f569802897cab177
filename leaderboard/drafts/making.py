"""A draft from an upload: an archive of pictures with classes, or of an assignment's folder.

The bytes are foreign. What is unpacked is counted, not believed; picture files are decoded by a
process of their own that can reach nothing, arrays are mapped and never unpickled.
"""

from __future__ import annotations

import secrets
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace as with_fields
from pathlib import Path, PurePosixPath
from typing import Final

from sqlalchemy.orm import Session

import grader
from grader.assignments.making import Plan, check_parts, make_assignment
from grader.assignments.readiness import load_to_publish
from grader.bundles.archives import open_archive
from grader.bundles.entries import Damaged
from grader.pictures.apart.decoder import decoder
from grader.pictures.collection import Collection, PictureFiles
from grader.pictures.sources.recognise import read_source
from grader.words.message import Message, said
from leaderboard.drafts import keeping
from leaderboard.errors import BadRequest
from leaderboard.models import AssignmentDraft, Course, User
from leaderboard.rules.plain_folder import plain
from leaderboard.state import State

MOST_FILES: Final = 50_000
MOST_PICTURES: Final = 20_000
_MOST_UNPACKED: Final = 4  # times the largest upload


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the new assignment is to be; an archive of an assignment's folder says it itself."""

    slug: str
    title: str
    test_fraction: float = 0.2
    keep_together: bool = False


def make(
    session: Session,
    state: State,
    course: Course,
    upload: Path,
    wanted: Wanted,
    *,
    actor: User | None,
) -> AssignmentDraft:
    """Make a draft of what was uploaded. Opens its own write transaction.

    Raises:
        BadRequest: the archive is damaged or too much, or what it holds makes no assignment.
    """
    most = (state.settings.max_upload_mb << 20) * _MOST_UNPACKED
    with tempfile.TemporaryDirectory(prefix="draft-") as name:
        notices: list[Message] = []
        try:
            source = _unpacked(upload, Path(name) / "source", most)
            if (source / "assignment.toml").is_file():
                with plain(source, notices.append) as folder:
                    load_to_publish(folder)
                    return keeping.add(session, state, course, folder, notices=notices, actor=actor)
            folder = Path(name) / "made"
            _from_pictures(source, folder, wanted, notices)
        except grader.AssignmentError as error:
            raise BadRequest(said("draft.unfit", problems="; ".join(error.problems))) from error
        except Damaged as error:
            raise BadRequest(said("draft.archive", problem=str(error))) from error
        return keeping.add(session, state, course, folder, notices=notices, actor=actor)


def _from_pictures(source: Path, folder: Path, wanted: Wanted, notices: list[Message]) -> None:
    if any(source.rglob("*.parquet")):
        raise BadRequest(said("draft.parquet"))
    plan = Plan(
        slug=wanted.slug,
        title=wanted.title or wanted.slug,
        size=None,
        grey=False,
        test_fraction=wanted.test_fraction,
        sample_per_class=2,
        # who knows the seed and has the images could draw the same test set
        seed=secrets.randbits(62),
        keep_together=wanted.keep_together,
    )
    collection = check_parts(read_source(source), wanted=None)
    if len(collection.pictures) > MOST_PICTURES:
        raise BadRequest(said("draft.too_many", count=len(collection.pictures), most=MOST_PICTURES))
    with _apart(collection) as safe:
        make_assignment(
            folder,
            safe,
            plan,
            watch=_go_through,
            tell=notices.append,
        )


def _go_through(steps: Iterator[None], _count: int) -> None:
    deque(steps, maxlen=0)


@contextmanager
def _apart(collection: Collection) -> Iterator[Collection]:
    """The same collection with its files decoded by a process of their own."""
    pictures = collection.pictures
    if not isinstance(pictures, PictureFiles):
        yield collection
        return
    with decoder() as reader:
        yield with_fields(collection, pictures=with_fields(pictures, reader=reader))


def _unpacked(upload: Path, into: Path, most_bytes: int) -> Path:
    """Unpack an archive (an .npz is one, of arrays); what lies in one folder alone, is that.

    Raises:
        Damaged: it can't be read, or an entry is no file, or leads out.
        BadRequest: it holds too much.
    """
    left, files = most_bytes, 0
    into.mkdir()
    with open_archive(upload, most_bytes=most_bytes) as archive:
        for entry in archive.entries():
            path = PurePosixPath(entry.name)
            if entry.kind == "folder":
                continue
            if entry.kind != "file" or entry.repeated:
                raise Damaged(said("bundle.not_a_file", name=repr(entry.name), kind=entry.kind))
            if path.is_absolute() or ".." in path.parts:
                raise Damaged(said("archive.leads_out", name=repr(entry.name)))
            files += 1
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                for chunk in archive.content(entry):
                    left -= len(chunk)
                    if left < 0 or files > MOST_FILES:
                        raise BadRequest(
                            said("draft.too_much", files=MOST_FILES, most=most_bytes >> 20)
                        )
                    file.write(chunk)
    inside = [each for each in into.iterdir() if each.name != "__MACOSX"]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else into
