"""Publishing an assignment folder in a course, and publishing it anew."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from leaderboard import audit, placing
from leaderboard.blobs import Blob, BlobStore
from leaderboard.db import utcnow, writing
from leaderboard.integrity import known_public_set
from leaderboard.models import Assignment, AssignmentGroup, Course, User

if TYPE_CHECKING:
    from leaderboard.state import State

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest moment that a zip can hold


def publish(
    session: Session, state: State, folder: Path, course: Course, *, actor: User | None = None
) -> Assignment:
    """Publish a folder in a course, or publish it anew. Opens its own write transaction.

    Publishing anew keeps submissions and scores as they are; rescore them if answers or the metric
    changed. Boards follow the new rules (tracks, what counts in the end) when this returns.
    Raises: grader.AssignmentError.
    """
    source = grader.Assignment.load(folder)
    toml = (folder / "assignment.toml").read_text(encoding="utf-8")
    key = source.answer_key()
    kept = _keep_folder(state.blobs, folder)
    pack = _keep_pack(state.blobs, source)
    rows = state.blobs.put_bytes(json.dumps(asdict(source.expected())).encode())
    with writing(session):
        assignment = session.scalars(
            sa.select(Assignment)
            .filter_by(course_id=course.id, slug=source.slug)
            .with_for_update(key_share=True)
        ).first()
        if assignment is None:
            assignment = Assignment(course_id=course.id, slug=source.slug)
            session.add(assignment)
        _change_rules(session, assignment, toml)
        assignment.title = source.title
        assignment.group_id = _group_id(session, course, source.group)
        assignment.readme = source.readme()
        assignment.folder_sha256 = kept.sha256
        assignment.pack_sha256, assignment.pack_bytes = pack.sha256, pack.size
        assignment.rows_sha256 = rows.sha256
        assignment.answers_sha256 = key.sha256
        assignment.num_classes = source.num_classes
        assignment.metric = source.scoring.metric
        assignment.public_data_note = _public_data_note(source)
        assignment.published_at = utcnow()
        session.flush()
        audit.record(
            session,
            action="assignment.publish",
            subject=f"assignment:{assignment.id}",
            course=course,
            actor=actor,
            details={"folder": kept.sha256, "answers": key.sha256},
        )
    return assignment


def _change_rules(session: Session, assignment: Assignment, toml: str) -> None:
    """Give an assignment, which may be new, other settings, and its boards what follows from them.

    Before it has another metric: the scores that there are, are of the one it had.
    """
    is_new = assignment.id is None
    before = None if is_new else placing.decided_by(assignment)
    assignment.settings_toml = toml
    if not is_new and placing.decided_by(assignment) != before:
        placing.refresh_all(session, assignment)


def _keep_folder(blobs: BlobStore, folder: Path) -> Blob:
    """The folder as a tar whose bytes depend on names and contents only."""
    staging = blobs.stage(".tar")
    try:
        with tarfile.open(
            fileobj=cast(IO[bytes], staging), mode="w|", format=tarfile.PAX_FORMAT
        ) as tar:
            for path in _files_of(folder):
                member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                member.size, member.mode = path.stat().st_size, 0o600
                with path.open("rb") as content:
                    tar.addfile(member, content)
        return blobs.keep(staging)
    except BaseException:
        staging.discard()
        raise


def _keep_pack(blobs: BlobStore, source: grader.Assignment) -> Blob:
    with tempfile.TemporaryDirectory(prefix="pack-") as name:
        folder = Path(name) / "pack"
        source.write_public_pack(folder)
        packed = Path(name) / "pack.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for path in _files_of(folder):
                member = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
                member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                member.file_size = path.stat().st_size
                with path.open("rb") as content, archive.open(member, "w") as into:
                    shutil.copyfileobj(content, into, 1 << 20)
        with packed.open("rb") as file:
            return blobs.put(file)


def _files_of(folder: Path) -> list[Path]:
    """Regular files below a folder in a fixed order; links and hidden files stay outside."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _group_id(session: Session, course: Course, slug: str | None) -> int | None:
    if not slug:
        return None
    group = session.scalars(
        sa.select(AssignmentGroup).filter_by(course_id=course.id, slug=slug)
    ).first()
    if group is None:
        group = AssignmentGroup(course_id=course.id, slug=slug, title=slug)
        session.add(group)
        session.flush()
    return group.id


def _public_data_note(source: grader.Assignment) -> str:
    """The name of the public data set that the hidden images are, or ""."""
    has_images = (source.folder / "test").is_dir()
    return known_public_set(source.test_images()) if has_images else ""
