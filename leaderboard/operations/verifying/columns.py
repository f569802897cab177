"""Which columns `leaderboard verify` watches, and why it need not watch the others.

A guarded column (`Keeping.guarded`) is compared with the audit chain; those of COMPUTED are
computed anew or checked by a signature. Every other column of every table stands in UNWATCHED with
a reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from leaderboard.models.keeping import name_of, registry

COMPUTED: Final[Mapping[str, tuple[str, ...]]] = {
    "case_entry": ("user_id", "text"),
    "quota_entry": ("assignment_id", "team_id", "submission_id", "day", "amount"),
    "split_score": (
        "evaluation_id",
        "split",
        "n",
        "primary_score",
        "shown",
        "accuracy",
        "macro_precision",
        "macro_recall",
        "macro_f1",
        "right",
        "report",
    ),
    "standing": (
        "assignment_id",
        "team_id",
        "split",
        "track",
        "submission_id",
        "is_baseline",
        "is_outdated",
        "primary_score",
        "rank_key",
        "achieved_at",
        "accuracy",
        "macro_f1",
        "right",
        "entries",
        "last_at",
    ),
    "submission": ("size_bytes", "receipt"),
}
"""Table → what a step computes anew, or finds signed by the server's key."""

CHAINED: Final[Mapping[str, tuple[str, ...]]] = {
    "audit_event": (
        "id",
        "course_id",
        "chain",
        "number",
        "at",
        "actor_user_id",
        "action",
        "subject",
        "details",
        "previous_hash",
        "hash",
    ),
    "audit_head": ("chain", "number", "hash", "key_id", "signature"),
}
"""Table → what `leaderboard audit verify` checks."""

_SHOWN = "is read by people; decides nothing"
_ORDER = "tells when the row was written; nothing goes by it"
_QUEUE = "how far the work is: a wrong one costs a run, and what is published is watched"
_HEALTH = "tells of machines and runs, not of people"
_WORDS = "words for the team to read; the verdict and the score beside them are watched"
_SAID = "what people wrote to each other; the grade that they wrote about is watched"
_DRAWN = "drawn from the score, which is computed anew; decides nothing"
_TOLD = "a notice: what it tells of is watched where it stands"

UNWATCHED: Final[Mapping[str, Mapping[str, str]]] = {
    "agent": dict.fromkeys(
        ("created_at", "is_draining", "beat_at", "left_at", "facts", "faults"), _HEALTH
    ),
    "agent_run": dict.fromkeys(
        (
            "id",
            "public_id",
            "submission_id",
            "course_id",
            "lane",
            "job",
            "folder_sha256",
            "wanted_until",
            "agent_id",
            "lease_sha256",
            "leased_until",
            "leases",
            "log",
            "result",
        ),
        "gone when its worker has read it; what becomes of it is watched where it is published",
    ),
    "alarm": dict.fromkeys(
        ("id", "condition", "place", "began_at", "ended_at", "going_on"), _HEALTH
    ),
    "api_token": {"name": _SHOWN, "prefix": _SHOWN, "created_at": _ORDER, "last_used_at": _ORDER},
    "assignment": {
        "group_id": _SHOWN,
        "title": _SHOWN,
        "readme": "is in the folder too, whose hash is watched",
        "pack_bytes": _SHOWN,
        "public_data_note": _SHOWN,
        "published_at": _ORDER,
        "ranks_kept_on": "arrows of the board; no rank",
    },
    "assignment_draft": dict.fromkeys(
        ("id", "course_id", "folder_sha256", "notices", "made_at", "changed_at"),
        "nothing goes by a draft; what is published is watched, and was looked at first",
    ),
    "assignment_group": dict.fromkeys(("id", "course_id", "slug", "title"), _SHOWN),
    "attempt": dict.fromkeys(
        ("id", "key_sha256", "at"), "slows guessing down, and is forgotten within hours"
    ),
    "course": {"title": _SHOWN, "term": _SHOWN, "created_at": _ORDER},
    "enrolment": {},
    "evaluation": {
        **dict.fromkeys(
            ("detail", "detail_said", "problems", "sample_log", "sample_answers"), _WORDS
        ),
        **dict.fromkeys(("code_version", "environment", "timing"), _HEALTH),
    },
    "extension": {"reason": _SHOWN, "reference": _SHOWN},
    "former_address": {"left_at": _ORDER},
    "heat_maps": dict.fromkeys(
        (
            "id",
            "submission_id",
            "shown",
            "asked_at",
            "verdict",
            "detail",
            "detail_said",
            "images_sha256",
            "image_rows",
            "labels",
            "squares",
        ),
        "pictures of what a program looked at; made again from the submission, they decide nothing",
    ),
    "invitation": {"created_at": _ORDER, "uses": _SHOWN},
    "live_log": dict.fromkeys(("submission_id", "text"), "is gone when the run is over"),
    "login_session": {"user_agent": _SHOWN, "created_at": _ORDER, "last_seen_at": _SHOWN},
    "nightly_run": dict.fromkeys(
        ("id", "started_at", "finished_at", "exit_code", "output"), _HEALTH
    ),
    "notification": dict.fromkeys(
        ("id", "user_id", "kind", "dedupe_key", "details", "path", "created_at", "read_at"), _TOLD
    ),
    "outgoing_mail": {
        "dedupe_key": "a mail that is not sent, or sent twice",
        "locale": _SHOWN,
        "path": "of a page of this server; it opens nothing",
        **dict.fromkeys(
            ("created_at", "due_at", "attempts", "claimed_until", "sent_at", "gave_up_at", "error"),
            "a mail that is not sent, or sent twice",
        ),
    },
    "published_grade": {"explanation": "tells how the grade came about, which is watched"},
    "quota_entry": {"id": "a name", "reason": _SHOWN, "at": _ORDER},
    "regrade": {"opened_at": _ORDER},
    "regrade_message": dict.fromkeys(
        ("id", "regrade_id", "user_id", "is_staff", "text", "at"), _SAID
    ),
    "rescore": dict.fromkeys(
        (
            "id",
            "assignment_id",
            "actor_user_id",
            "until_id",
            "at_team_id",
            "at_submission_id",
            "total",
            "done",
            "problems",
            "created_at",
            "finished_at",
        ),
        "how far it is: what it leaves out stays marked as out of date on every board",
    ),
    "saved_reply": dict.fromkeys(("id", "course_id", "title", "text"), _SHOWN),
    "split_score": {"id": "a name", "intervals": _DRAWN},
    "standing": {
        "id": "a name",
        "interval_low": _DRAWN,
        "interval_high": _DRAWN,
        "rank_before": "arrows of the board; no rank",
    },
    "submission": {
        **dict.fromkeys(("filename", "message", "problems"), _WORDS),
        "idempotency_key": "which request is the same again; a second one is charged and watched",
        **dict.fromkeys(
            (
                "lane",
                "status",
                "phase",
                "started_at",
                "finished_at",
                "evaluation_number",
                "evaluation_cause",
                "failed_attempts",
                "priority",
                "claimed_by",
                "revision",
            ),
            _QUEUE,
        ),
    },
    "submission_note": dict.fromkeys(
        ("id", "submission_id", "user_id", "author_id", "text", "created_at"), _SAID
    ),
    "team": {"created_at": _ORDER},
    "upload": {
        "filename": _SHOWN,
        "parts": "joined, they must have the hash that was signed",
        "received_bytes": "joined, the parts must have the size that was signed",
    },
    "user_account": {
        "locale": _SHOWN,
        "time_zone": _SHOWN,
        "muted": "which notices they get; those of cases can't be muted",
        "created_at": _ORDER,
    },
    "worker": dict.fromkeys(
        (
            "id",
            "executor_id",
            "incarnation",
            "concurrency",
            "started_at",
            "beat_at",
            "stopped_at",
            "facts",
        ),
        _HEALTH,
    ),
}
"""Table → column → why a change of it by hand need not be found."""


def unlisted() -> Iterator[str]:
    """Every column, as table.column, that is listed nowhere or in two places, or is not there."""
    for model, keeping in registry().items():
        table = name_of(model)
        guarded = ("id", *keeping.guarded) if keeping.guarded else ()
        listed = [
            *guarded,
            *COMPUTED.get(table, ()),
            *CHAINED.get(table, ()),
            *UNWATCHED.get(table, {}),
        ]
        there = {column.name for column in model.__table__.columns}
        for name in sorted({*there, *listed}):
            if name not in there or listed.count(name) != 1:
                yield f"{table}.{name}"
