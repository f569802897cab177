"""A whole assignment scored anew after its answers changed, while new hand-ins come.

    python tests/bench/bench_rescore.py [--submissions 10000] [--database sqlite|postgresql]

Submissions of 10,000 rows each, by a hundred teams, rescored by the worker of `leaderboard serve`;
meanwhile a team hands a file in every second, and how long each waits for its score is measured.
Beside it, what a script would do for the same correction: read each file with pandas and score it
with scikit-learn, on both splits.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "leaderboard"))

import bench_queue
import pandas as pd
import private_postgres
import sqlalchemy as sa
from sklearn.metrics import accuracy_score, f1_score
from small_site import Site, predictions_csv

import grader
from leaderboard.boards import intervals, placing
from leaderboard.db import utcnow
from leaderboard.evaluations import publishing, rescoring
from leaderboard.models import Evaluation, Rescore, Split, SplitScore, Submission, Team, User

SUBMISSIONS = 1_000
TEAMS = 100
FILES = 200  # different ones, which the submissions share
_BATCH = 1_000
_LIMIT_SECONDS = 600
_PEER_REPEATS = 20


def main() -> dict[str, dict[str, float]]:
    """Measure both databases; PostgreSQL where it is installed."""
    databases = ["sqlite", *(["postgresql"] if private_postgres.programs() else [])]
    return {each: measure(each, SUBMISSIONS) for each in databases}


def measure(database: str, submissions: int) -> dict[str, float]:
    """Fill a course, correct an answer, rescore."""
    folder = Path(tempfile.mkdtemp(prefix="bench-rescore-"))
    try:
        with bench_queue.a_site(folder, database) as site:
            files = [predictions_csv(site.folder, wrong=10 * n, seed=n) for n in range(FILES)]
            fill(site, files, submissions)
            _correct(site, folder)
            figures = {**_rescored(site, files[0]), "peer_ms": 1000 * _peer_seconds(site, files)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures["per_submission_ms"] = 1000 * figures["seconds"] / submissions
    figures["ratio_to_peer"] = figures["per_submission_ms"] / figures["peer_ms"]
    print(
        f"{database:>10}: {submissions:,} submissions rescored in {figures['seconds']:.1f} s "
        f"({figures['per_submission_ms']:.1f} ms each, pandas and scikit-learn "
        f"{figures['peer_ms']:.1f} ms, ratio {figures['ratio_to_peer']:.2f}); "
        f"{figures['hand_ins']:.0f} hand-ins meanwhile, scored after at most "
        f"{figures['slowest_hand_in_s']:.2f} s"
    )
    return figures


def fill(site: Site, files: list[bytes], submissions: int) -> None:
    """Scored submissions, as hand-ins and publishing leave them."""
    loaded = grader.Assignment.load(site.folder)
    kept = [_kept(site, loaded, content) for content in files]
    with site.state.database.write() as session:
        assignment = site.assignment(session)
        teams = session.scalars(sa.select(Team.id).order_by(Team.id).limit(TEAMS)).all()
        user_id = session.scalar(sa.select(sa.func.min(User.id)))
        common = {"assignment_id": assignment.id, "user_id": user_id}
        for begin in range(0, submissions, _BATCH):
            numbers = range(begin, min(begin + _BATCH, submissions))
            _insert(session, common, teams, kept, numbers)
        session.execute(
            sa.update(Submission).values(
                current_evaluation_id=sa.select(Evaluation.id)
                .where(Evaluation.submission_id == Submission.id)
                .scalar_subquery()
            )
        )
        for team_id in teams:
            placing.refresh(session, assignment, session.get_one(Team, team_id))


def _kept(site: Site, loaded: grader.Assignment, content: bytes) -> dict[str, object]:
    """A file's predictions in the blob store, and its rows of scores."""
    predictions = grader.parse_predictions(content, loaded.expected())
    scores = grader.score(predictions, loaded.answer_key())
    return {
        "sha256": site.state.blobs.put(io.BytesIO(predictions.to_bytes())).sha256,
        "seed": predictions.seed.hex(),
        "splits": [
            {
                **publishing.split_columns(split, each, "accuracy", float(each.accuracy)),
                "intervals": intervals.at_once(each),
                "right": b"",
            }
            for split, each in ((Split.PUBLIC, scores.public), (Split.PRIVATE, scores.private))
        ],
    }


def _insert(
    session: sa.orm.Session,
    common: dict[str, object],
    teams: list[int],
    kept: list[dict[str, object]],
    numbers: range,
) -> None:
    now = utcnow()
    submissions = [
        {
            **common,
            "public_id": f"s_{number:010d}",
            "team_id": teams[number % len(teams)],
            "kind": "csv",
            "lane": "csv",
            "filename": "p.csv",
            "content_sha256": "0" * 64,
            "size_bytes": 1,
            "status": "finished",
            "verdict": "OK",
            "upload_started_at": now,
            "accepted_at": now,
            "started_at": now,
            "finished_at": now,
            "counted": True,
            "receipt": {},
            "evaluation_number": 1,
        }
        for number in numbers
    ]
    ids = session.scalars(
        sa.insert(Submission).returning(Submission.id, sort_by_parameter_order=True), submissions
    ).all()
    files = [kept[number % len(kept)] for number in numbers]
    evaluations = [
        {
            "submission_id": submission_id,
            "number": 1,
            "cause": "hand_in",
            "verdict": "OK",
            "predictions_sha256": file["sha256"],
            "labels_sha256": file["seed"],
            "content_sha256": "0" * 64,
            "answers_sha256": "0" * 64,
            "folder_sha256": "0" * 64,
            "code_version": "bench",
            "created_at": now,
        }
        for submission_id, file in zip(ids, files, strict=True)
    ]
    made = session.scalars(
        sa.insert(Evaluation).returning(Evaluation.id, sort_by_parameter_order=True), evaluations
    ).all()
    session.execute(
        sa.insert(SplitScore),
        [
            {"evaluation_id": evaluation_id, **split}
            for evaluation_id, file in zip(made, files, strict=True)
            for split in file["splits"]
        ],
    )


def _correct(site: Site, folder: Path) -> None:
    """Publish the assignment anew with a hundredth of its answers changed."""
    corrected = folder / "corrected" / "animals"
    shutil.copytree(site.folder, corrected)
    lines = (corrected / "answers.csv").read_text().splitlines()
    for index in range(1, len(lines), 100):
        name, _, label = lines[index].partition(",")
        lines[index] = f"{name},{(int(label) + 1) % 4}"
    (corrected / "answers.csv").write_text("\n".join(lines) + "\n")
    site.publish(corrected)


def _rescored(site: Site, content: bytes) -> dict[str, float]:
    """Seconds of the rescore, and how long those waited who handed in meanwhile."""
    keys, body, waits = bench_queue.tokens(site), bench_queue.multipart(content), [0.0]
    with bench_queue.served(site, with_worker=True) as port:
        # another team's, since each entry of a team makes its rescore longer
        key = keys[-1]
        bench_queue.warm_up(port, key, body)
        _wait(lambda: not _waiting(site))
        with site.state.database.session() as session:
            rescore_id = rescoring.start(
                session, site.state, site.assignment(session), actor=None
            ).id
        begin = time.monotonic()
        while not _is_finished(site, rescore_id):
            handed_in = time.monotonic()
            answer = bench_queue.post(port, bench_queue.PATH, body, key)
            assert answer.status == 201, answer
            _wait(lambda: not _waiting(site))
            waits.append(time.monotonic() - handed_in)
            time.sleep(max(0.0, handed_in + 1 - time.monotonic()))
        with site.state.database.reading() as session:
            done = session.get_one(Rescore, rescore_id)
            assert done.finished_at is not None
            seconds = (done.finished_at - done.created_at).total_seconds()
    assert time.monotonic() - begin < _LIMIT_SECONDS
    return {
        "seconds": seconds,
        "hand_ins": float(len(waits) - 1),
        "slowest_hand_in_s": max(waits),
    }


def _is_finished(site: Site, rescore_id: int) -> bool:
    with site.state.database.reading() as session:
        return session.get_one(Rescore, rescore_id).finished_at is not None


def _waiting(site: Site) -> int:
    waiting = sa.select(sa.func.count()).where(Submission.status.in_(("queued", "running")))
    with site.state.database.reading() as session:
        return session.scalar(waiting) or 0


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + _LIMIT_SECONDS
    while not until():
        if time.monotonic() > end:
            raise AssertionError("it took too long")
        time.sleep(0.02)


def _peer_seconds(site: Site, files: list[bytes]) -> float:
    """Of one file, read and scored as a script would."""
    key = grader.Assignment.load(site.folder).answer_key()
    answers = pd.DataFrame({"id": key.ids, "truth": key.labels, "public": key.public})
    begin = time.perf_counter()
    for content in files[:_PEER_REPEATS]:
        joined = answers.merge(pd.read_csv(io.BytesIO(content)), on="id", validate="1:1")
        for public in (True, False):
            part = joined[joined["public"] == public]
            accuracy_score(part["truth"], part["label"])
            f1_score(part["truth"], part["label"], average="macro")
    return (time.perf_counter() - begin) / _PEER_REPEATS


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--submissions", type=int, default=SUBMISSIONS)
    parser.add_argument("--database", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    if options.database:
        print(json.dumps(measure(options.database, options.submissions), indent=2))
    else:
        print(json.dumps(main(), indent=2))
