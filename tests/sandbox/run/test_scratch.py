"""The copy of a bundle: only files and folders, for one user only, gone afterwards."""

from __future__ import annotations

import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.names import PREFIX, is_orphan, run_name
from sandbox.run.scratch import Scratch, UnfitBundle, clear_orphans


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_bundle_is_copied_with_its_folders(bundle):
    source = bundle(**{"checkpoint.pt": b"x" * 1000})
    (source / "parts").mkdir()
    (source / "parts" / "one.py").write_text("1")
    scratch = Scratch(run_name())
    assert list((scratch.folder / "bundle").iterdir()) == []
    scratch.fill(source)
    copied = {
        str(path.relative_to(scratch.folder / "bundle"))
        for path in scratch.folder.rglob("*.py")
        if path.is_relative_to(scratch.folder / "bundle")
    }
    assert copied == {"model.py", "parts/one.py"}
    assert scratch.data_bytes == 0
    assert scratch.folder.stat().st_mode & 0o077 == 0
    scratch.close()
    assert not scratch.folder.exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "model.py", "/", "nowhere"])
def test_a_link_is_refused_and_nothing_is_left(bundle, target, own_temporary_folder):
    source = bundle()
    (source / "link").symlink_to(target)
    scratch = Scratch(run_name())
    with pytest.raises(UnfitBundle, match="link is neither a file nor a folder"):
        scratch.fill(source)
    scratch.close()
    assert list(own_temporary_folder.iterdir()) == []


def test_a_pipe_is_refused_without_waiting_for_a_writer(bundle):
    source = bundle()
    os.mkfifo(source / "pipe")
    scratch = Scratch(run_name())
    with pytest.raises(UnfitBundle, match="pipe"):
        scratch.fill(source)
    scratch.close()


def test_names_tell_whether_their_maker_lives():
    assert not is_orphan(run_name())
    space = run_name().removeprefix(PREFIX).partition("-")[0]
    assert is_orphan(f"{PREFIX}{space}-1-1-abc")  # process 1 started at another time
    assert is_orphan(f"{PREFIX}{space}-4194304000-5-abc")
    assert not is_orphan(f"{PREFIX}{int(space) + 1}-4194304000-5-abc")  # another container's
    assert not is_orphan("somebody-elses-folder")


def test_folders_of_killed_processes_are_cleared_and_others_are_not(own_temporary_folder):
    mine = own_temporary_folder / run_name()
    dead = own_temporary_folder / re.sub(r"-\d+-(\d+)-(\w+)$", r"-4194304000-\1-\2", run_name())
    other = own_temporary_folder / "gradewright-run-notes"
    for folder in (mine, dead, other):
        folder.mkdir()
    assert clear_orphans() == 1
    assert {path.name for path in Path(own_temporary_folder).iterdir()} == {mine.name, other.name}


def test_many_that_start_at_once_may_clear_up_the_same(own_temporary_folder):
    start, key = re.fullmatch(r".+-\d+-(\d+)-(\w+)", run_name()).groups()
    space = run_name().removeprefix(PREFIX).partition("-")[0]
    for number in range(300):
        (own_temporary_folder / f"{PREFIX}{space}-4194304000-{start}-{number}{key}").mkdir()
    with ThreadPoolExecutor(4) as workers:
        counts = list(workers.map(lambda _: clear_orphans(), range(4)))
    assert sum(counts) >= 300
    assert list(own_temporary_folder.iterdir()) == []
