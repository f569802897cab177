"""One conformance suite for both stores of files: a folder, and an object store (a real server)."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import local_s3
import pytest

from leaderboard.blobs import BlobDamaged, BlobMissing, BlobsAway, BlobStore, FolderStore
from leaderboard.blobs.objects import ObjectStore

_BIG = 21_000_000  # three parts of an upload to an object store
_ABSENT = "0" * 64


@pytest.fixture(scope="module")
def server() -> Iterator[local_s3.LocalS3]:
    with local_s3.running() as running:
        yield running


@pytest.fixture(params=["folder", "objects"])
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], BlobStore]:
    """Opens the same store, each time as another process or machine would."""
    if request.param == "folder":
        return lambda: FolderStore(tmp_path / "blobs")
    server = request.getfixturevalue("server")
    for name, value in local_s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    url = server.bucket(f"b{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]}")
    return lambda: ObjectStore(
        url, staging=tmp_path / "up", cache=tmp_path / "cache", cache_bytes=50_000_000
    )


@pytest.fixture
def blobs(make: Callable[[], BlobStore]) -> BlobStore:
    store = make()
    store.prepare()
    return store


def spoil(store: BlobStore, sha256: str, content: bytes) -> None:
    """Change a kept file behind the store's back."""
    if isinstance(store, FolderStore):
        path = store.folder / sha256[:2] / sha256[2:]
        path.chmod(0o600)
        path.write_bytes(content)
    else:
        import obstore

        obstore.put(store._bucket, f"{sha256[:2]}/{sha256[2:]}", content)


def big(seed: int = 0) -> bytes:
    return hashlib.shake_256(bytes([seed])).digest(_BIG)


def test_a_file_is_kept_once_under_its_hash_and_read_back_elsewhere(
    blobs: BlobStore, make: Callable[[], BlobStore]
) -> None:
    content = big()

    first, second = blobs.put_bytes(content), blobs.put(io.BytesIO(content))

    assert first == second
    assert first.sha256 == hashlib.sha256(content).hexdigest()
    elsewhere = make()
    assert elsewhere.read(first.sha256) == content
    assert elsewhere.size(first.sha256) == _BIG
    assert list(elsewhere.everything()) == [first]


def test_a_part_of_a_file_is_read_without_the_rest(blobs: BlobStore) -> None:
    content = big()
    kept = blobs.put_bytes(content)

    assert b"".join(blobs.part(kept.sha256, 0, 10)) == content[:10]
    assert b"".join(blobs.part(kept.sha256, 9_000_001, _BIG)) == content[9_000_001:]
    with pytest.raises(BlobMissing):
        b"".join(blobs.part(_ABSENT, 0, 10))


def test_a_local_copy_is_there_for_as_long_as_it_is_used(blobs: BlobStore) -> None:
    kept = blobs.put_bytes(b"weights" * 1000)

    for _ in range(2):  # the second time from the cache
        with blobs.local(kept.sha256) as path:
            assert path.read_bytes() == b"weights" * 1000
    with pytest.raises(BlobMissing), blobs.local(_ABSENT):
        pass
    assert not any(path.is_file() for path in blobs._staging.iterdir())


def test_damage_and_absence_are_noticed_and_the_last_piece_is_kept_back(blobs: BlobStore) -> None:
    kept = blobs.put_bytes(big())
    spoil(blobs, kept.sha256, big()[:-1] + b"?")
    given: list[bytes] = []

    with pytest.raises(BlobDamaged):
        given.extend(blobs.chunks(kept.sha256))
    with pytest.raises(BlobDamaged), blobs.local(kept.sha256):
        pass
    assert sum(map(len, given)) < _BIG
    with pytest.raises(BlobMissing):
        blobs.read(_ABSENT)
    with pytest.raises(BlobMissing):
        blobs.size(_ABSENT)
    with pytest.raises(ValueError, match="SHA-256"):
        blobs.read("../../../etc/passwd")


def test_an_upload_that_breaks_off_leaves_nothing(blobs: BlobStore) -> None:
    class Broken(io.RawIOBase):
        def __init__(self) -> None:
            self.left = 3

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise ConnectionResetError
            return b"x" * 1000

    with pytest.raises(ConnectionResetError):
        blobs.put(Broken())

    assert list(blobs.everything()) == []
    assert list(blobs._staging.iterdir()) == []


def test_writers_of_the_same_content_do_not_disturb_each_other(blobs: BlobStore) -> None:
    kept: list[str] = []
    threads = [
        threading.Thread(target=lambda: kept.append(blobs.put_bytes(b"same").sha256))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(kept) == 16
    assert len(set(kept)) == 1
    assert blobs.read(kept[0]) == b"same"


def test_a_large_file_is_never_in_memory_whole(blobs: BlobStore, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(big() * 4)
    tracemalloc.start()
    try:
        with source.open("rb") as file:
            kept = blobs.put(file)
        with blobs.local(kept.sha256):
            pass
        blobs.verify(kept.sha256)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * _BIG / 2


def test_only_what_is_old_is_removed(blobs: BlobStore) -> None:
    kept = blobs.put_bytes(b"young")

    assert not blobs.remove(kept.sha256)
    assert blobs.read(kept.sha256) == b"young"
    assert blobs.remove(kept.sha256, min_age_seconds=0)
    assert blobs.remove(kept.sha256)  # gone is gone
    with pytest.raises(BlobMissing):
        blobs.read(kept.sha256)
    assert blobs.put_bytes(b"young") == kept
    assert blobs.read(kept.sha256) == b"young"


def test_uploads_that_never_ended_are_dropped_after_a_day(blobs: BlobStore) -> None:
    old, young = blobs.stage(), blobs.stage()
    old.finish(), young.finish()
    os.utime(old.path, (0, 0))

    blobs.prepare()

    assert not old.path.exists()
    assert young.path.exists()


def test_a_file_that_comes_again_while_it_is_removed_stays(tmp_path: Path) -> None:
    blobs = FolderStore(tmp_path / "blobs")
    blobs.prepare()
    kept = blobs.put_bytes(b"again")
    home = blobs.folder / kept.sha256[:2] / kept.sha256[2:]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(300):
            os.utime(home, (0, 0))
            coming = [pool.submit(blobs.put_bytes, b"again") for _ in range(2)]
            blobs.remove(kept.sha256)
            for one in coming:
                one.result()
            assert blobs.read(kept.sha256) == b"again"


def test_the_cache_of_an_object_store_is_bounded_and_heals_itself(
    server: local_s3.LocalS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    cache = tmp_path / "cache"
    blobs = ObjectStore(
        server.bucket("bounded"), staging=tmp_path / "up", cache=cache, cache_bytes=2_500
    )
    blobs.prepare()
    names = [blobs.put_bytes(bytes([number]) * 1000).sha256 for number in range(4)]
    with blobs.local(names[0]) as first:
        for name in names[1:]:
            with blobs.local(name):
                pass
        assert first.read_bytes() == b"\0" * 1000  # in use, though evicted

    assert sum(path.stat().st_size for path in cache.iterdir()) <= 2_500
    kept = cache / names[3]
    kept.chmod(0o600)
    kept.write_bytes(b"spoiled")
    with blobs.local(names[3]) as healed:
        assert healed.read_bytes() == b"\3" * 1000


def test_an_object_store_that_is_away_is_our_fault_and_not_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with local_s3.running() as server:
        blobs = ObjectStore(
            server.bucket("away"), staging=tmp_path / "up", cache=tmp_path / "c", cache_bytes=0
        )
        blobs.prepare()
        kept = blobs.put_bytes(b"content")
    staged = blobs.stage()
    staged.write(b"other")

    for attempt in (
        lambda: blobs.read(kept.sha256),
        lambda: blobs.size(kept.sha256),
        lambda: blobs.keep(staged),
        lambda: list(blobs.everything()),
        blobs.probe,
    ):
        with pytest.raises(BlobsAway, match="object store"):
            attempt()
    assert staged.path.exists()  # nothing was lost: the caller decides
