"""Archives made to cost their reader dearly or to make it fail: named ones, and many drawn."""

from __future__ import annotations

import gzip
import time

import hostile_archives as hostile
import pytest

from grader import InvalidBundle, inspect_bundle


def problem_of(path, content: bytes) -> str:
    """The kind of the first problem, found in little time."""
    path.write_bytes(content)
    begun = time.process_time()
    with pytest.raises(InvalidBundle) as caught:
        inspect_bundle(path)
    assert time.process_time() - begun < 2
    return caught.value.problems[0].kind


@pytest.mark.parametrize(
    "text", [".".join("a" * 32_000) + "=1", "a=" + "1" * 5000, "a=" + "[" * 60_000]
)
def test_claims_that_are_dear_to_read_are_refused(tmp_path, text):
    bundle = hostile.zipped({"model.py": hostile.MODEL, "claims.toml": text.encode()})
    assert len(bundle) < 600
    assert problem_of(tmp_path / "b.zip", bundle) == "bad_claims"


@pytest.mark.parametrize("records", [("path", "xyz"), ("size", "-99"), ("size", "9" * 5000)])
def test_headers_upon_headers_and_impossible_sizes_are_damage(tmp_path, records):
    content = hostile.pax(records) * 5_000 + hostile.HONEST + hostile.END
    assert problem_of(tmp_path / "b.tar", content) == "archive_damaged"
    one = hostile.pax(("size", "-99")) + hostile.HONEST + hostile.END
    assert problem_of(tmp_path / "b.tar", one) == "archive_damaged"


@pytest.mark.parametrize("name", ["__MACOSX/x", "../x", "\udcff", "model.py/x"])
def test_what_is_skipped_counts_as_what_is_kept(tmp_path, name):
    """Eight gigabytes that the archive says it holds; not one of them is unpacked."""
    content = hostile.HONEST + hostile.header(name, 8 << 30) + bytes(2**20)
    path = tmp_path / "b.tar.gz"
    path.write_bytes(gzip.compress(content, compresslevel=1))
    with pytest.raises(InvalidBundle) as caught:
        inspect_bundle(path)
    assert "archive_bomb" in {one.kind for one in caught.value.problems}


def test_litter_in_a_zip_counts_too(tmp_path):
    bundle = hostile.zipped({"model.py": hostile.MODEL, "__MACOSX/x": bytes(64 << 20)})
    assert problem_of(tmp_path / "b.zip", bundle) == "archive_bomb"


def test_a_name_of_nothing_is_a_bad_name(tmp_path):
    bundle = hostile.zipped({"model.py": hostile.MODEL, "QQ": b"x"}).replace(b"QQ", b"\0\0")
    assert problem_of(tmp_path / "b.zip", bundle) == "bad_name"


def test_a_name_of_extension_headers_is_the_entrys_name(tmp_path):
    folder, name = tmp_path / "b.tar", "netz/schön.py"
    folder.write_bytes(
        hostile.pax(("path", name), ("size", "3"))
        + hostile.header("x", 0)
        + hostile.padded(b"a=1")
        + hostile.HONEST
        + hostile.END
    )
    assert inspect_bundle(folder).files == (("model.py", len(hostile.MODEL)), (name, 3))


@pytest.mark.parametrize(
    "count",
    [300, pytest.param(20_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])],
)
def test_no_archive_costs_much_or_makes_the_reader_fail(tmp_path, count):
    seen = hostile.try_archives(count, seed=2026, folder=tmp_path)
    assert {kind for kind, _ in seen} == set(hostile.KINDS)
    assert 0.02 < sum(seen[kind, "taken"] for kind in hostile.KINDS) / count < 0.5
