"""Retries after a time-out and live logs; invitations, single sign-on, notices, mails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CAUSES = ("hand_in", "rescore", "rerun")
_WITH_RETRY = (*_CAUSES, "retry")
_CAUSE_COLUMNS = (("submission", "evaluation_cause"), ("evaluation", "cause"))


def upgrade() -> None:
    for table, column in _CAUSE_COLUMNS:
        _change_words(table, column, "cause_known", _CAUSES, _WITH_RETRY)
    op.create_table(
        "live_log",
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_live_log_submission_id_submission"),
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_live_log")),
    )
    _add_people_and_messages()
    _add_safekeeping()
    _add_lanes_and_rescores()
    _add_tracks()


def downgrade() -> None:
    _drop_tracks()
    _drop_lanes_and_rescores()
    _drop_safekeeping()
    _drop_people_and_messages()
    op.drop_table("live_log")
    # the earlier code knows a retry as what it is to it: the code run again
    for table, column in _CAUSE_COLUMNS:
        op.execute(f"UPDATE {table} SET {column} = 'rerun' WHERE {column} = 'retry'")  # noqa: S608
        _change_words(table, column, "cause_known", _WITH_RETRY, _CAUSES)


def _change_words(
    table: str, column: str, constraint: str, old: tuple[str, ...], new: tuple[str, ...]
) -> None:
    """Change the words that a column's CHECK allows."""
    before, after = (f"{column} IN ({', '.join(map(repr, words))})" for words in (old, new))
    if op.get_bind().dialect.name == "sqlite":
        _edit_sqlite_schema(table, before, after)
        return
    name = op.f(f"ck_{table}_{constraint}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, after)


def _edit_sqlite_schema(table: str, before: str, after: str) -> None:
    """Change a CHECK in place, as https://sqlite.org/lang_altertable.html (section 7) allows.

    Making the table anew would copy every row, and can't be done while others refer to it.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = ? AND instr(sql, ?)",
        (before, after, table, before),
    )
    assert changed.rowcount == 1, f"the CHECK of {table} is not as the first schema made it"
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def _add_people_and_messages() -> None:
    """Invitations, single sign-on, pseudonyms, notices and mails."""
    # what it held was of no use after fifteen minutes
    op.drop_index("ix_sign_in_failure_key", table_name="sign_in_failure")
    op.drop_table("sign_in_failure")
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index("ix_attempt_key", "attempt", ["key_sha256", "at"], unique=False)
    op.create_table(
        "identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_identity_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identity_issuer_subject")),
    )
    op.create_index(op.f("ix_identity_user_id"), "identity", ["user_id"], unique=False)
    op.create_table(
        "notification",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "scored",
                "failed",
                "deadline",
                "released",
                "team",
                name="notice",
                native_enum=False,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("dedupe_key", sa.String(length=200), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('scored', 'failed', 'deadline', 'released', 'team')",
            name=op.f("ck_notification_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_notification_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_notification_dedupe_key")),
    )
    op.create_index("ix_notification_unread", "notification", ["user_id", "read_at"], unique=False)
    op.create_table(
        "outgoing_mail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("address", sa.String(length=254), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("locale", sa.String(length=10), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("gave_up_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_outgoing_mail_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_mail")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outgoing_mail_dedupe_key")),
    )
    op.create_index(
        "ix_outgoing_mail_due", "outgoing_mail", ["sent_at", "gave_up_at", "due_at"], unique=False
    )
    op.create_index(op.f("ix_outgoing_mail_user_id"), "outgoing_mail", ["user_id"], unique=False)
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=True),
        sa.Column(
            "role",
            sa.Enum(
                "student",
                "assistant",
                "instructor",
                "baseline",
                name="role",
                native_enum=False,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("section", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "role IN ('student', 'assistant', 'instructor', 'baseline')",
            name=op.f("ck_invitation_role_known"),
        ),
        sa.CheckConstraint("uses >= 0", name=op.f("ck_invitation_uses_not_negative")),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_invitation_course_id_course")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["user_account.id"], name=op.f("fk_invitation_created_by_user_account")
        ),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_invitation_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
    )
    op.create_index(op.f("ix_invitation_course_id"), "invitation", ["course_id"], unique=False)
    op.create_index(op.f("ix_invitation_team_id"), "invitation", ["team_id"], unique=False)
    op.add_column("course", sa.Column("join_code", sa.String(length=16), nullable=True))
    op.add_column("course", sa.Column("team_size", sa.Integer(), nullable=True))
    op.add_column("course", sa.Column("teams_until", UtcDateTime(), nullable=True))
    op.create_index("ix_course_join_code", "course", ["join_code"], unique=True)
    op.add_column("login_session", sa.Column("last_seen_at", UtcDateTime(), nullable=True))
    op.add_column("team", sa.Column("pseudonym", sa.String(length=100), nullable=True))
    op.add_column("user_account", sa.Column("email_verified_at", UtcDateTime(), nullable=True))
    op.add_column("user_account", sa.Column("time_zone", sa.String(length=64), nullable=True))
    op.add_column("user_account", sa.Column("muted", sa.JSON(), nullable=True))
    op.add_column("user_account", sa.Column("erased_at", UtcDateTime(), nullable=True))
    # every account so far was made by staff
    op.execute("UPDATE user_account SET email_verified_at = created_at")


def _drop_people_and_messages() -> None:
    op.drop_column("user_account", "erased_at")
    op.drop_column("user_account", "muted")
    op.drop_column("user_account", "time_zone")
    op.drop_column("user_account", "email_verified_at")
    op.drop_column("team", "pseudonym")
    op.drop_column("login_session", "last_seen_at")
    op.drop_index("ix_course_join_code", table_name="course")
    op.drop_column("course", "teams_until")
    op.drop_column("course", "team_size")
    op.drop_column("course", "join_code")
    op.drop_index(op.f("ix_invitation_team_id"), table_name="invitation")
    op.drop_index(op.f("ix_invitation_course_id"), table_name="invitation")
    op.drop_table("invitation")
    op.drop_index(op.f("ix_outgoing_mail_user_id"), table_name="outgoing_mail")
    op.drop_index("ix_outgoing_mail_due", table_name="outgoing_mail")
    op.drop_table("outgoing_mail")
    op.drop_index("ix_notification_unread", table_name="notification")
    op.drop_table("notification")
    op.drop_index(op.f("ix_identity_user_id"), table_name="identity")
    op.drop_table("identity")
    op.drop_index("ix_attempt_key", table_name="attempt")
    op.drop_table("attempt")
    op.create_table(
        "sign_in_failure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failure")),
    )
    op.create_index("ix_sign_in_failure_key", "sign_in_failure", ["key_sha256", "at"], unique=False)


# what a table must never change. An evaluation's log and messages are content, not result: they
# may be removed when they are no longer kept
_APPEND_ONLY: dict[str, tuple[str, ...]] = {
    "split_score": (),
    # but for the team: one that becomes part of another brings its ledger along
    "quota_entry": ("id", "assignment_id", "submission_id", "day", "amount", "reason", "at"),
    "audit_event": (),
    "evaluation": (
        "id",
        "submission_id",
        "number",
        "cause",
        "verdict",
        "failed_in",
        "flags",
        "predictions_sha256",
        "content_sha256",
        "answers_sha256",
        "folder_sha256",
        "code_version",
        "environment",
        "timing",
        "facts",
        "created_at",
    ),
}


def _add_safekeeping() -> None:
    """Late days, removed content, the heads of the audit chains, rows that stay as they are."""
    for name in ("days_late", "late_days_spent"):
        op.add_column(
            "submission", sa.Column(name, sa.Integer(), nullable=False, server_default="0")
        )
    op.add_column("submission", sa.Column("content_removed_at", UtcDateTime(), nullable=True))
    op.create_table(
        "audit_head",
        sa.Column("chain", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=88), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_head")),
    )
    # `leaderboard init` signs them, since the key is not in the database
    op.execute(
        "INSERT INTO audit_head (chain, number, hash, key_id, signature) "
        "SELECT chain, number, hash, '', '' FROM audit_event AS last WHERE number = "
        "(SELECT max(number) FROM audit_event WHERE chain = last.chain)"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME "
            "USING ERRCODE = 'restrict_violation'; END $$"
        )
    for table, columns in _APPEND_ONLY.items():
        _guard(table, columns)


def _guard(table: str, columns: tuple[str, ...]) -> None:
    update = f"UPDATE OF {', '.join(columns)}" if columns else "UPDATE"
    if op.get_bind().dialect.name == "postgresql":
        events = {
            "change": f"BEFORE {update} OR DELETE ON {table} FOR EACH ROW",
            "truncate": f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT",
        }
        for name, event in events.items():
            op.execute(f"CREATE TRIGGER {table}_no_{name} {event} EXECUTE FUNCTION refuse_change()")
        return
    for name, event in {"update": update, "delete": "DELETE"}.items():
        op.execute(
            f"CREATE TRIGGER {table}_no_{name} BEFORE {event} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _drop_safekeeping() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    names = ("change", "truncate") if is_postgresql else ("update", "delete")
    for table in _APPEND_ONLY:
        for name in names:
            op.execute(
                f"DROP TRIGGER {table}_no_{name}" + (f" ON {table}" if is_postgresql else "")
            )
    if is_postgresql:
        op.execute("DROP FUNCTION refuse_change()")
    op.drop_table("audit_head")
    op.drop_column("submission", "content_removed_at")
    op.drop_column("submission", "late_days_spent")
    op.drop_column("submission", "days_late")


def _add_lanes_and_rescores() -> None:
    """What was declared; the queue that a submission waits in; the rescore of an assignment."""
    op.add_column("submission", sa.Column("declared", sa.JSON(), nullable=True))
    op.add_column("submission", sa.Column("lane", sa.String(length=20), nullable=True))
    op.execute("UPDATE submission SET lane = kind")
    op.drop_index("ix_submission_queue", table_name="submission")
    op.create_index("ix_submission_queue", "submission", ["status", "lane", "priority", "id"])
    op.add_column("evaluation", sa.Column("labels_sha256", sa.String(length=64), nullable=True))
    op.create_table(
        "rescore",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=False),
        sa.Column("actor_user_id", sa.Integer(), nullable=True),
        sa.Column("until_id", sa.Integer(), nullable=False),
        sa.Column("at_team_id", sa.Integer(), nullable=False),
        sa.Column("at_submission_id", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name=op.f("fk_rescore_assignment_id_assignment")
        ),
        sa.ForeignKeyConstraint(
            ["actor_user_id"],
            ["user_account.id"],
            name=op.f("fk_rescore_actor_user_id_user_account"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rescore")),
    )
    op.create_index(op.f("ix_rescore_assignment_id"), "rescore", ["assignment_id"], unique=False)


def _drop_lanes_and_rescores() -> None:
    op.drop_index(op.f("ix_rescore_assignment_id"), table_name="rescore")
    op.drop_table("rescore")
    op.drop_column("evaluation", "labels_sha256")
    op.drop_index("ix_submission_queue", table_name="submission")
    op.drop_column("submission", "lane")
    op.drop_column("submission", "declared")
    op.create_index("ix_submission_queue", "submission", ["status", "kind", "priority", "id"])


_PLACE = ["assignment_id", "team_id", "split"]
_RANKED = ["is_baseline", "rank_key", "achieved_at", "team_id"]


def _add_tracks() -> None:
    """A board for each track, where pretrained weights have one of their own; and the ranks that a
    day began with."""
    op.add_column("assignment", sa.Column("ranks_kept_on", sa.String(length=10), nullable=True))
    op.drop_index("ix_standing_rank", table_name="standing")
    with op.batch_alter_table("standing") as standing:
        standing.add_column(
            sa.Column("track", sa.String(length=20), nullable=False, server_default="all")
        )
        standing.add_column(sa.Column("rank_before", sa.Integer(), nullable=True))
        standing.drop_constraint(op.f("uq_standing_assignment_id_team_id_split"), type_="unique")
        standing.create_unique_constraint(
            op.f("uq_standing_assignment_id_team_id_split_track"), [*_PLACE, "track"]
        )
        standing.create_check_constraint(
            op.f("ck_standing_track_known"), "track IN ('all', 'scratch', 'pretrained')"
        )
    op.create_index("ix_standing_rank", "standing", ["assignment_id", "split", "track", *_RANKED])
    # nothing could be declared so far: what stands on the whole board stands among the undeclared
    columns = (
        "assignment_id, team_id, split, submission_id, is_baseline, primary_score, rank_key, "
        'achieved_at, accuracy, macro_f1, interval_low, interval_high, "right", entries, last_at'
    )
    op.execute(
        f"INSERT INTO standing (track, {columns}) SELECT 'scratch', {columns} FROM standing "  # noqa: S608
        "WHERE assignment_id IN "
        "(SELECT id FROM assignment WHERE settings_toml LIKE '%own track%')"
    )


def _drop_tracks() -> None:
    op.drop_column("assignment", "ranks_kept_on")
    op.execute("DELETE FROM standing WHERE track != 'all'")
    op.drop_index("ix_standing_rank", table_name="standing")
    with op.batch_alter_table("standing") as standing:
        standing.drop_constraint(op.f("ck_standing_track_known"), type_="check")
        standing.drop_constraint(
            op.f("uq_standing_assignment_id_team_id_split_track"), type_="unique"
        )
        standing.drop_column("track")
        standing.drop_column("rank_before")
        standing.create_unique_constraint(op.f("uq_standing_assignment_id_team_id_split"), _PLACE)
    op.create_index("ix_standing_rank", "standing", ["assignment_id", "split", *_RANKED])
