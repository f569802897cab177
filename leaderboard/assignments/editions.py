"""Publishing an assignment folder in a course, and publishing it anew."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import tempfile
import zipfile
from dataclasses import asdict
from dataclasses import replace as with_fields
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from grader.assignments.readiness import load_to_publish
from grader.words.message import Message, said
from leaderboard import audit
from leaderboard.accounts import courses
from leaderboard.assignments import changes as comparing
from leaderboard.assignments import measure, pictures
from leaderboard.assignments.changes import Changes
from leaderboard.assignments.integrity import known_public_set
from leaderboard.blobs import Blob, BlobStore
from leaderboard.boards import placing
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.grades import scales
from leaderboard.models import (
    ApiToken,
    Assignment,
    AssignmentGroup,
    Course,
    Extension,
    FormerSlug,
    GradeLowering,
    GradeMark,
    GradingScale,
    Kind,
    LabelDecision,
    PublishedGrade,
    Rescore,
    Submission,
    Upload,
    User,
)
from leaderboard.rules import catalog, lateness, schedule
from leaderboard.rules.plain_folder import plain

if TYPE_CHECKING:
    from leaderboard.state import State

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SLUG_LINE = re.compile(r"^slug *=.*$", re.MULTILINE)
# rows about an assignment that nobody has handed anything in for
_GOES_ALONG = (
    *(ApiToken, Extension, FormerSlug, LabelDecision, Rescore, Upload),
    *(GradeLowering, GradeMark, GradingScale, PublishedGrade),
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest moment that a zip can hold


def publish(
    session: Session,
    state: State,
    folder: Path,
    course: Course,
    *,
    actor: User | None = None,
    replace: bool = False,
) -> Assignment:
    """Publish a folder in a course, or publish it anew. Opens its own write transaction.

    Publishing anew keeps submissions and scores as they are; rescore them if answers or the metric
    changed. Boards follow the new rules (tracks, what counts in the end) when this returns.

    Picture files are decoded apart, and published as arrays.

    Raises:
        grader.AssignmentError: the folder is no valid assignment.
    """
    with plain(folder) as decoded:
        return _publish(session, state, decoded, course, actor=actor, replace=replace)


def _publish(
    session: Session,
    state: State,
    folder: Path,
    course: Course,
    *,
    actor: User | None,
    replace: bool,
) -> Assignment:
    source = load_to_publish(folder)
    toml = (folder / "assignment.toml").read_text(encoding="utf-8-sig")
    _refuse_another(session, state, source, course, replace=replace)
    key = source.answer_key()
    measure_sha256, images_sha256 = measure.measure_of(source), measure.images_of(source)
    scale = scales.content_of(folder, source)
    kept = keep_folder(state.blobs, folder)
    pack = _keep_pack(state.blobs, source)
    rows = state.blobs.put_bytes(json.dumps(asdict(source.expected())).encode())
    with writing(session):
        # before the assignment is in the session: a query would write its row, half filled in
        group_id = _group_id(session, course, source.group)
        _forget_former(session, course.id, source.slug)
        assignment = session.scalars(
            sa.select(Assignment)
            .filter_by(course_id=course.id, slug=source.slug)
            .with_for_update(key_share=True)
        ).first()
        if assignment is None:
            assignment = Assignment(course_id=course.id, slug=source.slug)
            session.add(assignment)
        before, dates_before = _rules_of(assignment), _dates_of(assignment)
        assignment.settings_toml = toml
        assignment.title = source.title
        assignment.group_id = group_id
        assignment.readme = source.readme()
        assignment.folder_sha256 = kept.sha256
        assignment.pack_sha256, assignment.pack_bytes = pack.sha256, pack.size
        assignment.rows_sha256 = rows.sha256
        assignment.answers_sha256 = key.sha256
        assignment.measure_sha256, assignment.images_sha256 = measure_sha256, images_sha256
        assignment.num_classes = source.num_classes
        assignment.metric = source.scoring.metric
        assignment.public_data_note = _public_data_note(source)
        assignment.published_at = utcnow()
        session.flush()
        if before is not None and _rules_of(assignment) != before:
            placing.refresh_all(session, assignment)
        if before is not None and (_rules_of(assignment), _dates_of(assignment)) != (
            before,
            dates_before,
        ):
            lateness.recount_all(session, course)
        audit.record(
            session,
            action="assignment.publish",
            subject=f"assignment:{assignment.id}",
            course=course,
            actor=actor,
            details={"folder": kept.sha256, "answers": key.sha256},
        )
        scales.keep(session, assignment, scale, actor=actor)
    return assignment


def changes(session: Session, state: State, folder: Path, course: Course) -> Changes:
    """What publishing a folder would change for those who have handed in. Reads only.

    Raises:
        grader.AssignmentError: the folder is not fit to be published.
    """
    notices: list[Message] = []
    with plain(folder, notices.append) as decoded:
        return with_fields(_changes(session, state, decoded, course), notices=tuple(notices))


def _changes(session: Session, state: State, folder: Path, course: Course) -> Changes:
    source = load_to_publish(folder)
    assignment = _published(session, source, course)
    if assignment is None:
        return Changes(sentences=(), outdated=0, reruns=0, is_another=False)
    standing = state.catalog.load(assignment)
    sentences = comparing.between(standing, source)
    has_other_images = measure.images_of(source) != measure.images_of(standing)
    if has_other_images:
        sentences += ("Hidden images change: code has to run again to be scored on them.",)
    toml = (folder / "assignment.toml").read_text(encoding="utf-8-sig")
    return Changes(
        sentences=(*sentences, *comparing.dates(*lateness.moved_by(session, assignment, toml))),
        outdated=_scored(session, assignment) if sentences else 0,
        reruns=_scored(session, assignment, Kind.CODE) if has_other_images else 0,
        is_another=comparing.is_another(standing, source),
    )


def rename(session: Session, assignment: Assignment, slug: str, *, actor: User | None) -> None:
    """Give an assignment another slug; hand-ins, scores, boards and dates stay as they are.

    The old one goes on leading to it until another assignment of the course is called that.
    Opens its own write transaction.

    Raises:
        BadRequest: the slug is unfit, or another assignment of the course has it.
    """
    if not _SLUG.fullmatch(slug):
        raise BadRequest(said("assignment.slug"))
    with writing(session):
        taken = sa.select(Assignment.id).filter_by(course_id=assignment.course_id, slug=slug)
        if session.scalars(taken.where(Assignment.id != assignment.id)).first():
            raise BadRequest(said("assignment.slug_taken", assignment=repr(slug)))
        before, assignment.slug = assignment.slug, slug
        _forget_former(session, assignment.course_id, slug)
        session.add(
            FormerSlug(course_id=assignment.course_id, assignment_id=assignment.id, slug=before)
        )
        assignment.settings_toml = _SLUG_LINE.sub(
            f'slug = "{slug}"', assignment.settings_toml, count=1
        )
        audit.record(
            session,
            action="assignment.rename",
            subject=f"assignment:{assignment.id}",
            course=assignment.course,
            actor=actor,
            details={"before": before, "after": slug},
        )


def unpublish(session: Session, assignment: Assignment, *, actor: User | None) -> None:
    """Take back an assignment that nobody has handed anything in for.

    Opens its own write transaction.

    Raises:
        NotAllowedNow: there are hand-ins, which it would take along.
    """
    with writing(session):
        there = sa.select(sa.func.count()).where(Submission.assignment_id == assignment.id)
        if count := session.scalar(there) or 0:
            raise NotAllowedNow(said("assignment.has_hand_ins", count=count))
        subject, course = f"assignment:{assignment.id}", assignment.course
        for model in _GOES_ALONG:
            session.execute(sa.delete(model).where(model.assignment_id == assignment.id))
        session.delete(assignment)
        audit.record(
            session, action="assignment.unpublish", subject=subject, course=course, actor=actor
        )


def _published(session: Session, source: grader.Assignment, course: Course) -> Assignment | None:
    return session.scalars(
        sa.select(Assignment).filter_by(course_id=course.id, slug=source.slug)
    ).first()


def _forget_former(session: Session, course_id: int, slug: str) -> None:
    session.execute(sa.delete(FormerSlug).filter_by(course_id=course_id, slug=slug))


def _scored(session: Session, assignment: Assignment, kind: Kind | None = None) -> int:
    counted = sa.select(sa.func.count()).where(
        Submission.assignment_id == assignment.id,
        Submission.verdict == grader.Verdict.OK.value,
    )
    if kind is not None:
        counted = counted.where(Submission.kind == kind)
    return session.scalar(counted) or 0


def _refuse_another(
    session: Session, state: State, source: grader.Assignment, course: Course, *, replace: bool
) -> None:
    """Refuse a folder that would take the place of a different assignment with hand-ins, or that
    is one under another slug."""
    if replace:
        return
    standing = _published(session, source, course)
    if standing is not None:
        before = state.catalog.load(standing)
        if _scored(session, standing) and comparing.is_another(before, source):
            raise NotAllowedNow(said("assignment.is_another", assignment=repr(source.slug)))
        return
    renamed = courses.formerly(session, course, source.slug)
    if renamed is not None:
        raise NotAllowedNow(
            said("assignment.was_renamed", assignment=repr(source.slug), renamed=repr(renamed.slug))
        )
    twin = session.scalars(
        sa.select(Assignment).filter_by(
            course_id=course.id, answers_sha256=source.answer_key().sha256
        )
    ).first()
    if twin is not None and _scored(session, twin):
        raise NotAllowedNow(
            said(
                "assignment.same_answers",
                assignment=repr(twin.slug),
                course=course.code,
                old=twin.slug,
                new=source.slug,
            )
        )


def _rules_of(assignment: Assignment) -> tuple[object, ...] | None:
    """What decides which rows its boards have; None for one that is new."""
    if not sa.inspect(assignment).persistent:
        return None
    measured = assignment.measure_sha256, assignment.images_sha256, assignment.answers_sha256
    return (*placing.decided_by(assignment), assignment.metric, *measured)


def _dates_of(assignment: Assignment) -> dict[str, datetime]:
    """When what is handed in is late; none for an assignment that is new."""
    if not sa.inspect(assignment).persistent:
        return {}
    return schedule.written(catalog.rules(assignment))


def keep_folder(blobs: BlobStore, folder: Path) -> Blob:
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
        grader.write_public_pack(source, folder)
        pictures.write(source, folder)
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
