"""Commands about people: ways into a course, and what becomes of a person's data."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from leaderboard.cli.common import REFUSED, opened_state, refusable, say
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

    from leaderboard.accounts import courses
    from leaderboard.accounts.links import Links
    from leaderboard.models import Role
    from leaderboard.teams import invitations

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
    from leaderboard.accounts import courses
    from leaderboard.teams import invitations

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if off:
            invitations.end_code(session, found, actor=None)
        elif new or found.join_code is None:
            click.echo(invitations.renew_code(session, found, actor=None))
        else:
            click.echo(found.join_code)


@main.command("confirm-address")
@click.argument("email")
@refusable
def confirm_address(email: str) -> None:
    """Vouch that an account is of the person whose address it has.

    Is it somebody else's? Then `leaderboard set-password` first, and give the owner that password.

    \b
    leaderboard confirm-address mei@example.edu
    """
    from leaderboard.accounts import courses
    from leaderboard.teams import proofs

    with opened_state() as state, state.database.session() as session:
        user = courses.user_by_email(session, email)
        proofs.confirm(session, user, actor=None)
    say(f"The address {user.email} is confirmed.")


@main.command("address-code")
@click.argument("email")
@refusable
def address_code(email: str) -> None:
    """Print the code by which a person proves their address; hand it to them, and to nobody else.

    \b
    leaderboard address-code mei@example.edu
    """
    from leaderboard.accounts import courses
    from leaderboard.teams import proofs

    with opened_state() as state, state.database.session() as session:
        user = courses.user_by_email(session, email)
        click.echo(proofs.code_of(state.settings.secret_key, user))


@main.command("sign-in-codes")
@click.argument("course")
@click.argument("emails", nargs=-1)
@refusable
def print_sign_in_codes(course: str, emails: tuple[str, ...]) -> None:
    """Print codes to hand out: who has one chooses a password on the page /code.

    For the students of a course who have no password yet, or for the people named. A code works
    once, for 14 days, and ends the one before. Printed as login,code,name: the login is the student
    number, else the address.

    \b
    leaderboard sign-in-codes dl-2026 > codes.csv
    leaderboard sign-in-codes dl-2026 mei@example.edu
    """
    import csv
    import sys

    from leaderboard.accounts import courses
    from leaderboard.db import utcnow
    from leaderboard.teams import sign_in_codes

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        people = [courses.user_by_email(session, email) for email in emails]
        slips = sign_in_codes.issue(
            session,
            state.settings.secret_key,
            found,
            people or sign_in_codes.without_password(session, found),
            actor=None,
            now=utcnow(),
        )
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerows((slip.login, slip.code, slip.user.name) for slip in slips)
        say(f"{len(slips)} codes; their owners type them at {state.settings.base_url}/code")


@main.command("team-rules")
@click.argument("course")
@click.option("--size", type=click.IntRange(0, 50), help="Most members of a team; 0: no limit.")
@click.option(
    "--links-enrol/--links-do-not-enrol",
    default=None,
    help="Whether a team's link lets in people who are not in the course yet.",
)
@refusable
def team_rules(course: str, size: int | None, links_enrol: bool | None) -> None:
    """Print a course's rules for teams, after changing those that are given.

    \b
    leaderboard team-rules dl-2026 --size 3
    leaderboard team-rules dl-2026 --links-enrol
    """
    from leaderboard.accounts import courses
    from leaderboard.teams import people

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if size is not None or links_enrol is not None:
            people.set_team_rules(
                session,
                found,
                size=(found.team_size or 0) if size is None else size,
                until=found.teams_until,
                links_enrol=found.team_links_enrol if links_enrol is None else links_enrol,
                actor=None,
            )
        until = found.teams_until
        click.echo(f"size\t{found.team_size or 'no limit'}")
        click.echo(f"until\t{until.isoformat() if until else 'any time'}")
        click.echo(f"links enrol\t{'yes' if found.team_links_enrol else 'no'}")


@main.command("export-person")
@click.argument("email")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@refusable
def export_person(email: str, target: Path) -> None:
    """Write all that is kept about a person into a zip: a record and every file they handed in.

    \b
    leaderboard export-person mei@example.edu mei.zip
    """
    from leaderboard.accounts import courses
    from leaderboard.operations import privacy

    with opened_state() as state, state.database.session() as session:
        user = courses.user_by_email(session, email)
        privacy.export(session, state, user, target)
    click.echo(target)


@main.command("rename-person")
@click.argument("email")
@click.argument("name")
@refusable
def rename_person(email: str, name: str) -> None:
    """Give a person another name, in all their courses; a team of their own follows.

    \b
    leaderboard rename-person mei@example.edu "Lin Mei"
    """
    from leaderboard.accounts import courses
    from leaderboard.teams import people

    with opened_state() as state, state.database.session() as session:
        people.rename(session, courses.user_by_email(session, email), name, actor=None)


@main.command("erase-person")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--cancel", is_flag=True, help="Take back an erasure that still waits.")
@refusable
def erase_person(email: str, yes: bool, cancel: bool) -> None:
    """Remove who a person was, for good. Scores, standings and the audit log stay, without them.

    It waits while submissions of theirs are evaluated or rescored, and until the day that a course
    keeps its records to (`leaderboard keep-records`): says why, and ends with code 3. The worker
    erases them when nothing is in the way any more.

    \b
    leaderboard export-person mei@example.edu mei.zip
    leaderboard erase-person mei@example.edu
    """
    import sys

    from grader.words.message import in_language
    from leaderboard.accounts import courses
    from leaderboard.operations import privacy

    if not (yes or cancel):
        click.confirm(f"Erase {email} for good?", abort=True, err=True)
    with opened_state() as state, state.database.session() as session:
        user = courses.user_by_email(session, email)
        number = user.id
        if cancel:
            privacy.withdraw(session, user, actor=None)
            say(f"{email} is not to be erased.")
            return
        waits_for = privacy.ask(session, state, user, actor=None)
    if waits_for:
        say(f"{email} is erased as soon as nothing is in the way; --cancel takes it back. Now is:")
        for obstacle in waits_for:
            say(f"  {in_language(obstacle.said, 'en')}")
        sys.exit(REFUSED)
    say(f"Person {number} is erased. Backups made before still hold them until they are rotated.")


@main.command("keep-records")
@click.argument("course")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Its end, in the course's time.")
@click.option("--off", is_flag=True, help="Nothing has to be kept.")
@refusable
def keep_records(course: str, until: datetime | None, off: bool) -> None:
    """Print until when a course keeps its records, after changing it: nobody is erased before.

    \b
    leaderboard keep-records dl-2026 --until 2028-09-30
    """
    from datetime import timedelta

    from leaderboard.accounts import courses
    from leaderboard.operations import privacy
    from leaderboard.rules import schedule

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if until is not None or off:
            midnight = until and until.replace(tzinfo=schedule.zone_of(found)) + timedelta(days=1)
            privacy.keep_records(session, found, midnight, actor=None)
        click.echo(privacy.records_day(found) or "no date")


@main.command("rights")
@click.argument("course")
@click.argument("email", default="")
@click.option(
    "--role", type=click.Choice(["student", "auditor", "assistant", "examiner", "instructor"])
)
@click.option("--section", "sections", multiple=True, help="That an assistant is confined to.")
@click.option("--until", default="", help="When it ends; without an offset, the course's time.")
@refusable
def rights(
    course: str, email: str, role: str | None, sections: tuple[str, ...], until: str
) -> None:
    """Make a person of a course what they are to be there; without one, list who is no student.

    An auditor has no rank and no grade; an examiner reads grades by pseudonym, until a date.
    Printed as email,role,sections,until.

    \b
    leaderboard rights dl-2026 ada@example.edu --role assistant --section A --section B
    leaderboard rights dl-2026 prof@example.org --role examiner --until 2027-03-31T23:59
    leaderboard rights dl-2026
    """
    import csv
    import sys

    from leaderboard.accounts import courses
    from leaderboard.models import Role
    from leaderboard.rules import schedule
    from leaderboard.teams import people
    from leaderboard.teams.rights import giving

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if email:
            if role is None:
                raise click.UsageError("say which --role")
            user = courses.user_by_email(session, email)
            end = schedule.moment_of(until, found.time_zone) if until else None
            giving.give(session, found, user, Role(role), sections=sections, until=end, actor=None)
        out = csv.writer(sys.stdout, lineterminator="\n")
        for each in people.of(session, found):
            if each.role is not Role.STUDENT and email in ("", each.user.address):
                end_text = schedule.local_text(each.ends_at, found)
                out.writerow((each.user.address, each.role.value, "; ".join(each.sees), end_text))
