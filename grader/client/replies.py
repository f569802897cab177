"""What the server's replies say, typed: the shapes that `grader.client.client` hands out.

A reply keeps what was sent in `json`, for `--json`, so that a script sees whatever a newer server
adds; nothing here is read out of it a second time. Reading tolerates additions and missing optional
members; a missing essential member raises `KeyError`, which the client reports as a reply that is
not the grader's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from grader.words.message import with_data

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
    json: Mapping[str, Any] = field(repr=False)

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
        return cls(name=reply.get("name") or "", email=reply["email"], courses=courses, json=reply)


@dataclass(frozen=True, kw_only=True)
class AssignmentEntry:
    """One assignment of a course, as its list shows it."""

    course: str
    slug: str
    title: str
    due: datetime | None  # of the reader's team
    zone: str | None  # which its dates are meant in
    rules: Mapping[str, str]  # what may be used → allowed, forbidden, own track
    json: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any], course: str) -> AssignmentEntry:
        schedule = reply.get("schedule") or {}
        return cls(
            course=slug_of(reply.get("course")) or course,
            slug=reply["slug"],
            title=reply.get("title") or reply["slug"],
            due=moment(reply.get("due") or schedule.get("due")),
            zone=schedule.get("time_zone"),
            rules=reply.get("rules") or {},
            json=reply,
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
    none to show; `metric` is the ranking one. `queue_eta_seconds` is the server's guess. `counted`:
    against the quota; `retry`: waiting, running or done, where a time-out is tried again;
    `time_zone` is the course's. `voided`: why it counts no more for boards and grades, None where
    it does; `case`: the number of the case that the teaching team has told of, on the course's
    page `/c/COURSE/cases/NUMBER`.
    """

    id: str
    assignment: str
    course: str
    kind: str
    message: str
    metric: str
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
    retry: str | None
    counted: bool
    voided: str | None
    case: int | None
    sample_log: str
    accepted_at: datetime | None
    time_zone: str | None
    receipt: Receipt | None
    warnings: tuple[str, ...]
    json: Mapping[str, Any] = field(repr=False)

    @property
    def is_done(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.status in DONE

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from grader.client.page import report_html

        return report_html(self)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> SubmissionReport:
        queue = reply.get("queue") or {}
        voided = reply.get("voided")
        receipt = reply.get("receipt")
        return cls(
            id=reply["id"],
            assignment=slug_of(reply.get("assignment")),
            course=slug_of(reply.get("course")),
            kind=reply.get("kind") or "",
            message=reply.get("message") or "",
            metric=reply.get("metric") or "accuracy",
            status=reply["status"],
            phase=reply.get("phase") or "",
            verdict=reply.get("verdict"),
            verdict_title=reply.get("verdict_title") or "",
            detail=with_data(reply.get("detail") or "", reply.get("detail_said")),
            problems=tuple(reply.get("problems") or ()),
            flags=tuple(reply.get("flags") or ()),
            public=reply.get("public"),
            private=reply.get("private"),
            queue_place=queue.get("place"),
            queue_eta_seconds=queue.get("eta_seconds"),
            retry=reply.get("retry"),
            counted=bool(reply.get("counted")),
            voided=voided.get("reason") or "" if isinstance(voided, Mapping) else None,
            case=reply.get("case"),
            sample_log=reply.get("sample_log") or "",
            accepted_at=moment(reply.get("accepted_at")),
            time_zone=reply.get("time_zone"),
            receipt=Receipt.from_json(receipt) if isinstance(receipt, Mapping) else None,
            warnings=tuple(map(str, reply.get("warnings") or ())),
            json=reply,
        )


@dataclass(frozen=True, kw_only=True)
class QuotaEntry:
    """A charge (amount 1) or refund (-1) of the day, and why."""

    at: datetime | None
    amount: int
    why: str
    submission: str

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> QuotaEntry:
        return cls(
            at=moment(reply["at"]),
            amount=int(reply["amount"]),
            why=str(reply["why"]),
            submission=str(reply["submission"]),
        )


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Submissions left today; `limit` is 0 and `remaining` None where there is no limit.

    `entries` say where the others went, oldest first; the day is one of `time_zone`.
    """

    limit: int
    used: int
    remaining: int | None
    resets_at: datetime | None
    time_zone: str | None
    entries: tuple[QuotaEntry, ...]
    json: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> Quota:
        limit = int(reply.get("limit") or 0)
        remaining = reply.get("remaining")
        return cls(
            limit=limit,
            used=int(reply.get("used") or 0),
            remaining=int(remaining) if limit and remaining is not None else None,
            resets_at=moment(reply.get("resets_at")),
            time_zone=reply.get("time_zone"),
            entries=tuple(map(QuotaEntry.from_json, reply.get("entries") or ())),
            json=reply,
        )


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """One team's place; `rank` is None for baselines, which have none. `is_shared`: another team
    has the same rank.

    `interval` is [low, high] of the ranking metric, 95 %; `is_pretrained` is None where pretrained
    weights have no track of their own; `efficiency` holds what the assignment shows of a model's
    cost.
    """

    rank: int | None
    is_shared: bool
    team: str
    is_baseline: bool
    is_mine: bool
    primary: float | None
    entries: int
    interval: tuple[float, float] | None
    indistinguishable_from: tuple[int, ...]
    is_pretrained: bool | None
    efficiency: Mapping[str, float]
    last_at: datetime | None

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> BoardRow:
        return cls(
            rank=reply.get("rank"),
            is_shared=bool(reply.get("is_shared")),
            team=reply.get("team_name") or reply.get("team") or "",
            is_baseline=bool(reply.get("is_baseline")),
            is_mine=bool(reply.get("is_mine")),
            primary=reply.get("primary"),
            entries=int(reply.get("entries") or 0),
            interval=_pair(reply.get("interval")),
            indistinguishable_from=tuple(reply.get("indistinguishable_from") or ()),
            is_pretrained=reply.get("is_pretrained"),
            efficiency=reply.get("efficiency") or {},
            last_at=moment(reply.get("last_at")),
        )


@dataclass(frozen=True, kw_only=True)
class Board:
    """One page of a leaderboard."""

    split: str
    metric: str
    rows: tuple[BoardRow, ...]
    total: int
    page: int
    time_zone: str | None  # the course's
    json: Mapping[str, Any] = field(repr=False)

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from grader.client.page import board_html

        return board_html(self.metric, self.rows)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> Board:
        rows = tuple(BoardRow.from_json(row) for row in reply["rows"])
        return cls(
            split=reply.get("split") or "public",
            metric=reply.get("metric") or "",
            rows=rows,
            total=int(reply.get("total") or len(rows)),
            page=int(reply.get("page") or 1),
            time_zone=reply.get("time_zone"),
            json=reply,
        )


@dataclass(frozen=True, kw_only=True)
class Picks:
    """The team's final picks, by their submission's ID."""

    submissions: tuple[str, ...]
    json: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> Picks:
        return cls(submissions=tuple(map(str, reply["submissions"])), json=reply)


def moment(text: str | None) -> datetime | None:
    """The aware time an ISO 8601 string gives, or None where there is none."""
    return datetime.fromisoformat(text) if text else None


def slug_of(value: object) -> str:
    """The short name of something given either as that name or as an object holding it."""
    if isinstance(value, Mapping):
        return str(value.get("slug") or value.get("code") or "")
    return str(value or "")


def _pair(value: object) -> tuple[float, float] | None:
    """
    >>> _pair([0.25, 0.5])
    (0.25, 0.5)
    """
    if not isinstance(value, Sequence) or len(value) != 2:
        return None
    return (float(value[0]), float(value[1]))
