"""The grade of every student in an assignment, as it stands now. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from grader.scoring.explained import explained
from grader.scoring.grading import Grade
from grader.words.message import Message, said
from leaderboard.cases import reading
from leaderboard.grades import marks, scales
from leaderboard.models import (
    Assignment,
    Case,
    Enrolment,
    GradeMark,
    GradeState,
    MarkKind,
    PublishedGrade,
    Role,
    Split,
    Standing,
    Submission,
    SubmissionStatus,
    Team,
    TeamMember,
    Track,
    User,
)
from leaderboard.rules import lateness

_WITHOUT = {
    MarkKind.WITHDRAWN: GradeState.WITHDRAWN,
    MarkKind.AUDITING: GradeState.AUDITING,
    MarkKind.EXCUSED: GradeState.EXCUSED,
}


_PUBLISHED = (GradeState.READY, GradeState.EXCUSED, GradeState.MISSING)


@dataclass(frozen=True, kw_only=True)
class PersonGrade:
    """One student's grade.

    Attributes:
        grade: by score, factor and days late; None without a score.
        given, written, passed: the grade that stands; None and "" where there is none.
        published: what the person was told, if anything.
        stays: the present one is worse than the published one, which stays until it is signed.
    """

    user: User
    number: str | None
    section: str
    team: Team | None
    submission: Submission | None
    state: GradeState
    grade: Grade | None
    factor: float
    override: float | None
    given: float | None
    written: str
    passed: bool | None
    said: tuple[Message, ...]
    published: PublishedGrade | None
    stays: bool = False

    @property
    def is_news(self) -> bool:
        """Whether publishing would tell the person something."""
        if self.state not in _PUBLISHED or self.stays:
            return False
        before = self.published
        return before is None or (before.state, before.written) != (self.state, self.written)

    @property
    def is_corrected(self) -> bool:
        """Whether the grade is the published one, by another score or for another reason."""
        before = self.published
        if before is None or self.state not in _PUBLISHED or self.stays:
            return False
        return before.explanation != told(self)


def told(grade: PersonGrade) -> list[dict[str, Any]]:
    """Why a grade is what it is, as it is kept: text, code and values of each sentence."""
    return [{"text": str(each), **each.as_data()} for each in grade.said]


def of_assignment(
    session: Session,
    assignment: Assignment,
    user_id: int | None = None,
    *,
    may_lower: bool = False,
) -> tuple[PersonGrade, ...]:
    """Every student, by e-mail address; or the one.

    `may_lower`: what was published stands in the way of nothing.
    """
    facts = _Facts.read(session, assignment)
    found = [_grade(facts, *each) for each in _students(session, assignment, user_id)]
    return tuple(found if may_lower else [_not_lowered(facts.held, each) for each in found])


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What the grades of an assignment rest on, each read once."""

    held: scales.Holding
    scored: Mapping[int, Standing]
    in_question: frozenset[int]
    under_way: frozenset[int]
    marks: Mapping[int, Mapping[MarkKind, GradeMark]]
    published: Mapping[int, PublishedGrade]

    @classmethod
    def read(cls, session: Session, assignment: Assignment) -> _Facts:
        return cls(
            held=scales.holding(session, assignment),
            scored=_scored(session, assignment),
            in_question=_teams_in_question(session, assignment),
            under_way=_teams_under_way(session, assignment),
            marks=marks.by_person(session, assignment),
            published={
                each.user_id: each
                for each in session.scalars(
                    sa.select(PublishedGrade).where(PublishedGrade.assignment_id == assignment.id)
                )
            },
        )


def _grade(facts: _Facts, enrolment: Enrolment, team: Team | None) -> PersonGrade:
    own = facts.marks.get(enrolment.user_id, {})
    standing = facts.scored.get(team.id) if team else None
    factor = _number(own.get(MarkKind.FACTOR), 1.0)
    made = _made(facts.held, standing, factor) if standing and not standing.is_outdated else None
    common: dict[str, Any] = {
        "user": enrolment.user,
        "number": enrolment.number,
        "section": enrolment.section,
        "team": team,
        "submission": standing.submission if standing else None,
        "grade": made,
        "factor": factor,
        "published": facts.published.get(enrolment.user_id),
    }
    for kind, state in _WITHOUT.items():
        if kind in own:
            return _without(common, state, _because(own[kind]))
    if MarkKind.OVERRIDE in own:
        return _overridden(facts.held, common, own[MarkKind.OVERRIDE])
    if team is not None and (pending := _pending(facts, team, standing)):
        return _without(common, GradeState.PENDING, pending)
    if made is None:
        return _without(common, GradeState.MISSING, said("grade.missing"))
    because = [explained(made)]
    if MarkKind.FACTOR in own:
        because.append(_because(own[MarkKind.FACTOR]))
    return PersonGrade(
        **common,
        state=GradeState.READY,
        override=None,
        given=made.given,
        written=made.written,
        passed=made.passed,
        said=tuple(because),
    )


def _not_lowered(held: scales.Holding, found: PersonGrade) -> PersonGrade:
    """What was published stays where the present grade is worse, or gone."""
    told = found.published
    if told is None or told.state is not GradeState.READY or told.given is None:
        return found
    is_gone = found.state is GradeState.MISSING
    is_worse = found.given is not None and held.is_better(told.given, found.given)
    if not (is_gone or is_worse):
        return found
    return replace(
        found,
        state=GradeState.READY,
        given=told.given,
        written=told.written,
        passed=told.passed,
        said=(*found.said, said("grade.stays", written=told.written)),
        stays=True,
    )


def _overridden(held: scales.Holding, common: Mapping[str, Any], mark: GradeMark) -> PersonGrade:
    given, steps = _number(mark, 0.0), held.newest.steps if held.newest else None
    written = steps.written(given) if steps else f"{given:.4f}"
    return PersonGrade(
        **common,
        state=GradeState.READY,
        override=given,
        given=given,
        written=written,
        passed=steps.passes(given) if steps else True,
        said=(said("grade.overridden", written=written, reason=mark.reason),),
    )


def _without(common: Mapping[str, Any], state: GradeState, why: Message) -> PersonGrade:
    return PersonGrade(
        **common, state=state, override=None, given=None, written="", passed=None, said=(why,)
    )


def _because(mark: GradeMark) -> Message:
    if mark.kind is MarkKind.WITHDRAWN:
        return said("grade.withdrawn", reason=mark.reason)
    if mark.kind is MarkKind.AUDITING:
        return said("grade.auditing", reason=mark.reason)
    if mark.kind is MarkKind.EXCUSED:
        return said("grade.excused", reason=mark.reason)
    return said("grade.own_factor", reason=mark.reason)


def _pending(facts: _Facts, team: Team, standing: Standing | None) -> Message | None:
    if team.id in facts.in_question:
        return said("grade.pending_case")
    if team.id in facts.under_way:
        return said("grade.pending_evaluation")
    if standing is not None and standing.is_outdated:
        return said("grade.pending_rescore")
    return None


def _made(held: scales.Holding, standing: Standing, factor: float) -> Grade:
    days = lateness.penalty_days(standing.submission)
    return held.grade(standing.primary, days_late=days, factor=factor)


def _number(mark: GradeMark | None, otherwise: float) -> float:
    return otherwise if mark is None or mark.value is None else mark.value


def _scored(session: Session, assignment: Assignment) -> dict[int, Standing]:
    rows = session.scalars(
        sa.select(Standing)
        .where(
            Standing.assignment_id == assignment.id,
            Standing.split == Split.PRIVATE,
            Standing.track == Track.ALL,
            Standing.is_baseline.is_(False),
        )
        .options(
            joinedload(Standing.submission).load_only(
                Submission.public_id,
                Submission.declared,
                Submission.days_late,
                Submission.late_days_spent,
            )
        )
    )
    return {each.team_id: each for each in rows}


def _teams_in_question(session: Session, assignment: Assignment) -> frozenset[int]:
    """Those with a case about a submission of theirs that is not decided."""
    return frozenset(
        session.scalars(
            sa.select(Submission.team_id)
            .join(Case, Case.submission_id == Submission.id)
            .where(Submission.assignment_id == assignment.id, Case.state.in_(reading.UNDECIDED))
        )
    )


def _teams_under_way(session: Session, assignment: Assignment) -> frozenset[int]:
    """Those with a submission that waits for its evaluation, the first or another one."""
    under_way = (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)
    return frozenset(
        session.scalars(
            sa.select(Submission.team_id).where(
                Submission.assignment_id == assignment.id, Submission.status.in_(under_way)
            )
        )
    )


def _students(
    session: Session, assignment: Assignment, user_id: int | None
) -> Sequence[tuple[Enrolment, Team | None]]:
    query = (
        sa.select(Enrolment, Team)
        .outerjoin(
            TeamMember,
            sa.and_(
                TeamMember.user_id == Enrolment.user_id,
                TeamMember.course_id == Enrolment.course_id,
            ),
        )
        .outerjoin(Team, Team.id == TeamMember.team_id)
        .where(Enrolment.course_id == assignment.course_id, Enrolment.role == Role.STUDENT)
        .options(joinedload(Enrolment.user))
    )
    if user_id is not None:
        query = query.where(Enrolment.user_id == user_id)
    found = [(enrolment, team) for enrolment, team in session.execute(query)]
    return sorted(found, key=lambda pair: (pair[0].user.address, pair[0].number or "", pair[0].id))
