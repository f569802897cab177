"""Each step of a case is an entry: what was done, by whom, in which words."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest
from leaderboard.models import Case, CaseEntry, Step, User

LONGEST: Final = 10_000  # characters of what is written in one step


def add(
    session: Session, case: Case, step: Step, text: str, *, actor: User | None, **details: Any
) -> CaseEntry:
    """Write a step down, and into the audit log by hashes, in the caller's write transaction.

    `actor` None: the server itself, or its operator.
    """
    made = CaseEntry(
        case_id=case.id,
        step=step,
        user_id=actor.id if actor else None,
        text=text,
        text_sha256=hash_of(text),
        at=utcnow(),
    )
    session.add(made)
    session.flush()
    session.expire(case, ["entries"])
    audit.record(
        session,
        action=f"case.{step.value}",
        subject=f"case:{case.id}",
        course=case.course,
        actor=actor,
        details={
            "submission": case.submission.public_id,
            "entry": made.id,
            "text_sha256": made.text_sha256,
            **details,
        },
    )
    return made


def checked(text: str) -> str:
    """What somebody wrote, without space around it.

    Raises:
        BadRequest: nothing, or too much.
    """
    text = "\n".join(line.rstrip() for line in text.splitlines()).strip()
    if not text:
        raise BadRequest(said("case.no_text"))
    if len(text) > LONGEST:
        raise BadRequest(said("case.long_text", most=LONGEST))
    return text


def hash_of(text: str) -> str:
    """What the audit log holds of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
