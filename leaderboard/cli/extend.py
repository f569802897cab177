"""The command that extends dates and allowances of a person or a team."""

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

    from leaderboard.models import Course
    from leaderboard.teams.extensions import More

_REASONS = ("illness", "accommodation", "family", "technical", "other")


@main.command()
@click.argument("course")
@click.argument("whom", default="")
@click.option("-a", "--assignment", "slug", default="", help="Default: every one not over yet.")
@click.option("--due", default="", help="The new due date; without an offset, the course's time.")
@click.option("--closes", default="", help="The new last moment; default: as much later as due.")
@click.option("--hours", default=0, type=click.IntRange(0), help="In place of dates.")
@click.option("--late-days", default=0, type=click.IntRange(0), help="On top of the course's.")
@click.option("--daily-limit", default=0, type=click.IntRange(0), help="Submissions a day more.")
@click.option("--reason", type=click.Choice(_REASONS), default="other", show_default=True)
@click.option("--reference", default="", help="Of the office that vouches.")
@click.option("--revoke", "ended", type=int, help="End the extension of this number.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in UTC.")
@refusable
def extend(course: str, whom: str, ended: int | None, as_json: bool, **wanted: Any) -> None:
    """Give a student (by e-mail address) or a team (by name) more time, late days or submissions.

    Without WHOM, list what was given. Team mates are told the new date, never the reason.

    \b
    leaderboard extend dl-2026 mei@example.edu -a homework-2 --due 2026-12-20T23:59
    leaderboard extend dl-2026 "team seven" -a homework-2 --hours 48 --reason technical
    leaderboard extend dl-2026 kofi@example.edu --hours 24 --reason accommodation
    leaderboard extend dl-2026 --revoke 3
    """
    from leaderboard.accounts import courses
    from leaderboard.teams import extensions
    from leaderboard.views import shapes
    from leaderboard.views.course import extension_entries

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if ended is not None:
            shown = [extensions.one(session, found, ended)]
            extensions.revoke(session, shown[0], actor=None)
        elif whom:
            more = _more(session, found, **wanted)
            name = extensions.whom(session, found, whom)
            shown = [extensions.grant(session, found, name, more, actor=None)]
        else:
            shown = list(extensions.of_course(session, found))
        rows = shapes.as_json(extension_entries(session, shown))
        if as_json:
            click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        else:
            _table(rows, found.time_zone)


def _more(
    session: Session, course: Course, *, slug: str, due: str, closes: str, **others: Any
) -> More:
    from leaderboard.accounts import courses
    from leaderboard.errors import NotFound
    from leaderboard.models import Reason
    from leaderboard.rules import schedule
    from leaderboard.teams.extensions import More

    known = {each.slug: each for each in courses.assignments(session, course)}
    if slug and slug not in known:
        raise NotFound(said("assignment.none", assignment=repr(slug)))
    about = known.get(slug)
    zone = schedule.terms(about, None).zone if about else course.time_zone
    return More(
        assignment=about,
        due=schedule.moment_of(due, zone) if due else None,
        closes=schedule.moment_of(closes, zone) if closes else None,
        reason=Reason(others.pop("reason")),
        **others,
    )


def _table(rows: list[dict[str, Any]], zone: str) -> None:
    """Print one line an extension, in the course's time."""
    click.echo(
        "\t".join(("id", "team", "person", "assignment", "what", "reason", f"given ({zone})"))
    )
    for row in rows:
        reason = f"{row['reason']} {row['reference']}".strip()
        given = _local(row["granted_at"], zone)
        if row["revoked_at"]:
            given += f", revoked {_local(row['revoked_at'], zone)}"
        cells = (row["id"], row["team"], row["person"] or "-", row["assignment"] or "all not over")
        click.echo("\t".join(str(cell) for cell in (*cells, _what(row, zone), reason, given)))


def _what(row: dict[str, Any], zone: str) -> str:
    """Say what an extension gives, in the course's time.

    >>> row = {"due": "2026-12-20T15:59:00+00:00", "closes": None, "hours": 0}
    >>> _what(row | {"late_days": 2, "daily_limit": 0}, "Asia/Shanghai")
    'due 2026-12-20 23:59 (Asia/Shanghai), +2 late days'
    """
    dates = [
        f"{name} {_local(row[name], zone)} ({zone})" for name in ("due", "closes") if row[name]
    ]
    units = {"hours": "hours", "late_days": "late days", "daily_limit": "submissions a day"}
    return ", ".join([*dates, *[f"+{row[key]} {unit}" for key, unit in units.items() if row[key]]])


def _local(moment: str, zone: str) -> str:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


@main.command()
@click.argument("course")
@click.argument("slug")
@click.argument("since")
@click.argument("until")
@refusable
def away(course: str, slug: str, since: str, until: str) -> None:
    """The server was away: give every team as much more time for an assignment, and tell all.

    Times without an offset are the assignment's.

    \b
    leaderboard away dl-2026 homework-2 2026-12-14T23:10 2026-12-14T23:40
    """
    from leaderboard.rules import schedule
    from leaderboard.teams import outages

    with opened_state() as state, state.database.session() as session:
        found = find_assignment(session, course, slug)[1]
        zone = schedule.terms(found, None).zone
        between = (schedule.moment_of(since, zone), schedule.moment_of(until, zone))
        say(f"{outages.extend_all(session, found, *between, actor=None)} teams extended")
