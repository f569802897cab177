"""The words that columns hold: enums, with a note a state."""

from __future__ import annotations

import enum

import sqlalchemy as sa


class Role(enum.StrEnum):
    """What a person is in a course."""

    STUDENT = "student"
    AUDITOR = "auditor"  # hands in like a student, without a rank and without a grade
    EXAMINER = "examiner"  # external: reads grades by pseudonym, until a date
    ASSISTANT = "assistant"  # reads everything, or what is of their sections; rejudges
    INSTRUCTOR = "instructor"  # also publishes, releases, enrols
    BASELINE = "baseline"  # the account that hands the reference models in: staff, no quota or rank

    @property
    def is_staff(self) -> bool:
        return self not in (Role.STUDENT, Role.AUDITOR)


class SubmissionStatus(enum.StrEnum):
    """Where a submission is on its way. A change is one conditional UPDATE (queue.py)."""

    QUEUED = "queued"  # accepted; waits for a worker
    RUNNING = "running"  # a worker has it; `phase` says what it does
    FINISHED = "finished"  # has a verdict
    CANCELLED = "cancelled"  # withdrawn before it was scored; no verdict, refunded


class Cause(enum.StrEnum):
    """Why an evaluation was made."""

    HAND_IN = "hand_in"
    RESCORE = "rescore"  # the stored predictions against the present key and metric
    RERUN = "rerun"  # the code again
    RETRY = "retry"  # the code again after a time-out, once, alone on its worker


class Split(enum.StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"


class Track(enum.StrEnum):
    """Which hand-ins a board ranks, where pretrained weights have a track of their own."""

    ALL = "all"  # every hand-in; what grades go by. The only board of any other assignment
    SCRATCH = "scratch"  # those that declare no pretrained weights
    PRETRAINED = "pretrained"  # those that declare them


class Shown(enum.StrEnum):
    """Which images were explained, and so who may see the maps: a program can draw in them."""

    SAMPLE = "sample"  # of the public sample: its team and staff
    HIDDEN = "hidden"  # of the hidden test set: staff alone


class Kind(enum.StrEnum):
    CSV = "csv"
    CODE = "code"


class Lane(enum.StrEnum):
    """Which queue a submission's evaluations wait in; a worker listens to those it can serve."""

    CSV = "csv"
    CODE = "code"
    GPU = "gpu"  # code of an assignment whose limits ask for GPU memory


class Reason(enum.StrEnum):
    """Why staff extend; told to instructors and to the person whom it is about, nobody else."""

    ILLNESS = "illness"
    ACCOMMODATION = "accommodation"  # of a disability
    FAMILY = "family"
    TECHNICAL = "technical"  # a failure that was not the team's
    OTHER = "other"


def one_of(column: str, values: type[enum.StrEnum]) -> str:
    """The SQL of a CHECK that a column holds one of an enum's words."""
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


def enum_column(values: type[enum.StrEnum]) -> sa.Enum:
    """Stored as text with a CHECK in the schema, so that both databases hold the same words."""
    return sa.Enum(
        values,
        values_callable=lambda members: [member.value for member in members],
        native_enum=False,
        create_constraint=False,
        length=20,
    )


SHA256 = sa.String(64)
