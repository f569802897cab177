"""Many submissions of every kind in a row through a real worker: right verdicts, nothing left."""

from __future__ import annotations

import io
import re
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from needs import NEEDS_SANDBOX
from small_site import IS_HIDDEN, Site, bundle_zip, make_site, predictions_csv, write_assignment

from leaderboard.models import Evaluation, Submission
from sandbox.confinement.watchdog import process_tree

HONEST = "honest"
# pools open connections as they need them; ours keeps up to 10 of them, DBOS's up to 20
KEPT_CONNECTIONS = 30
FLOODS = "while True:\n    print('x' * 4096)\n"
FORGES = """
import os
import struct

for descriptor in range(3, 64):
    try:
        os.write(descriptor, struct.pack("<4sB3sQ", b"GWF1", 19, b"\\0\\0\\0", 1 << 63))
    except OSError:
        pass
"""
WRITES_RESULTS = """
for name in ("/tmp/results.json", "/tmp/score.txt"):
    with open(name, "w") as file:
        file.write('{"accuracy": 1.0}')
"""
STARTS_DAEMON = """
import os
import time

if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
"""
HIDDEN_CRASH = f"{IS_HIDDEN} and 1 / 0"
# name -> (bundle, verdict, where it failed)
BUNDLES: dict[str, tuple[bytes, str, str | None]] = {
    HONEST: (bundle_zip(), "OK", None),
    "crashes": (bundle_zip(pause="1 / 0"), "RE", "sample"),
    "floods": (bundle_zip(break_it=FLOODS), "OLE", "sample"),
    "forges frames": (bundle_zip(break_it=FORGES), "PE", "sample"),
    "leaves early": (bundle_zip(break_it="import os\nos._exit(0)\n"), "PE", "sample"),
    "writes results": (bundle_zip(break_it=WRITES_RESULTS), "OK", None),
    "starts a daemon": (bundle_zip(break_it=STARTS_DAEMON), "OK", None),
    "crashes on hidden images": (bundle_zip(pause=HIDDEN_CRASH), "RE", "hidden"),
    "hangs": (bundle_zip(break_it="import time\ntime.sleep(600)\n"), "TLE", "sample"),
}


pytestmark = NEEDS_SANDBOX


def with_checkpoint(content: bytes) -> bytes:
    """The honest bundle with another checkpoint."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(bundle_zip())) as honest,
        zipfile.ZipFile(packed, "w") as made,
    ):
        made.writestr("model.py", honest.read("model.py"))
        made.writestr("checkpoint.pt", content)
    return packed.getvalue()


BUNDLES["brings a rotten checkpoint"] = (with_checkpoint(b"no zip"), "LE", "sample")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = write_assignment(tmp_path / "animals")
    toml = folder / "assignment.toml"
    toml.write_text(toml.read_text().replace("wall_seconds = 60", "wall_seconds = 8"))
    made = make_site(tmp_path, folder)
    yield made
    made.state.close()


@dataclass(frozen=True)
class Traces:
    """What a worker holds, and what runs may leave on a host."""

    processes: int
    descriptors: int
    connections: int
    mounts: int
    groups: int
    files: tuple[str, ...]

    @classmethod
    def of(cls, worker: int, temporary: Path) -> Traces:
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
        opened = list(open_files(worker))
        return cls(
            processes=len(process_tree(worker)),
            descriptors=sum(".sqlite3" not in name for name in opened),
            connections=sum(name.endswith(".sqlite3") for name in opened),
            mounts=sum(f"-{worker}-" in line for line in mounts),  # as its sandboxes are named
            groups=sum(1 for _ in groups_of(worker)),
            files=tuple(sorted(path.name for path in temporary.iterdir())),
        )

    def is_no_more_than(self, before: Traces) -> bool:
        return (
            self.processes <= before.processes
            and self.descriptors <= before.descriptors
            and self.connections <= max(before.connections, KEPT_CONNECTIONS)
            and self.mounts <= before.mounts
            and self.groups <= before.groups
            and set(self.files) <= set(before.files)
        )


def open_files(worker: int) -> Iterator[str]:
    """The names of what it has open."""
    for path in Path(f"/proc/{worker}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            yield path.readlink().name


def groups_of(worker: int) -> Iterator[Path]:
    """Control groups that this worker made: their names hold its number."""
    for path in Path("/sys/fs/cgroup").glob("**/gradewright*"):
        if re.search(rf"-{worker}-", path.name):
            yield path


def resident_kb(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def settled(worker: int, temporary: Path, before: Traces) -> Traces:
    """The traces once they are no more than before, or after a minute."""
    deadline = time.monotonic() + 60
    while True:
        now = Traces.of(worker, temporary)
        if now.is_no_more_than(before) or time.monotonic() > deadline:
            return now
        time.sleep(0.2)


def hand_in_round(site: Site, number: int) -> dict[str, str]:
    """One submission of each kind; public id -> name. Teams take turns: failures are capped."""
    team = f"team{number % 20:02d}"
    found = {
        site.hand_in(team, content, filename="bundle.zip"): name
        for name, (content, _, _) in BUNDLES.items()
    }
    csv = predictions_csv(site.folder, wrong=number % 7)
    return {**found, site.hand_in(team, csv): "a CSV"}


def wrong_verdicts(site: Site, handed_in: dict[str, str]) -> list[str]:
    """Wait for all; those that ended otherwise than they should."""
    wrong = []
    for public_id, name in handed_in.items():
        found = site.wait(public_id, seconds=600)
        _, verdict, failed_in = BUNDLES.get(name, (b"", "OK", None))
        assert found.current_evaluation is not None
        seen = (found.verdict, found.current_evaluation.failed_in)
        if seen != (verdict, failed_in):
            wrong.append(f"{name}: {seen} {found.current_evaluation.detail}")
    return wrong


def honest_predictions(site: Site, handed_in: dict[str, str]) -> Counter[str | None]:
    """How often each file of predictions came of the honest bundle."""
    ids = [public_id for public_id, name in handed_in.items() if name == HONEST]
    with site.state.database.reading() as session:
        return Counter(
            session.scalars(
                sa.select(Evaluation.predictions_sha256)
                .join(Submission, Submission.current_evaluation_id == Evaluation.id)
                .where(Submission.public_id.in_(ids))
            )
        )


@pytest.mark.parametrize(
    ("warm_up", "rounds"),
    [
        pytest.param(1, 1, id="22", marks=pytest.mark.timeout(900)),
        pytest.param(9, 82, id="1001", marks=[pytest.mark.long, pytest.mark.timeout(3 * 3600)]),
    ],
)
def test_every_verdict_is_right_and_the_worker_is_as_it_was(
    site: Site, warm_up: int, rounds: int, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(prefix="worker-") as folder:
        temporary = Path(folder)
        with site.worker(
            TMPDIR=folder, LEADERBOARD_WORKER_CONCURRENCY="2", LEADERBOARD_WARM_SANDBOXES="0"
        ) as worker:
            handed_in: dict[str, str] = {}
            for number in range(warm_up):
                handed_in |= hand_in_round(site, number)
            wrong = wrong_verdicts(site, handed_in)
            before = Traces.of(worker.pid, temporary)
            memory = resident_kb(worker.pid)

            for number in range(rounds):
                handed_in |= hand_in_round(site, number)
            wrong += wrong_verdicts(site, handed_in)
            after = settled(worker.pid, temporary, before)
            grown = resident_kb(worker.pid) / memory

        assert wrong == []
        assert after.is_no_more_than(before), (before, after)
        assert grown <= 1.05
        assert list(temporary.iterdir()) == []
    assert list(groups_of(worker.pid)) == []
    assert len(handed_in) == 11 * (warm_up + rounds)
    assert list(honest_predictions(site, handed_in).values()) == [warm_up + rounds]
