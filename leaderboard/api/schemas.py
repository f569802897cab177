"""The shapes of what is sent and replied, as JSON schemas, made from dataclasses."""

from __future__ import annotations

from typing import Any, Final

from leaderboard.api import bodies
from leaderboard.api.erasure import Erasure, WantedErasure
from leaderboard.cases.reading import CaseReport, StaffCase
from leaderboard.gradebooks.filling import DryRun
from leaderboard.grades.publishing import Publication
from leaderboard.models import Cause, Reason
from leaderboard.rules.quota_ledger import LedgerLine, Why
from leaderboard.views.board import BoardLine, BoardPage
from leaderboard.views.course import Account, AssignmentEntry, ExtensionEntry, QuotaOfDay
from leaderboard.views.gradebook.entries import Decision, Grades, OwnGrade
from leaderboard.views.gradebook.joint import JointGrades
from leaderboard.views.gradebook.regrades import RegradeThread, ReplyToReuse
from leaderboard.views.shapes import Schemas
from leaderboard.views.staff.difficulty import Difficulty
from leaderboard.views.staff.jobs import Jobs
from leaderboard.views.staff.labels import LabelMoves, LabelWork
from leaderboard.views.staff.overview import Overview
from leaderboard.views.submission import ClassLine, StaffReport, SubmissionReport

_Json = dict[str, Any]

TEXT: Final[_Json] = {"type": "string"}
WHOLE: Final[_Json] = {"type": "integer"}
MOMENT: Final[_Json] = {"type": ["string", "null"], "format": "date-time"}
# the names are part of what programs made from the document import: they never change
_NAMES: Final = {
    bodies.UploadState: "Upload",
    SubmissionReport: "Submission",
    StaffReport: "StaffSubmission",
    AssignmentEntry: "Assignment",
    BoardPage: "Board",
    BoardLine: "BoardRow",
    ClassLine: "ClassScore",
    CaseReport: "Case",
    ExtensionEntry: "Extension",
    LedgerLine: "QuotaEntry",
    Why: "QuotaReason",
    Cause: "EvaluationCause",
    Reason: "ExtensionReason",
}
_SHAPES: Final = (
    Account,
    AssignmentEntry,
    BoardPage,
    CaseReport,
    Difficulty,
    Erasure,
    ExtensionEntry,
    Jobs,
    LabelMoves,
    LabelWork,
    Overview,
    Grades,
    JointGrades,
    OwnGrade,
    Publication,
    RegradeThread,
    ReplyToReuse,
    QuotaOfDay,
    StaffCase,
    StaffReport,
    SubmissionReport,
    Decision,
    DryRun,
    WantedErasure,
    bodies.Away,
    bodies.CaseNotice,
    bodies.CaseText,
    bodies.Credentials,
    bodies.Done,
    bodies.JudgeSeveral,
    bodies.LabelReason,
    bodies.MissingPerson,
    bodies.Note,
    bodies.NoteText,
    bodies.GradeDecision,
    bodies.GradeReason,
    bodies.Picks,
    bodies.RegradeAnswer,
    bodies.RegradeOwner,
    bodies.RegradeText,
    bodies.WantedReply,
    bodies.Problem,
    bodies.ReceiptKey,
    bodies.Rejudge,
    bodies.Release,
    bodies.Released,
    bodies.Reminded,
    bodies.Token,
    bodies.UploadState,
    bodies.WantedEdition,
    bodies.WantedExtension,
    bodies.WantedLabel,
    bodies.WantedUpload,
)


def ref(name: str) -> _Json:
    """One of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def members(required: list[str], **properties: _Json) -> _Json:
    """An object with these members, and maybe later ones."""
    return {"type": "object", "required": required, "properties": properties}


def list_of(schema: _Json) -> _Json:
    """A list that comes in pages."""
    return members(
        ["items", "next_cursor"],
        items={"type": "array", "items": schema},
        next_cursor={"type": ["string", "null"]},
    )


def _of_shapes() -> _Json:
    schemas = Schemas(_NAMES)
    for each in _SHAPES:
        schemas.of(each)
    return schemas.found


SCHEMAS: Final[_Json] = _of_shapes()
