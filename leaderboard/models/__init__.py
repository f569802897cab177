"""The tables: what a course remembers.

Times are aware and in UTC. Evaluations, split scores, quota entries and audit events are
append-only: nothing here offers to change one.
"""

from __future__ import annotations

from leaderboard.models.kinds import (
    Cause,
    Kind,
    Lane,
    Role,
    Split,
    SubmissionStatus,
    Track,
)
from leaderboard.models.messages import (
    Letter,
    Notice,
    Notification,
    OutgoingMail,
)
from leaderboard.models.people import (
    Course,
    Enrolment,
    FormerAddress,
    Identity,
    Invitation,
    Team,
    TeamMember,
    User,
)
from leaderboard.models.records import (
    ApiToken,
    Attempt,
    AuditEvent,
    AuditHead,
    LoginSession,
    NightlyRun,
    Worker,
)
from leaderboard.models.work import (
    Assignment,
    AssignmentGroup,
    Evaluation,
    LiveLog,
    QuotaEntry,
    Rescore,
    SplitScore,
    Standing,
    Submission,
)

__all__ = [
    "ApiToken",
    "Assignment",
    "AssignmentGroup",
    "Attempt",
    "AuditEvent",
    "AuditHead",
    "Cause",
    "Course",
    "Enrolment",
    "Evaluation",
    "FormerAddress",
    "Identity",
    "Invitation",
    "Kind",
    "Lane",
    "Letter",
    "LiveLog",
    "LoginSession",
    "NightlyRun",
    "Notice",
    "Notification",
    "OutgoingMail",
    "QuotaEntry",
    "Rescore",
    "Role",
    "Split",
    "SplitScore",
    "Standing",
    "Submission",
    "SubmissionStatus",
    "Team",
    "TeamMember",
    "Track",
    "User",
    "Worker",
]
