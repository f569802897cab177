"""A course as large as they come, written straight into the tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from small_site import Site

from leaderboard.db import utcnow
from leaderboard.models import (
    Assignment,
    Enrolment,
    Evaluation,
    SplitScore,
    Standing,
    Submission,
    Team,
    TeamMember,
    User,
)

VERDICTS = ("OK",) * 17 + ("RE", "TLE", "REJ")


def fill(site: Site, *, people: int, submissions: int, seed: int = 0) -> None:
    """Students in teams of one, in seven sections, and scored submissions of theirs."""
    rng = np.random.default_rng(seed)
    now = utcnow()
    with site.state.database.write() as session:
        connection = session.connection()
        assignment = site.assignment(session)
        course = assignment.course_id
        first = 1000
        persons = range(first, first + people)
        rows: dict[Any, list[dict[str, Any]]] = {
            User: [
                {
                    "id": n,
                    "email": f"p{n}@example.edu",
                    "name": f"Person {n}",
                    "password_hash": "",
                    "created_at": now,
                }
                for n in persons
            ],
            Enrolment: [
                {
                    "user_id": n,
                    "course_id": course,
                    "role": "student",
                    "section": f"S{n % 7}",
                    "number": str(n),
                }
                for n in persons
            ],
            Team: [
                {"id": n, "course_id": course, "name": f"Team {n}", "created_at": now}
                for n in persons
            ],
            TeamMember: [{"team_id": n, "user_id": n, "course_id": course} for n in persons],
        }
        for model, values in rows.items():
            connection.execute(sa.insert(model), values)
        _submit(connection, assignment, persons, submissions, rng)


def _submit(
    connection: sa.Connection,
    assignment: Assignment,
    persons: range,
    count: int,
    rng: np.random.Generator,
) -> None:
    now, first = utcnow(), 100_000
    who = rng.choice(np.array(persons), count)
    scores = rng.beta(8, 3, (count, 2)).round(3)
    verdicts = rng.choice(np.array(VERDICTS), count)
    hashes = {
        "content_sha256": "a" * 64,
        "answers_sha256": assignment.answers_sha256,
        "folder_sha256": assignment.folder_sha256,
        "measure_sha256": assignment.measure_sha256,
        "images_sha256": assignment.images_sha256,
    }
    receipt = {"id": "s", "sha256": "a" * 64, "signature": "x" * 88, "key_id": "k" * 16}
    submitted, evaluated, split = [], [], []
    for n in range(count):
        at = now - timedelta(minutes=count - n)
        verdict = str(verdicts[n])
        submitted.append(
            {
                "id": first + n,
                "public_id": f"s_{n:010d}",
                "assignment_id": assignment.id,
                "team_id": int(who[n]),
                "user_id": int(who[n]),
                "kind": "csv" if n % 3 else "code",
                "lane": "csv",
                "filename": "predictions.csv",
                "content_sha256": "a" * 64,
                "size_bytes": 900,
                "message": f"try {n}",
                "status": "finished",
                "verdict": verdict,
                "upload_started_at": at,
                "accepted_at": at,
                "started_at": at,
                "finished_at": at + timedelta(seconds=3),
                "receipt": receipt,
                "evaluation_number": 1,
                "current_evaluation_id": None,
            }
        )
        evaluated.append(
            {
                "id": first + n,
                "submission_id": first + n,
                "number": 1,
                "cause": "hand_in",
                "verdict": verdict,
                "flags": ["ND"] if n % 50 == 0 else [],
                "code_version": "0",
                "created_at": at,
                **hashes,
            }
        )
        if verdict == "OK":
            for which, score in zip(("public", "private"), map(float, scores[n]), strict=True):
                figures = dict.fromkeys(
                    (
                        "primary_score",
                        "shown",
                        "accuracy",
                        "macro_precision",
                        "macro_recall",
                        "macro_f1",
                    ),
                    score,
                )
                split.append(
                    {"evaluation_id": first + n, "split": which, "n": 40, "report": {}, **figures}
                )
    connection.execute(sa.insert(Submission), submitted)
    connection.execute(sa.insert(Evaluation), evaluated)
    connection.execute(sa.insert(SplitScore), split)
    connection.execute(
        sa.update(Submission)
        .where(Submission.id >= first)
        .values(current_evaluation_id=Submission.id)
    )
    _stand(connection, assignment, submitted, split)


def _stand(
    connection: sa.Connection,
    assignment: Assignment,
    submitted: list[dict[str, Any]],
    split: list[dict[str, Any]],
) -> None:
    by_id = {each["id"]: each for each in submitted}
    best: dict[tuple[int, str], dict[str, Any]] = {}
    for each in split:
        key = (by_id[each["evaluation_id"]]["team_id"], each["split"])
        if key not in best or each["primary_score"] > best[key]["primary_score"]:
            best[key] = each
    connection.execute(
        sa.insert(Standing),
        [
            {
                "assignment_id": assignment.id,
                "team_id": team,
                "split": which,
                "track": "all",
                "submission_id": each["evaluation_id"],
                "is_baseline": False,
                "primary_score": each["primary_score"],
                "rank_key": -each["primary_score"],
                "achieved_at": by_id[each["evaluation_id"]]["accepted_at"],
                "entries": 1,
                "last_at": by_id[each["evaluation_id"]]["accepted_at"],
            }
            for (team, which), each in best.items()
        ],
    )
