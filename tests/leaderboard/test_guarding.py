"""What is noted of changed rows, and of whose tables."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from leaderboard.models import guarding


class OtherBase(DeclarativeBase):
    """Of another library in the same process, as Optuna's is."""


class OtherRow(OtherBase):
    """Of a table that is named as one of the server's."""

    __tablename__ = guarding.name_of(guarding.guarded_models()[0])

    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str]


def test_tables_of_another_library_are_left_alone():
    engine = sa.create_engine("sqlite://")
    OtherBase.metadata.create_all(engine)

    with Session(engine) as session:
        session.add(OtherRow(word="first"))
        session.flush()
        session.execute(sa.update(OtherRow).values(word="second"))

        assert session.scalars(sa.select(OtherRow.word)).all() == ["second"]
        assert not guarding.is_noted(session)
