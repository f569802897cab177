"""Files held in memory: every page there and nobody can drop it; or a sentence why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.confinement import held

PAGES = 64


@pytest.fixture
def file():
    """A file on a disk, not in memory: pages of a tmpfs are always there."""
    folder = Path(__file__).parent / "__pycache__"  # of the checkout, ignored by git
    folder.mkdir(exist_ok=True)
    path = folder / f"held-{os.getpid()}"
    path.write_bytes(os.urandom(PAGES * 4096))
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    yield path
    path.unlink()


def resident(path: Path) -> int:
    """How many of its pages are in memory, after whoever wants had them dropped."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        count = 0
        for page in range(PAGES):
            try:
                count += os.preadv(descriptor, [bytearray(1)], page * 4096, os.RWF_NOWAIT)
            except BlockingIOError:
                continue
        return count
    except OSError as error:
        pytest.skip(f"this file system can't be asked: {error}")
    finally:
        os.close(descriptor)


def test_pages_of_held_files_stay_whoever_drops_them(file, monkeypatch):
    assert resident(file) == 0
    monkeypatch.setattr(held, "_check_room", lambda size, files: None)
    folder = file.parent / f"{file.name}-folder"
    folder.mkdir()
    (folder / "linked").hardlink_to(file)
    try:
        holding = held.Holding.of([folder], on=True)
        assert holding.open == []
        assert resident(file) == PAGES
        del holding
        assert resident(file) == 0
    finally:
        (folder / "linked").unlink()
        folder.rmdir()


def test_more_than_a_quarter_of_the_memory_is_not_taken(tmp_path, monkeypatch):
    (tmp_path / "weights").write_bytes(bytes(3 << 20))
    monkeypatch.setattr(held, "_memory_allowed", lambda: 8 << 20)
    holding = held.Holding.of([tmp_path], on=True)
    assert holding.held is None
    (said,) = holding.open
    assert "takes 3 MB, more than a quarter of the 8 MB" in said


def test_a_users_limit_is_said(tmp_path, monkeypatch):
    (tmp_path / "weights").write_bytes(b"x")

    class Refusing(held.Held):
        def _lock(self, path: str, size: int) -> int:
            raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(held, "Held", Refusing)
    (said,) = held.Holding.of([tmp_path], on=True).open
    assert "ulimit -l" in said


def test_control_groups_bound_what_may_be_taken():
    assert 0 < held._memory_allowed() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
