"""Published assignments: folders kept as blobs, unpacked once per machine and content hash."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Generic, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from leaderboard import audit
from leaderboard.blobs import Blob, BlobStore
from leaderboard.db import utcnow, writing
from leaderboard.integrity import known_public_set
from leaderboard.models import Assignment, AssignmentGroup, Course, User

if TYPE_CHECKING:
    from leaderboard.state import State

T = TypeVar("T")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest moment that a zip can hold


class Catalog:
    """Reads published assignments; keeps unpacked ones in a cache folder by their hash."""

    def __init__(self, blobs: BlobStore, cache_dir: Path) -> None:
        self._blobs = blobs
        self._cache_dir = cache_dir
        self._loaded: _Recent[grader.Assignment] = _Recent(8)
        self._rows: _Recent[grader.ExpectedRows] = _Recent(16)

    def load(self, assignment: Assignment) -> grader.Assignment:
        """The assignment with its folder, answers included. For the worker and staff commands."""
        return self.load_version(assignment.folder_sha256)

    def load_version(self, folder_sha256: str) -> grader.Assignment:
        """The same for one version of an assignment, such as an evaluation was made with."""
        return self._loaded.get(
            folder_sha256, lambda: grader.Assignment.load(self._folder(folder_sha256))
        )

    def expected_rows(self, assignment: Assignment) -> grader.ExpectedRows:
        """What a prediction CSV must hold; no answer. Cached per hash."""
        sha256 = assignment.rows_sha256
        return self._rows.get(sha256, lambda: _rows_from_json(self._blobs.read(sha256)))

    def open_pack(self, assignment: Assignment) -> Iterator[bytes]:
        """The public pack (zip) in chunks; `assignment.pack_bytes` is its size."""
        return self._blobs.chunks(assignment.pack_sha256)

    def _folder(self, sha256: str) -> Path:
        """The unpacked folder; made beside its name and renamed, so that a killed process leaves
        no half of one."""
        home = self._cache_dir / "assignments" / sha256
        if home.exists():
            return home
        home.parent.mkdir(parents=True, exist_ok=True)
        self._cache_dir.chmod(0o700)  # answers lie below
        making = Path(tempfile.mkdtemp(prefix="making-", dir=home.parent))
        try:
            with self._blobs.local(sha256) as archive, tarfile.open(archive, "r:") as tar:
                tar.extractall(making, filter="data")
            making.rename(home)
        except OSError:
            # another process was faster: its copy is as good
            if not home.exists():
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return home


def rules(assignment: Assignment) -> grader.Assignment:
    """The assignment's settings (schedule, limits, rules, scoring…), without its folder. Cached."""
    return _parsed(assignment.settings_toml)


def publish(
    session: Session, state: State, folder: Path, course: Course, *, actor: User | None = None
) -> Assignment:
    """Publish a folder in a course, or publish it anew. Opens its own write transaction.

    Publishing anew keeps submissions and scores as they are; rescore them if answers changed.
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
            sa.select(Assignment).filter_by(course_id=course.id, slug=source.slug)
        ).first()
        if assignment is None:
            assignment = Assignment(course_id=course.id, slug=source.slug)
            session.add(assignment)
        assignment.title = source.title
        assignment.group_id = _group_id(session, course, source.group)
        assignment.settings_toml = toml
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


def _rows_from_json(content: bytes) -> grader.ExpectedRows:
    fields = json.loads(content)
    return grader.ExpectedRows(
        **{**fields, "ids": tuple(fields["ids"]), "classes": tuple(fields["classes"])}
    )


@lru_cache(maxsize=64)
def _parsed(settings_toml: str) -> grader.Assignment:
    return grader.Assignment.parse(settings_toml, Path("published"))


class _Recent(Generic[T]):
    """The few values used last, by their hash; made once even when several threads ask."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._held: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        with self._lock:
            if key not in self._held:
                self._held[key] = make()
            self._held.move_to_end(key)
            while len(self._held) > self._size:
                self._held.popitem(last=False)
            return self._held[key]
