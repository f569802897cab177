"""`leaderboard overview`, `jobs`, `missing`: a course at a glance, its queue, who is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from grader.words.message import said
from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.course import find_assignment
from leaderboard.cli.group import main

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from leaderboard.models import Course, Submission


@main.command()
@click.argument("course")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in UTC.")
@refusable
def overview(course: str, as_json: bool) -> None:
    """Say what needs a decision in a course, and how far each assignment is.

    \b
    leaderboard overview dl-2026
    """
    from leaderboard.accounts import courses
    from leaderboard.db import utcnow
    from leaderboard.views import shapes
    from leaderboard.views.staff import overview as views

    with opened_state() as state, state.database.reading() as session:
        found = courses.course_by_code(session, course)
        shown = shapes.as_json(views.overview(session, found, utcnow(), with_cases=True))
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    needs = {name: value for name, value in shown["needs"].items() if value}
    say(f"needs you: {', '.join(f'{name} {value}' for name, value in needs.items()) or 'nothing'}")
    click.echo("assignment\tphase\tdue\tsubmitted\twaiting\tfailures\tmedian")
    for each in shown["assignments"]:
        failures = " ".join(f"{verdict}:{count}" for verdict, count in each["failures"].items())
        median = "-" if each["median"] is None else f"{each['median']:.4f}"
        of_all = f"{each['handed_in']} of {each['enrolled']}"
        cells = (each["slug"], each["phase"], each["due"] or "-", of_all, each["waiting"])
        click.echo("\t".join(str(cell) for cell in (*cells, failures or "-", median)))


@main.command()
@click.argument("course")
@click.option("--first", default="", metavar="SUBMISSION", help="Put it before all others.")
@click.option("--cancel", default="", metavar="SUBMISSION", help="Withdraw it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in UTC.")
@refusable
def jobs(course: str, first: str, cancel: str, as_json: bool) -> None:
    """List what waits and runs in a course, and the server's workers.

    \b
    leaderboard jobs dl-2026
    leaderboard jobs dl-2026 --first s_4k2j1c0vq7
    """
    from leaderboard.accounts import courses
    from leaderboard.db import utcnow
    from leaderboard.submissions import cancelling, hurrying
    from leaderboard.views import shapes
    from leaderboard.views.staff import jobs as views

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if first:
            hurrying.put_first(session, state, _submission(session, found, first), actor=None)
        if cancel:
            about = _submission(session, found, cancel)
            cancelling.cancel(session, about, actor=None, is_staff=True)
        silence = state.settings.dead_after_seconds
        queue = views.jobs(session, found, utcnow(), dead_after_seconds=silence)
        shown = shapes.as_json(queue)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        _print_jobs(shown)


@main.command()
@click.argument("course")
@click.argument("slug")
@click.option("--remind", is_flag=True, help="Tell them, in the page and by mail; once an hour.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@refusable
def missing(course: str, slug: str, remind: bool, as_json: bool) -> None:
    """List the students who have handed nothing in yet.

    \b
    leaderboard missing dl-2026 homework-2 --remind
    """
    from leaderboard.teams import reminding

    with opened_state() as state, state.database.session() as session:
        found = find_assignment(session, course, slug)[1]
        people = reminding.missing(session, found)
        names = ("email", "name", "number", "section", "team")
        rows = [
            dict(
                zip(
                    names,
                    (each.user.email, each.user.name, each.number, each.section, each.team),
                    strict=True,
                )
            )
            for each in people
        ]
        if remind:
            say(f"{reminding.remind(session, found, actor=None)} reminded")
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    click.echo("\t".join(names))
    for row in rows:
        click.echo("\t".join(row[name] or "-" for name in names))


@main.command()
@click.argument("course")
@click.argument("slug")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@refusable
def difficulty(course: str, slug: str, as_json: bool) -> None:
    """List the images of an assignment whose label somebody should look at.

    First those that nobody gets right. What is printed holds answers.

    \b
    leaderboard difficulty dl-2026 homework-2
    """
    from leaderboard.views import shapes
    from leaderboard.views.staff import difficulty as views

    with opened_state() as state, state.database.reading() as session:
        found = find_assignment(session, course, slug)[1]
        shown = shapes.as_json(views.examine(session, state, found).found)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    click.echo("image\tlabel\tright\tmost say\tshare\tdoubtful")
    for each in shown["images"]:
        shares = [f"{each[name]:.3f}" for name in ("right", "rival_share")]
        cells = (each["id"], each["label"], shares[0], each["rival"], shares[1])
        click.echo("\t".join((*cells, "yes" if each["is_confident"] else "no")))
    say(f"{shown['nobody']} images that nobody gets right, by {len(shown['entries'])} entries")


def _submission(session: Session, course: Course, public_id: str) -> Submission:
    import sqlalchemy as sa

    from leaderboard.errors import NotFound
    from leaderboard.models import Submission

    found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).first()
    if found is None or found.assignment.course_id != course.id:
        raise NotFound(said("submission.none", submission=public_id))
    return found


def _print_jobs(shown: dict[str, Any]) -> None:
    click.echo("submission\tstatus\tteam\tassignment\tsince\tworker\tplace\tseconds left")
    for job in shown["jobs"]:
        names = ("submission", "status", "team", "assignment", "since", "worker", "place")
        cells = [job[name] for name in (*names, "eta_seconds")]
        click.echo("\t".join("-" if cell is None else str(cell) for cell in cells))
    for worker in shown["workers"]:
        alive = "alive" if worker["is_alive"] else f"silent since {worker['beat_at']}"
        say(f"worker {worker['name']}: {alive}, runs {worker['runs']} of {worker['concurrency']}")
    say(f"{shown['total']} wait or run")
