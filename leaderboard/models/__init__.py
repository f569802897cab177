"""The tables: what a course remembers.

Times are aware and in UTC. Evaluations, split scores, quota entries and audit events are
append-only: nothing here offers to change one.
"""

from __future__ import annotations

from leaderboard.models.kinds import (
    Cause,
    Kind,
    Role,
    Split,
    SubmissionStatus,
)
from leaderboard.models.people import (
    Course,
    Enrolment,
    Team,
    TeamMember,
    User,
)
from leaderboard.models.records import (
    ApiToken,
    AuditEvent,
    LoginSession,
    NightlyRun,
    SignInFailure,
    Worker,
)
from leaderboard.models.work import (
    Assignment,
    AssignmentGroup,
    Evaluation,
    LiveLog,
    QuotaEntry,
    SplitScore,
    Standing,
    Submission,
)

__all__ = [
    "ApiToken",
    "Assignment",
    "AssignmentGroup",
    "AuditEvent",
    "Cause",
    "Course",
    "Enrolment",
    "Evaluation",
    "Kind",
    "LiveLog",
    "LoginSession",
    "NightlyRun",
    "QuotaEntry",
    "Role",
    "SignInFailure",
    "Split",
    "SplitScore",
    "Standing",
    "Submission",
    "SubmissionStatus",
    "Team",
    "TeamMember",
    "User",
    "Worker",
]
