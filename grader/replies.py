"""What the server's replies say, typed: the shapes that `grader.client` hands out.

Each shape keeps the JSON object it was read from in `raw`, so that a script sees whatever a newer
server adds. Reading tolerates additions and missing optional members; a missing essential member
raises `KeyError`, which the client reports as a reply that is not the grader's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

DONE = frozenset({"finished", "cancelled"})
"""Statuses of a submission after which nothing more happens by itself."""


@dataclass(frozen=True, kw_only=True)
class Membership:
    """One course of the signed-in person, and the role there."""

    code: str
    title: str
    role: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """The person a token speaks for."""

    name: str
    email: str
    courses: tuple[Membership, ...]
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> Account:
        courses = tuple(
            Membership(
                code=course["code"],
                title=course.get("title") or course["code"],
                role=course.get("role") or "student",
            )
            for course in reply.get("courses", ())
        )
        return cls(name=reply.get("name") or "", email=reply["email"], courses=courses, raw=reply)


@dataclass(frozen=True, kw_only=True)
class AssignmentEntry:
    """One assignment of a course, as its list shows it."""

    course: str
    slug: str
    title: str
    due: datetime | None
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any], course: str) -> AssignmentEntry:
        schedule = reply.get("schedule") or {}
        return cls(
            course=slug_of(reply.get("course")) or course,
            slug=reply["slug"],
            title=reply.get("title") or reply["slug"],
            due=moment(reply.get("due") or schedule.get("due")),
            raw=reply,
        )


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The server's signed word that it got these bytes at this time."""

    id: str
    sha256: str
    accepted_at: str
    signature: str

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> Receipt:
        return cls(
            id=reply.get("id") or "",
            sha256=reply.get("sha256") or "",
            accepted_at=reply.get("accepted_at") or "",
            signature=reply.get("signature") or "",
        )


@dataclass(frozen=True, kw_only=True)
class SubmissionReport:
    """One submission, as far as the asker may see it.

    `public` and `private` are score objects (`n`, `accuracy`, `macro_f1`, …), None while there is
    none to show. `queue_eta_seconds` is the server's guess.
    """

    id: str
    assignment: str
    course: str
    status: str
    phase: str
    verdict: str | None
    verdict_title: str
    detail: str
    problems: tuple[Mapping[str, Any], ...]
    flags: tuple[str, ...]
    public: Mapping[str, Any] | None
    private: Mapping[str, Any] | None
    queue_place: int | None
    queue_eta_seconds: float | None
    receipt: Receipt | None
    warnings: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def is_done(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.status in DONE

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> SubmissionReport:
        queue = reply.get("queue") or {}
        receipt = reply.get("receipt")
        return cls(
            id=reply["id"],
            assignment=slug_of(reply.get("assignment")),
            course=slug_of(reply.get("course")),
            status=reply["status"],
            phase=reply.get("phase") or "",
            verdict=reply.get("verdict"),
            verdict_title=reply.get("verdict_title") or "",
            detail=reply.get("detail") or "",
            problems=tuple(reply.get("problems") or ()),
            flags=tuple(reply.get("flags") or ()),
            public=reply.get("public"),
            private=reply.get("private"),
            queue_place=queue.get("place"),
            queue_eta_seconds=queue.get("eta_seconds"),
            receipt=Receipt.from_json(receipt) if isinstance(receipt, Mapping) else None,
            warnings=tuple(map(str, reply.get("warnings") or ())),
            raw=reply,
        )


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Submissions left today; `limit` is 0 and `remaining` None where there is no limit."""

    limit: int
    used: int
    remaining: int | None
    resets_at: datetime | None
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> Quota:
        limit = int(reply.get("limit") or 0)
        remaining = reply.get("remaining")
        return cls(
            limit=limit,
            used=int(reply.get("used") or 0),
            remaining=int(remaining) if limit and remaining is not None else None,
            resets_at=moment(reply.get("resets_at")),
            raw=reply,
        )


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """One team's place; `rank` is None for baselines, which have none."""

    rank: int | None
    team: str
    is_baseline: bool
    is_mine: bool
    primary: float | None
    entries: int
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> BoardRow:
        return cls(
            rank=reply.get("rank"),
            team=reply.get("team_name") or reply.get("team") or "",
            is_baseline=bool(reply.get("is_baseline")),
            is_mine=bool(reply.get("is_mine")),
            primary=reply.get("primary"),
            entries=int(reply.get("entries") or 0),
            raw=reply,
        )


@dataclass(frozen=True, kw_only=True)
class Board:
    """One page of a leaderboard."""

    split: str
    metric: str
    rows: tuple[BoardRow, ...]
    total: int
    page: int
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> Board:
        rows = tuple(BoardRow.from_json(row) for row in reply["rows"])
        return cls(
            split=reply.get("split") or "public",
            metric=reply.get("metric") or "",
            rows=rows,
            total=int(reply.get("total") or len(rows)),
            page=int(reply.get("page") or 1),
            raw=reply,
        )


def moment(text: str | None) -> datetime | None:
    """The aware time an ISO 8601 string gives, or None where there is none."""
    return datetime.fromisoformat(text) if text else None


def slug_of(value: object) -> str:
    """The short name of something given either as that name or as an object holding it."""
    if isinstance(value, Mapping):
        return str(value.get("slug") or value.get("code") or "")
    return str(value or "")
