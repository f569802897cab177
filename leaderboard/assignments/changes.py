"""What publishing an assignment anew changes, in words, and for how many scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from grader.assignments.renames import renamed_classes
from grader.words.message import Message
from leaderboard.boards.outdated import measured_alike, of_the_images
from leaderboard.models import Assignment, Evaluation, Submission
from leaderboard.recent import recently

_KEPT_SECONDS = 600.0
# the share of ids, and of these ids' answers, that two editions of one assignment have in common
_SAME = 0.5


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Sentences for staff; `outdated`: scores that await rescoring, `reruns`: code that needs to
    run again; `is_another`: it looks like a different assignment under the same name; `notices`:
    how its pictures were made one size, if they were."""

    sentences: tuple[str, ...]
    outdated: int
    reruns: int
    is_another: bool
    notices: tuple[Message, ...] = ()


def between(before: grader.Assignment, after: grader.Assignment) -> tuple[str, ...]:
    """What differs in what scores are measured by, a sentence each."""
    old, new = before.answer_key(), after.answer_key()
    renamed = renamed_classes(old, new)
    return (
        *_classes(before.classes, after.classes, renamed),
        *_rows(old, new, renamed),
        *_metric(before.scoring.metric, after.scoring.metric),
    )


def dates(late: int, early: int) -> Iterator[str]:
    """What other dates do to how many hand-ins, a sentence each."""
    if late:
        yield f"{late} hand-ins that were in time are late by these dates."
    if early:
        yield f"{early} hand-ins that were late are in time by these dates."


def is_another(before: grader.Assignment, after: grader.Assignment) -> bool:
    """Whether two editions have too little in common to be of one assignment: images by their ids,
    classes, and what most of the common images are of."""
    old, new = before.answer_key(), after.answer_key()
    common = set(old.ids) & set(new.ids)
    renamed = renamed_classes(old, new)
    has_same_rows = len(common) >= _SAME * min(len(old.ids), len(new.ids))
    has_same_classes = bool(renamed or set(before.classes) & set(after.classes))
    relabelled = _relabelled(old, new, renamed)
    return not (has_same_rows and has_same_classes and relabelled <= (1 - _SAME) * len(common))


@dataclass(frozen=True, kw_only=True)
class Behind:
    """How many of an assignment's standing scores are `outdated`, being of other answers or another
    metric than the present ones, and how many of code are of other images: `reruns` alone bring
    those up to date."""

    outdated: int
    reruns: int


def outdated(session: Session, assignment: Assignment) -> int:
    """How many standing scores are of other answers or another metric than the present ones."""
    return behind(session, [assignment.id])[assignment.id].outdated


def needing_a_run(session: Session, assignment: Assignment) -> int:
    """How many scores of code are of other images: a run alone brings them up to date."""
    return behind(session, [assignment.id])[assignment.id].reruns


def behind(session: Session, ids: Sequence[int]) -> dict[int, Behind]:
    """Of each assignment, by its id, what is behind.

    It reads every standing evaluation, so a count is kept until an evaluation is added or an
    assignment published, by which alone it changes.
    """
    newest = session.scalar(sa.select(sa.func.max(Evaluation.id))) or 0
    editions = session.execute(
        sa.select(Assignment.id, Assignment.measure_sha256, Assignment.answers_sha256)
        .add_columns(Assignment.images_sha256)
        .where(Assignment.id.in_(ids))
        .order_by(Assignment.id)
    )
    key = ("behind", newest, *(tuple(each) for each in editions))
    return recently(session, key, lambda: _behind(session, ids), seconds=_KEPT_SECONDS)


def _behind(session: Session, ids: Sequence[int]) -> dict[int, Behind]:
    counted = (
        sa.select(
            Submission.assignment_id,
            sa.func.sum(sa.case((sa.not_(measured_alike()), 1), else_=0)),
            sa.func.sum(sa.case((sa.not_(of_the_images()), 1), else_=0)),
        )
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .join(Evaluation, Evaluation.id == Submission.current_evaluation_id)
        .where(Submission.assignment_id.in_(ids), Evaluation.verdict == grader.Verdict.OK.value)
        .group_by(Submission.assignment_id)
    )
    found = {
        number: Behind(outdated=old, reruns=reruns)
        for number, old, reruns in session.execute(counted)
    }
    return {number: found.get(number, Behind(outdated=0, reruns=0)) for number in ids}


def _classes(
    before: Sequence[str], after: Sequence[str], renamed: Mapping[str, str]
) -> Iterator[str]:
    for old, new in renamed.items():
        yield f"The class {old!r} is called {new!r} now; predictions of it are carried."
    before = [renamed.get(name, name) for name in before]
    added = [name for name in after if name not in before]
    gone = [name for name in before if name not in after]
    if added:
        yield f"New classes: {', '.join(added)}. No prediction so far can name them."
    if gone:
        yield f"Classes that are gone: {', '.join(gone)}. Predictions that name them can't be kept."
    common = [name for name in before if name in after]
    if common != [name for name in after if name in before]:
        yield "The classes have another order. Predictions are carried by the classes' names."


def _rows(
    before: grader.AnswerKey, after: grader.AnswerKey, renamed: Mapping[str, str]
) -> Iterator[str]:
    old = {name: row for row, name in enumerate(before.ids)}
    new = {name: row for row, name in enumerate(after.ids)}
    withdrawn, added = len(old.keys() - new.keys()), len(new.keys() - old.keys())
    common = old.keys() & new.keys()
    relabelled = _relabelled(before, after, renamed)
    moved = sum(before.public[old[name]] != after.public[new[name]] for name in common)
    if withdrawn:
        yield f"{withdrawn} images are withdrawn; they are left out of everybody's score."
    if added:
        yield f"{added} images are new: what was handed in before has no prediction for them."
    if relabelled:
        yield f"The right answer of {relabelled} images changes."
    if moved:
        yield f"{moved} images move between the public and the private split."


def _relabelled(
    before: grader.AnswerKey, after: grader.AnswerKey, renamed: Mapping[str, str]
) -> int:
    """How many of the common images have another right answer."""
    names = [renamed.get(name, name) for name in before.classes]
    old = {name: names[label] for name, label in zip(before.ids, before.labels, strict=True)}
    return sum(
        name in old and old[name] != after.classes[label]
        for name, label in zip(after.ids, after.labels, strict=True)
    )


def _metric(before: str, after: str) -> Iterator[str]:
    if before != after:
        old, new = grader.METRICS[before], grader.METRICS[after]
        yield f"Teams are ranked by {new.title} in place of {old.title}."
        if new.needs != old.needs:
            yield f"{new.title} needs {new.needs}: hand-ins without can't be rescored."
