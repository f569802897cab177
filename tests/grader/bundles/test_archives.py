"""Archives whose content is known by its hash are unpacked; what is no plain file is refused."""

from __future__ import annotations

import io
import tarfile

import pytest

from grader import unpack_archive
from grader.bundles.archives import Damaged


def packed(tmp_path, *members):
    """A tar of these members (name, type, content)."""
    path = tmp_path / "some.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in members:
            about = tarfile.TarInfo(name)
            about.type, about.size, about.mode = kind, len(content), 0o4777
            about.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            tar.addfile(about, io.BytesIO(content))
    return path


def test_files_are_written_with_their_folders_and_ordinary_rights(tmp_path):
    large = bytes(range(256)) * 5000
    source = packed(
        tmp_path,
        ("./set", tarfile.DIRTYPE, b""),
        ("./set/a", tarfile.REGTYPE, b"one"),
        ("other/deep/b", tarfile.REGTYPE, large),
    )
    unpack_archive(source, tmp_path / "into")
    assert (tmp_path / "into/set/a").read_bytes() == b"one"
    assert (tmp_path / "into/other/deep/b").read_bytes() == large
    assert (tmp_path / "into/set/a").stat().st_mode & 0o7111 == 0


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("../outside", tarfile.REGTYPE, "leads out"),
        ("a/../../outside", tarfile.REGTYPE, "leads out"),
        ("/outside", tarfile.REGTYPE, "leads out"),
        ("link", tarfile.SYMTYPE, "symbolic link"),
        ("link", tarfile.LNKTYPE, "hard link"),
        ("pipe", tarfile.FIFOTYPE, "device"),
    ],
)
def test_what_is_no_plain_file_inside_is_refused(tmp_path, name, kind, says):
    with pytest.raises(Damaged, match=says):
        unpack_archive(packed(tmp_path, (name, kind, b"")), tmp_path / "into")
    assert not (tmp_path / "outside").exists()


def test_an_archive_that_was_cut_off_is_damaged(tmp_path):
    source = packed(tmp_path, ("a", tarfile.REGTYPE, bytes(100_000)))
    source.write_bytes(source.read_bytes()[:-20])
    with pytest.raises(Damaged):
        unpack_archive(source, tmp_path / "into")
