"""What becomes of each table's rows: the one registry that whoever keeps, shows or removes reads.

A model says it beside its columns, as `keeping = Keeping(…)`. From there come the lists of what an
erasure deletes, what is forgotten with time, which files a backup copies and `leaderboard verify`
reads, which tables a backup leaves out and which refuse changes; deploy/README has the overview.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from leaderboard.db import Base


class Erasure(enum.StrEnum):
    """What the erasure of a person does to a table's rows."""

    NONE = "none"  # they hold numbers and hashes, nothing that a person is known by
    EMPTIED = "emptied"  # they stay, since scores rest on them; who and what was written goes
    DELETED = "deleted"  # those whose user_id is the person's go


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """Rows go once one of these columns, moments all, is older than `lifetime`."""

    after: tuple[str, ...]
    lifetime: timedelta


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What becomes of a table's rows.

    `guarded`: the columns that decide a grade or a right, or who somebody is; the audit chain holds
    a hash of every row of them (guarding.py), and `leaderboard verify` compares. `personal`: those
    of them that hold what a person is known by, which goes into the hash by a print that only the
    server's key makes.
    `audited`: the first words of the audit actions that tell of its changes ("team" of "team.join";
    none: the chain doesn't). `told_as`: the part of a person's record that shows their rows; "": no
    part does. `verified`: which step of `leaderboard verify` looks at its rows, beside "files",
    which reads `files`: columns that name files of the store; they are gone for good where the
    column `files_removed_at` is set. `append_only`: triggers refuse changes. `backed_up`: a backup
    holds its rows.
    """

    audited: tuple[str, ...]
    told_as: str
    erasure: Erasure
    forgotten: Forgotten | None = None
    verified: str = ""
    files: tuple[str, ...] = ()
    files_removed_at: str = ""
    append_only: bool = False
    guarded: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    backed_up: bool = True


def registry() -> dict[type[Base], Keeping]:
    """Every model's entry, by the tables' names.

    Raises:
        TypeError: a model has none; the message says what it must say.
    """
    models: list[type[Base]] = [mapper.class_ for mapper in Base.registry.mappers]
    for model in models:
        if not isinstance(vars(model).get("keeping"), Keeping):
            raise TypeError(
                f"{model.__name__} does not say what becomes of its rows: give it "
                "`keeping = Keeping(audited=…, told_as=…, erasure=…)` as the other models have it "
                "(leaderboard/models/keeping.py), show its rows to whom they are about and remove "
                "them with the person (operations/privacy), and add the row that "
                "tests/leaderboard/test_keeping_registry.py asks for to deploy/README.md"
            )
    return {
        model: vars(model)["keeping"] for model in sorted(models, key=lambda each: name_of(each))
    }


def models_where(holds: Callable[[Keeping], object]) -> tuple[type[Base], ...]:
    """The models whose entry answers with something true."""
    return tuple(model for model, keeping in registry().items() if holds(keeping))


def lifetime_of(model: type[Base]) -> timedelta:
    """How long its rows are kept after their end, where they are forgotten at all."""
    forgotten = registry()[model].forgotten
    assert forgotten is not None, f"{model.__name__} is not forgotten"
    return forgotten.lifetime


def name_of(model: type[Base]) -> str:
    """Its table's."""
    return str(model.__tablename__)
