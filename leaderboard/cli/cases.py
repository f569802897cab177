"""The command of cases: what was flagged or asked, and what is decided when the team was heard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from grader.words.message import said
from leaderboard.cli.common import opened_state, refusable
from leaderboard.cli.group import main

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from leaderboard.models import Case, Course
    from leaderboard.state import State


@main.command()
@click.argument("course")
@click.argument("number", type=int, required=False)
@click.option("--undecided", is_flag=True, help="List only those to be decided.")
@click.option("--open", "about", default="", metavar="SUBMISSION", help="Open one; --text: why.")
@click.option("--notice", is_flag=True, help="Tell the team --text; it may reply --until.")
@click.option("--until", default="", help="At least a day; without an offset, the course's time.")
@click.option("--close", is_flag=True, help="Unfounded: the submission stands.")
@click.option("--void", is_flag=True, help="The submission counts no more. Hear the team first.")
@click.option("--restore", is_flag=True, help="A voided submission counts again.")
@click.option("--text", default="", help="What is asked, or the reason; it is kept word for word.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in UTC.")
@refusable
def cases(
    course: str, number: int | None, undecided: bool, about: str, as_json: bool, **step: Any
) -> None:
    """List a course's cases, look at one with its evidence, or take a step in it.

    A case opens by itself when a submission is flagged MEM. The team sees nothing of it before it
    is given notice; its submission stands until it was heard.

    \b
    leaderboard cases dl-2026 --undecided
    leaderboard cases dl-2026 --open s_4k2j1c0vq7 --text "The same file as team nine's."
    leaderboard cases dl-2026 3 --notice --text "How was it made?" --until 2026-12-20T23:59
    leaderboard cases dl-2026 3 --void --text "Answers were looked up, as you say."
    """
    from leaderboard.accounts import courses
    from leaderboard.cases import reading
    from leaderboard.views import shapes

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if number is None and not about:
            listed = reading.of_course(session, found, undecided=undecided)
            _table(shapes.as_json(tuple(map(reading.staff_report, listed))), as_json=as_json)
            return
        case = _opened(session, found, about, step["text"]) if about else None
        if case is None:
            case = reading.one(session, found, number or 0)
            _take(session, state, case, **step)
        _show(session, case, as_json=as_json)


def _opened(session: Session, course: Course, about: str, text: str) -> Case:
    import sqlalchemy as sa

    from leaderboard.cases import opening
    from leaderboard.errors import NotFound
    from leaderboard.models import Submission

    submission = session.scalars(sa.select(Submission).filter_by(public_id=about)).first()
    if submission is None or submission.assignment.course_id != course.id:
        raise NotFound(said("submission.none", submission=about))
    return opening.open_by_hand(session, submission, text, actor=None)


def _take(session: Session, state: State, case: Case, **step: Any) -> None:
    from leaderboard.cases import hearing, voiding
    from leaderboard.rules import schedule

    text = step["text"]
    wanted = [name for name in ("notice", "close", "void", "restore") if step[name]]
    if len(wanted) > 1 or (text and not wanted):
        raise click.UsageError("Give one of --open, --notice, --close, --void and --restore.")
    if "notice" in wanted:
        until = schedule.moment_of(step["until"], case.course.time_zone)
        hearing.give_notice(session, case, text, reply_until=until, actor=None)
    elif "close" in wanted:
        hearing.close(session, case, text, actor=None)
    elif wanted:
        decide = voiding.void if "void" in wanted else voiding.restore
        decide(session, state, case, text, actor=None)


def _table(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    names = ("id", "submission", "team", "assignment", "cause", "state", "reply_until")
    click.echo("\t".join(names))
    for row in rows:
        click.echo("\t".join(str(row[name] or "-") for name in names))


def _show(session: Session, case: Case, *, as_json: bool) -> None:
    """Print a case: what it is about, the evidence, each step with its words."""
    from leaderboard.cases import reading
    from leaderboard.views import evidence, shapes

    told = shapes.as_json(reading.staff_report(case, evidence.of_case(session, case)))
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for name in ("id", "submission", "team", "assignment", "cause", "state", "reply_until"):
        click.echo(f"{name}: {told[name] or '-'}")
    for name, figures in (told["evidence"] or {}).items():
        for key, value in (figures or {}).items():
            click.echo(f"{name} {key}: {value}")
    for each in told["steps"]:
        click.echo(f"\n{each['step']} {each['at']} {each['by'] or ''}".rstrip())
        if each["text"]:
            click.echo(each["text"])
