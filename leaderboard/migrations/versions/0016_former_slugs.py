"""Slugs that assignments had, and tokens that hand in to an assignment whatever it is called."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_NARROW = "submit:"
_tokens = sa.table(
    "api_token",
    sa.column("id", sa.Integer()),
    sa.column("scopes", sa.JSON()),
    sa.column("assignment_id", sa.Integer()),
)
_assignments = sa.table(
    "assignment",
    sa.column("id", sa.Integer()),
    sa.column("course_id", sa.Integer()),
    sa.column("slug", sa.String()),
)
_courses = sa.table("course", sa.column("id", sa.Integer()), sa.column("code", sa.String()))


def upgrade() -> None:
    op.create_table(
        "former_slug",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_former_slug_course_id_course")
        ),
        sa.ForeignKeyConstraint(
            ["assignment_id"],
            ["assignment.id"],
            name=op.f("fk_former_slug_assignment_id_assignment"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_slug")),
        sa.UniqueConstraint("course_id", "slug", name=op.f("uq_former_slug_course_id_slug")),
    )
    op.create_index(op.f("ix_former_slug_assignment_id"), "former_slug", ["assignment_id"])
    with op.batch_alter_table("api_token") as token:
        token.add_column(sa.Column("assignment_id", sa.Integer(), nullable=True))
        token.create_foreign_key(
            op.f("fk_api_token_assignment_id_assignment"), "assignment", ["assignment_id"], ["id"]
        )
        token.create_index(op.f("ix_api_token_assignment_id"), ["assignment_id"])
    _bind()


def downgrade() -> None:
    _unbind()
    with op.batch_alter_table("api_token") as token:
        token.drop_index(op.f("ix_api_token_assignment_id"))
        token.drop_constraint(op.f("fk_api_token_assignment_id_assignment"), type_="foreignkey")
        token.drop_column("assignment_id")
    op.drop_table("former_slug")


def _bind() -> None:
    """Tokens named the assignment by its slug; one whose assignment is not there any more opens
    nothing, before as after."""
    connection = op.get_bind()
    there = {f"{_NARROW}{code}/{slug}": number for code, slug, number in _places(connection)}
    for token in connection.execute(sa.select(_tokens.c.id, _tokens.c.scopes)).all():
        if any(scope.startswith(_NARROW) for scope in token.scopes):
            number = next((there[scope] for scope in token.scopes if scope in there), None)
            _set(connection, token.id, scopes=[], assignment_id=number)


def _unbind() -> None:
    connection = op.get_bind()
    called = {number: f"{_NARROW}{code}/{slug}" for code, slug, number in _places(connection)}
    bound = sa.select(_tokens.c.id, _tokens.c.assignment_id).where(
        _tokens.c.assignment_id.is_not(None)
    )
    for token in connection.execute(bound).all():
        _set(connection, token.id, scopes=[called[token.assignment_id]], assignment_id=None)


def _places(connection: sa.Connection) -> list[tuple[str, str, int]]:
    places = sa.select(_courses.c.code, _assignments.c.slug, _assignments.c.id).join(
        _courses, _courses.c.id == _assignments.c.course_id
    )
    return [(code, slug, number) for code, slug, number in connection.execute(places)]


def _set(connection: sa.Connection, token: int, **values: object) -> None:
    connection.execute(sa.update(_tokens).where(_tokens.c.id == token).values(**values))
