"""The command of questions about grades."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from leaderboard.cli.common import opened_state, refusable
from leaderboard.cli.group import main

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from leaderboard.models import Regrade


@main.command()
@click.argument("course")
@click.argument("number", type=int, required=False)
@click.option("--reply", "text", default="", metavar="TEXT", help="What the team is answered.")
@click.option(
    "--outcome", type=click.Choice(["changed", "unchanged"]), help="Close it, with --reply."
)
@click.option("--owner", default="", metavar="EMAIL", help="Who answers; with --due.")
@click.option("--due", default="", help="Until when; without an offset, the course's time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in UTC.")
@refusable
def regrades(course: str, number: int | None, as_json: bool, **step: Any) -> None:
    """List a course's questions about grades, or look at one, answer it and close it.

    A team asks once a submission, within two weeks after the grade was published.

    \b
    leaderboard regrades dl-2026
    leaderboard regrades dl-2026 3 --owner ada@example.edu --due 2026-12-20T23:59
    leaderboard regrades dl-2026 3 --reply "The key was right." --outcome unchanged
    """
    from leaderboard.accounts import courses
    from leaderboard.grades import regrades as service
    from leaderboard.views import shapes
    from leaderboard.views.gradebook.regrades import thread

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if number is None:
            shown = list(service.of_course(session, found))
        else:
            shown = [service.one(session, found, number)]
            _take(session, shown[0], **step)
        rows = shapes.as_json(tuple(thread(each, named=True) for each in shown))
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    names = ("id", "team", "assignment", "owner", "due_at", "outcome")
    click.echo("\t".join(names))
    for row in rows:
        click.echo("\t".join(str(row[name] or "-") for name in names))
        for each in row["messages"] if number is not None else ():
            who = each["by"] or ("staff" if each["is_staff"] else "-")
            click.echo(f"\n{each['at']} {who}\n{each['text']}")


def _take(session: Session, found: Regrade, **step: Any) -> None:
    from leaderboard.accounts import courses
    from leaderboard.grades import regrades as service
    from leaderboard.models import Outcome
    from leaderboard.rules import schedule

    if step["owner"] or step["due"]:
        owner = courses.user_by_email(session, step["owner"]) if step["owner"] else found.owner
        due_at = (
            schedule.moment_of(step["due"], found.course.time_zone) if step["due"] else found.due_at
        )
        service.assign(session, found, owner=owner, due_at=due_at, actor=None)
    if step["outcome"]:
        service.settle(session, found, Outcome(step["outcome"]), step["text"], actor=None)
    elif step["text"]:
        service.reply(session, found, step["text"], actor=None, is_staff=True)
