"""`leaderboard copy-course`: the next term."""

from __future__ import annotations

from datetime import date, datetime

import click

from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.group import main


@main.command("copy-course")
@click.argument("course")
@click.argument("code")
@click.option("--title", default="", help="Default: as before.")
@click.option("--term", default="")
@click.option(
    "--starts",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day that the earliest date falls on; the others keep their distance.",
)
@click.option("--days", type=click.IntRange(-36500, 36500), help="Or: by how many days they move.")
@click.option("--staff", is_flag=True, help="Enrol its instructors, assistants and baselines too.")
@refusable
def copy_course(
    course: str,
    code: str,
    title: str,
    term: str,
    starts: datetime | None,
    days: int | None,
    staff: bool,
) -> None:
    """Make a course of the assignments and rules of another, with new dates and without anybody's
    work.

    Dates keep their hour, and their weekday where they move by whole weeks. Says which hidden sets
    were in use before: whoever took the earlier course may know them.

    \b
    leaderboard copy-course dl-2026 dl-2027 --starts 2027-02-22 --staff
    leaderboard copy-course dl-2026 dl-2027 --days 364
    """
    from grader.words.message import in_language
    from leaderboard.accounts import courses
    from leaderboard.assignments import copying
    from leaderboard.rules import catalog, schedule

    with opened_state() as state, state.database.session() as session:
        source = courses.course_by_code(session, course)
        made = copying.copy_course(
            session,
            state,
            source,
            code=code,
            title=title,
            term=term,
            days=_days(starts, days, copying.first_day(session, source)),
            with_staff=staff,
        )
        for each in made.assignments:
            for name, moment in schedule.written(catalog.rules(each)).items():
                say(f"{each.slug}: {name} {moment:%a} {moment.isoformat()}")
        for warning in made.warnings:
            say(f"Warning: {in_language(warning, 'en')}")
        click.echo(made.course.code)


def _days(starts: datetime | None, days: int | None, first: date | None) -> int:
    """By how many days dates move.

    Raises:
        UsageError: neither is said, or both, and there are dates.
    """
    if starts is not None and days is not None:
        raise click.UsageError("Give --starts or --days, not both.")
    if days is not None:
        return days
    if first is None:
        return 0
    if starts is None:
        raise click.UsageError(
            f"The course has dates, the first on {first}: say by --starts or --days when the new "
            "course is."
        )
    return (starts.date() - first).days
