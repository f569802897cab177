"""What is sent, and what is replied beside the views: typed, so that the document follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from grader import Owner
from leaderboard.cases import entries
from leaderboard.grades import marks, regrades
from leaderboard.labels import deciding
from leaderboard.models import Cause, LabelChoice, MarkKind, Outcome, Reason, Upload
from leaderboard.submissions import notes
from leaderboard.views.shapes import OMITTED, OPTIONAL
from leaderboard.views.submission import SAID

_SCOPE: Final = {"type": "string", "pattern": "^(read|submit|staff|submit:.+/.+)$"}
_Text: TypeAlias = Annotated[str | None, OMITTED]  # may be left out, and is never null


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who wants a token: `email` may be a student number."""

    email: str
    password: str
    name: _Text = None
    scopes: Annotated[Sequence[str] | None, OMITTED, {"items": _SCOPE}] = None


@dataclass(frozen=True, kw_only=True)
class Token:
    """An API token; it is told this once."""

    token: str
    scopes: Sequence[str]
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class ReceiptKey:
    """The public key that receipts can be verified with, offline."""

    key_id: str
    public_key: str
    algorithm: str


@dataclass(frozen=True, kw_only=True)
class WantedUpload:
    """The file that is committed to."""

    sha256: Annotated[str, {"pattern": "^[0-9a-f]{64}$"}]
    size: Annotated[int, {"minimum": 1}]
    filename: _Text = None
    message: _Text = None
    claims: Annotated[str | None, OMITTED, {"description": "TOML lines, as in claims.toml"}] = None
    declared: _Text = None


@dataclass(frozen=True, kw_only=True)
class UploadState:
    """How much of a file is here."""

    id: str
    sha256: str
    size: int
    received: Annotated[int, {"description": "the offset of the next byte"}]
    committed_at: datetime
    expires_at: datetime
    commitment: Annotated[Mapping[str, Any], {"description": "the same, signed as receipts are"}]

    @classmethod
    def of(cls, upload: Upload) -> UploadState:
        """An upload as it stands."""
        return cls(
            id=upload.public_id,
            sha256=upload.content_sha256,
            size=upload.size_bytes,
            received=upload.received_bytes,
            committed_at=upload.committed_at,
            expires_at=upload.expires_at,
            commitment=upload.commitment,
        )


@dataclass(frozen=True, kw_only=True)
class Picks:
    """The submissions that are a team's final picks, by their ids."""

    submissions: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Rejudge:
    """Whether stored predictions are scored again, or code runs again."""

    cause: Annotated[Literal[Cause.RESCORE, Cause.RERUN] | None, OMITTED] = None


@dataclass(frozen=True, kw_only=True)
class Release:
    """Whether the private board is shown."""

    released: Annotated[bool | None, OMITTED] = None


@dataclass(frozen=True, kw_only=True)
class Released:
    """Since when the private board is shown; null: it is not."""

    released_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class JudgeSeveral(Rejudge, Picks):
    """Which submissions are judged again, and how."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """To how many it was done."""

    count: int


@dataclass(frozen=True, kw_only=True)
class WantedLabel:
    """What is decided about an image; `label` only where it is to be another one."""

    image: str
    choice: LabelChoice
    label: _Text = None
    reason: Annotated[str, {"maxLength": deciding.LONGEST_REASON}]


@dataclass(frozen=True, kw_only=True)
class LabelReason:
    """Why a decision is taken back."""

    reason: Annotated[str, {"maxLength": deciding.LONGEST_REASON}]


@dataclass(frozen=True, kw_only=True)
class WantedEdition:
    """The edition that was looked at when its labels were decided."""

    edition: Annotated[str, {"pattern": "^[0-9a-f]{64}$"}]


@dataclass(frozen=True, kw_only=True)
class NoteText:
    """What is noted about a submission."""

    text: Annotated[str, {"maxLength": notes.LONGEST}]


@dataclass(frozen=True, kw_only=True)
class Note:
    """A note of the teaching team; `author` is None where they are erased."""

    id: int
    text: str
    author: str | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Away:
    """From when to when the server was away."""

    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class MissingPerson:
    """A student whose team has handed nothing in that was taken."""

    name: str
    email: str
    number: str
    section: str
    team: str


@dataclass(frozen=True, kw_only=True)
class Reminded:
    """How many people were reminded."""

    people: int


@dataclass(frozen=True, kw_only=True)
class WantedExtension:
    """More time, late days or submissions a day for somebody, and why."""

    whom: Annotated[str, {"description": "a student's e-mail address or a team's name"}]
    assignment: Annotated[
        str | None, OPTIONAL, {"description": "null: every one that is not over"}
    ] = None
    due: Annotated[datetime | None, OPTIONAL] = None
    closes: Annotated[datetime | None, OPTIONAL] = None
    hours: Annotated[
        int | None, OMITTED, {"description": "after everybody's dates, in place of dates"}
    ] = None
    late_days: Annotated[int | None, OMITTED, {"description": "on top of the course's"}] = None
    daily_limit: Annotated[int | None, OMITTED, {"description": "on top of the assignment's"}] = (
        None
    )
    reason: Annotated[Reason | None, OMITTED] = None
    reference: Annotated[str | None, OMITTED, {"description": "of the office that vouches"}] = None


@dataclass(frozen=True, kw_only=True)
class GradeDecision:
    """What is decided about a student's grade, and why; the student reads the reason."""

    whom: Annotated[str, {"description": "the student's e-mail address"}]
    kind: MarkKind
    value: Annotated[
        str | None, OPTIONAL, {"description": "the grade as it is written, or the factor"}
    ] = None
    reason: Annotated[str, {"maxLength": marks.LONGEST_REASON}]


@dataclass(frozen=True, kw_only=True)
class GradeReason:
    """Why published grades may fall."""

    reason: Annotated[str, {"maxLength": marks.LONGEST_REASON}]


@dataclass(frozen=True, kw_only=True)
class RegradeText:
    """What is asked about a grade, or said to it."""

    text: Annotated[str, {"maxLength": regrades.LONGEST}]


@dataclass(frozen=True, kw_only=True)
class RegradeAnswer(RegradeText):
    """What the teaching team says; with an outcome the question is closed."""

    outcome: Annotated[Outcome | None, OPTIONAL] = None


@dataclass(frozen=True, kw_only=True)
class RegradeOwner:
    """Who answers, by e-mail address, and until when."""

    owner: Annotated[str | None, OPTIONAL] = None
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class WantedReply:
    """A reply to keep."""

    title: str
    text: Annotated[str, {"maxLength": regrades.LONGEST}]


@dataclass(frozen=True, kw_only=True)
class CaseText:
    """What is written in a step of a case."""

    text: Annotated[str, {"maxLength": entries.LONGEST}]


@dataclass(frozen=True, kw_only=True)
class CaseNotice(CaseText):
    """What the team is told, and until when it may reply."""

    reply_until: datetime


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a request was refused (RFC 9457): `code` for programs, `detail` for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    detail_said: Annotated[Mapping[str, Any] | None, SAID]
    owner: Owner
    errors: Sequence[Mapping[str, Any]]
