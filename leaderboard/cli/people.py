"""Commands about people: ways into a course, and what becomes of a person's data."""

from __future__ import annotations

from pathlib import Path

import click

from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.group import main


@main.command()
@click.argument("course")
@click.argument("emails", nargs=-1)
@click.option(
    "--role",
    type=click.Choice(["student", "assistant", "instructor"]),
    default="student",
    show_default=True,
)
@click.option("--section", default="")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 365))
@refusable
def invite(course: str, emails: tuple[str, ...], role: str, section: str, days: int) -> None:
    """Mail invitations to a course; without addresses, print a link for whoever gets it.

    \b
    leaderboard invite dl-2026 mei@example.edu kofi@example.edu
    leaderboard invite dl-2026 --role assistant
    """
    from datetime import timedelta

    from leaderboard import courses, invitations
    from leaderboard.auth.links import Links
    from leaderboard.models import Role

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        links = Links(state.settings.secret_key)
        for email in emails or (None,):
            made = invitations.invite(
                session,
                found,
                role=Role(role),
                section=section,
                email=email,
                actor=None,
                lasts=timedelta(days=days),
            )
            link = f"{state.settings.base_url}/join/{links.of_invitation(made)}"
            click.echo(f"{email}\t{link}" if email else link)
        if emails and not state.settings.sends_mail:
            say("No mail server is set (LEADERBOARD_SMTP_URL): give the links out yourself.")


@main.command("course-code")
@click.argument("course")
@click.option("--new", is_flag=True, help="Make another; the present one stops working.")
@click.option("--off", is_flag=True, help="Nobody joins by code any more.")
@refusable
def course_code(course: str, new: bool, off: bool) -> None:
    """Print the code that students join a course with; it is made at the first call.

    \b
    leaderboard course-code dl-2026
    """
    from leaderboard import courses, invitations

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if off:
            invitations.end_code(session, found, actor=None)
        elif new or found.join_code is None:
            click.echo(invitations.renew_code(session, found, actor=None))
        else:
            click.echo(found.join_code)


@main.command("export-person")
@click.argument("email")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@refusable
def export_person(email: str, target: Path) -> None:
    """Write all that is kept about a person into a zip: a record and every file they handed in.

    \b
    leaderboard export-person mei@example.edu mei.zip
    """
    from leaderboard import courses, privacy

    with opened_state() as state, state.database.session() as session:
        user = courses.user_by_email(session, email)
        privacy.export(session, state, user, target)
    click.echo(target)


@main.command("erase-person")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@refusable
def erase_person(email: str, yes: bool) -> None:
    """Remove who a person was, for good. Scores, standings and the audit log stay, without them.

    \b
    leaderboard export-person mei@example.edu mei.zip
    leaderboard erase-person mei@example.edu
    """
    from leaderboard import courses, privacy

    if not yes:
        click.confirm(f"Erase {email} for good?", abort=True, err=True)
    with opened_state() as state, state.database.session() as session:
        user = courses.user_by_email(session, email)
        number = user.id
        privacy.erase(session, state, user)
    say(f"Person {number} is erased. Backups made before still hold them until they are rotated.")
