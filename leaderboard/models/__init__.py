"""The tables: what a course remembers.

Times are aware and in UTC. Evaluations, split scores, quota entries and audit events are
append-only: nothing here offers to change one.
"""

from __future__ import annotations

from leaderboard.models.alarms import Alarm, Condition
from leaderboard.models.assignments import (
    Assignment,
    AssignmentGroup,
    FormerSlug,
    LabelChoice,
    LabelDecision,
)
from leaderboard.models.cases import (
    Case,
    CaseCause,
    CaseEntry,
    CaseState,
    Step,
)
from leaderboard.models.grades import (
    GradeLowering,
    GradeMark,
    GradeState,
    GradingScale,
    MarkKind,
    Outcome,
    PublishedGrade,
    Regrade,
    RegradeMessage,
    SavedReply,
)
from leaderboard.models.kinds import (
    Cause,
    Kind,
    Lane,
    Reason,
    Role,
    Shown,
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
from leaderboard.models.notes import SubmissionNote
from leaderboard.models.people import (
    Course,
    Enrolment,
    Extension,
    FormerAddress,
    FormerMember,
    Identity,
    Invitation,
    Team,
    TeamMember,
    User,
    leads_to_a_mailbox,
)
from leaderboard.models.records import (
    ApiToken,
    Attempt,
    AuditEvent,
    AuditHead,
    LiveLog,
    LoginSession,
    NightlyRun,
    Worker,
)
from leaderboard.models.uploads import Upload
from leaderboard.models.work import (
    Evaluation,
    HeatMaps,
    QuotaEntry,
    Rescore,
    SplitScore,
    Standing,
    Submission,
)

__all__ = [
    "Alarm",
    "ApiToken",
    "Assignment",
    "AssignmentGroup",
    "Attempt",
    "AuditEvent",
    "AuditHead",
    "Case",
    "CaseCause",
    "CaseEntry",
    "CaseState",
    "Cause",
    "Condition",
    "Course",
    "Enrolment",
    "Evaluation",
    "Extension",
    "FormerAddress",
    "FormerMember",
    "FormerSlug",
    "GradeLowering",
    "GradeMark",
    "GradeState",
    "GradingScale",
    "HeatMaps",
    "Identity",
    "Invitation",
    "Kind",
    "LabelChoice",
    "LabelDecision",
    "Lane",
    "Letter",
    "LiveLog",
    "LoginSession",
    "MarkKind",
    "NightlyRun",
    "Notice",
    "Notification",
    "Outcome",
    "OutgoingMail",
    "PublishedGrade",
    "QuotaEntry",
    "Reason",
    "Regrade",
    "RegradeMessage",
    "Rescore",
    "Role",
    "SavedReply",
    "Shown",
    "Split",
    "SplitScore",
    "Standing",
    "Step",
    "Submission",
    "SubmissionNote",
    "SubmissionStatus",
    "Team",
    "TeamMember",
    "Track",
    "Upload",
    "User",
    "Worker",
    "leads_to_a_mailbox",
]
