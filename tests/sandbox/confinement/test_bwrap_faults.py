"""Known faults of bubblewrap: which version has which, and that none can be reached from here."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.backends import bubblewrap
from sandbox.backends.bubblewrap_program import Pipes
from sandbox.confinement.bwrap_faults import about, faults_of
from sandbox.confinement.host_users import Lease
from sandbox.limits import RunLimits
from sandbox.names import run_name
from sandbox.run.scratch import Scratch

SOURCE_AND_PLACE = {"--ro-bind", "--bind", "--dev-bind"}
PLACE = {"--proc", "--dev", "--tmpfs", "--remount-ro", "--chdir"}


@pytest.mark.parametrize(
    ("version", "is_setuid", "names"),
    [
        ("0.8.0", False, ["CVE-2026-87766"]),
        ("0.11.1", False, ["CVE-2026-87766"]),
        ("0.11.1", True, ["CVE-2026-87766", "CVE-2026-41163"]),
        ("0.11.2", True, ["CVE-2026-87766"]),
        ("0.12.0", True, []),
        ("1.0-rc1", False, []),
    ],
)
def test_the_version_tells_the_faults(version, is_setuid, names):
    assert [fault.name for fault in faults_of(version, is_setuid=is_setuid)] == names


def test_a_sentence_tells_of_a_program(tmp_path):
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho bubblewrap 0.12.1\n")
    program.chmod(0o755)
    assert about(str(program)) == (True, "bubblewrap 0.12.1 has none of the faults known here")
    program.write_text("#!/bin/sh\necho bubblewrap 0.9.0\n")
    ok, sentence = about(str(program))
    assert not ok
    assert "CVE-2026-87766" in sentence


@pytest.mark.usefixtures("runner")
def test_no_place_that_is_set_up_is_below_a_link_or_a_students_folder(runner):
    """What CVE-2026-87766 takes: a link above a place, made by whom the sandbox is for."""
    backend = bubblewrap.Bubblewrap()
    pipes, scratch = Pipes(b""), Scratch(run_name())
    user = Lease(uid=backend._users[0])
    try:
        words = backend._command((), scratch, RunLimits(), pipes, user, "pass")
        assert list((scratch.folder / "bundle").iterdir()) == []  # filled after the start
    finally:
        pipes.close()
        scratch.close()
    words = words[words.index(backend._bwrap) :]
    places = [words[i + 2] for i, word in enumerate(words) if word in SOURCE_AND_PLACE]
    places += [words[i + 1] for i, word in enumerate(words) if word in PLACE]
    root = backend._environment.root
    assert len(places) > 8
    for place in map(Path, places):
        assert place.is_absolute()
        assert ".." not in place.parts
        for above in place.parents:
            assert above not in (Path(bubblewrap.BUNDLE), Path("/tmp"), Path("/dev/shm"))
            assert not (root / above.relative_to("/")).is_symlink()
