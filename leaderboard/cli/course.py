"""Commands that look after accounts, courses, assignments and submissions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader.words.message import said
from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.group import main

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from leaderboard.models import Assignment, Course, User
    from leaderboard.teams.class_list import Entry
    from leaderboard.teams.roster import Preview


@main.command("create-user")
@click.option("--email", required=True)
@click.option("--name", default="", help="Default: what is before the @.")
@click.option("--password", help="Default: read from stdin without echo.")
@click.option("--admin", is_flag=True, help="Instructor of every course.")
@refusable
def create_user(email: str, name: str, password: str | None, admin: bool) -> None:
    """Make an account.

    \b
    leaderboard create-user --email ada@example.edu --name "Ada Lovelace"
    """
    from leaderboard.accounts import accounts as service

    if password is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with opened_state() as state, state.database.session() as session:
        user = service.create_user(
            session, email=email, name=name, password=password, is_admin=admin
        )
        click.echo(user.email)


@main.command("set-password")
@click.argument("email")
@click.password_option()
@refusable
def set_password(email: str, password: str) -> None:
    """Give an account a new password and sign it out everywhere."""
    from leaderboard.accounts import accounts as service
    from leaderboard.accounts import courses

    with opened_state() as state, state.database.session() as session:
        service.set_password(session, courses.user_by_email(session, email), password)


@main.command("create-course")
@click.argument("code")
@click.option("--title", required=True)
@click.option("--term", default="")
@click.option("--time-zone", default="UTC", show_default=True, help="Days and quotas count in it.")
@click.option("--late-days", default=0, show_default=True, type=click.IntRange(0))
@click.option(
    "--team-size",
    default=4,
    show_default=True,
    type=click.IntRange(0, 50),
    help="Most members of a team; 0: any, 1: everybody works alone.",
)
@refusable
def create_course(
    code: str, title: str, term: str, time_zone: str, late_days: int, team_size: int
) -> None:
    """Make a course.

    \b
    leaderboard create-course dl-2026 --title "Deep Learning" --time-zone Asia/Shanghai
    """
    from leaderboard.accounts import courses

    with opened_state() as state, state.database.session() as session:
        course = courses.create_course(
            session,
            code=code,
            title=title,
            term=term,
            time_zone=time_zone,
            late_days=late_days,
            team_size=team_size or None,
        )
        click.echo(course.code)


@main.command()
@click.argument("course")
@click.argument("email")
@click.option(
    "--role",
    type=click.Choice(["student", "assistant", "instructor", "baseline"]),
    default="student",
    show_default=True,
)
@click.option("--section", default="")
@click.option("--team", default="", help="Name of the person's own team (default: their name).")
@refusable
def enrol(course: str, email: str, role: str, section: str, team: str) -> None:
    """Enrol a person in a course, or change their role.

    \b
    leaderboard enrol dl-2026 ada@example.edu --role instructor
    """
    from leaderboard.accounts import courses
    from leaderboard.models import Role
    from leaderboard.teams import proofs

    with opened_state() as state, state.database.session() as session:
        user = courses.user_by_email(session, email)
        proofs.check_proved(user)
        courses.enrol(
            session,
            courses.course_by_code(session, course),
            user,
            Role(role),
            section=section,
            team_name=team,
        )


@main.command()
@click.argument("course")
@click.argument("email")
@refusable
def unenrol(course: str, email: str) -> None:
    """Take a person out of a course. What their team handed in stays with it; a team that nobody is
    left in leaves the rank.

    \b
    leaderboard unenrol dl-2026 ada@example.edu
    """
    from leaderboard.accounts import courses
    from leaderboard.teams import leaving

    with opened_state() as state, state.database.session() as session:
        leaving.unenrol(
            session,
            courses.course_by_code(session, course),
            courses.user_by_email(session, email),
            actor=None,
        )


@main.command("import-roster")
@click.argument("course")
@click.argument("roster", type=click.File("rb"))
@click.option("--mail", "by_mail", is_flag=True, help="Mail each a link to choose a password by.")
@click.option("--domain", default="", help="Makes addresses of logins that are none.")
@click.option("--dry-run", is_flag=True, help="Only show what was understood.")
@refusable
def import_roster(course: str, roster: Any, by_mail: bool, domain: str, dry_run: bool) -> None:
    """Enrol everybody in a class list, or nobody where a line is wrong.

    Exports of Canvas, Moodle and Blackboard are understood, and CSV with the columns email or
    student number, name and, if wished, section, team and role. A list lowers nobody's role. New
    accounts get a random password, printed as email,password (or number,password) to stdout, or
    with --mail a link. Who changed their address since is known by the old one too, and named.
    Accounts that never proved their address are named, and get no role until they have.

    \b
    leaderboard import-roster dl-2026 roster.csv --dry-run
    leaderboard import-roster dl-2026 roster.csv --mail
    leaderboard import-roster dl-2026 roster.csv > new-passwords.csv
    """
    from leaderboard.accounts import courses
    from leaderboard.teams import class_list
    from leaderboard.teams import roster as rosters

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        listed = class_list.read(roster.read(), domain=domain)
        for meaning, header in listed.columns.items():
            say(f"{meaning}: column {header!r}")
        if listed.ignored:
            say(f"not used: {', '.join(listed.ignored)}")
        if listed.undecided:
            say(f"in several groups, so in no team by it: {', '.join(listed.undecided)}")
        if listed.guessed:
            say(str(listed.guessed))
        if dry_run:
            _show_list(listed.entries, rosters.preview(session, found, listed.entries))
            return
        enrol = partial(rosters.enrol_by_mail, actor=None) if by_mail else rosters.enrol_all
        people = set()
        for each in enrol(session, found, listed.entries):
            if each.is_unproved:
                say(
                    f"{each.entry.email} is not enrolled: an account of this address, named "
                    f"{each.user.name}, has not proved it. If it is theirs: leaderboard "
                    f"confirm-address {each.user.email}, and import the list again."
                )
                continue
            people.add(each.user.id)
            if each.password is not None:
                click.echo(f"{each.entry.login},{each.password}")
            if each.is_under_another_address:
                say(
                    f"{each.entry.email} is known under another address: "
                    f"{each.user.name}, {each.user.email}"
                )
    say(f"{len(people)} people are enrolled in {course}.")


def _show_list(entries: Sequence[Entry], preview: Preview) -> None:
    for entry in entries:
        role = entry.role.value if entry.role else ""
        facts = (entry.email, entry.number, entry.name, entry.section, entry.team, role)
        click.echo("\t".join(facts))
    for entry, role in preview.higher:
        say(f"{entry.login} stays {role.value}.")
    if preview.teams:
        say(f"new teams: {', '.join(preview.teams)}")
    say(f"{len(preview.new)} new accounts, {len(preview.known)} known; nothing was written.")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--course", required=True)
@click.option("--replace", is_flag=True, help="Though it looks like another assignment.")
@click.option("--dry-run", is_flag=True, help="Only say what would change, for how many scores.")
@refusable
def publish(folder: Path, course: str, replace: bool, dry_run: bool) -> None:
    """Publish an assignment folder in a course, or publish it anew.

    Says what changes for whom. Scores of earlier answers stay, marked and out of the ranking, until
    they are rescored.

    \b
    leaderboard publish assignments/fashion_mnist --course dl-2026
    """
    import grader
    from leaderboard.accounts import courses
    from leaderboard.assignments import editions

    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        changes = editions.changes(session, state, folder, found)
        for notice in changes.notices:
            say(notice)
        for sentence in changes.sentences:
            say(sentence)
        if changes.outdated:
            say(f"{changes.outdated} scores {'would be' if dry_run else 'are'} out of date.")
        if dry_run:
            return
        published = editions.publish(session, state, folder, found, replace=replace)
        if changes.outdated:
            say(f"See who moves: leaderboard rescore {found.code} {published.slug} --preview")
        if published.public_data_note:
            say(
                f"Warning: the hidden images are {published.public_data_note}; "
                "its labels can be looked up."
            )
        for warning in grader.Assignment.load(folder).warnings():
            say(f"Warning: {warning}.")
        click.echo(f"{found.code}/{published.slug}")


@main.command("create-token")
@click.argument("email")
@click.option("--name", default="command line", show_default=True)
@click.option("--staff", is_flag=True, help="Also for the staff routes.")
@click.option("--only", metavar="COURSE/SLUG", help="Only to hand in there: for a pipeline.")
@click.option("--days", type=click.IntRange(1, 3650), help="Default: the setting token_days.")
@refusable
def create_token(email: str, name: str, staff: bool, only: str | None, days: int | None) -> None:
    """Make an API token for an account; it is printed this once.

    \b
    leaderboard create-token baseline@example.edu --name "nightly rerun"
    """
    from datetime import timedelta

    from leaderboard.accounts import accounts as service
    from leaderboard.accounts import courses
    from leaderboard.accounts.scopes import SCOPES, submit_to
    from leaderboard.db import utcnow

    if staff and only:
        raise click.UsageError("--staff and --only exclude each other")
    scopes: tuple[str, ...] = SCOPES if staff else ("read", "submit")
    if only:
        course, _, slug = only.partition("/")
        scopes = (submit_to(course, slug),)
    with opened_state() as state, state.database.session() as session:
        issued = service.issue_token(
            session,
            courses.user_by_email(session, email),
            name=name,
            scopes=scopes,
            now=utcnow(),
            lifetime=timedelta(days=days or state.settings.token_days),
        )
        click.echo(issued.secret)


@main.command()
@click.argument("submissions", nargs=-1, required=True)
@click.option("--rerun", is_flag=True, help="Run the code again, not only score it again.")
@refusable
def rejudge(submissions: tuple[str, ...], rerun: bool) -> None:
    """Judge submissions again; their present results stand until the new ones are there.

    \b
    leaderboard rejudge s_7f3k9q2m4d
    """
    import sqlalchemy as sa

    from leaderboard.errors import NotFound
    from leaderboard.models import Cause, Submission
    from leaderboard.submissions import accept as service

    cause = Cause.RERUN if rerun else Cause.RESCORE
    with opened_state() as state, state.database.session() as session:
        for public_id in submissions:
            found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).first()
            if found is None:
                raise NotFound(said("submission.none", submission=public_id))
            service.rejudge(session, state, found, cause=cause, actor=None)
            click.echo(public_id)


@main.command()
@click.argument("course")
@click.argument("slug")
@click.option("--undo", is_flag=True, help="Hide the private board again.")
@refusable
def release(course: str, slug: str, undo: bool) -> None:
    """Show the private board of an assignment to students.

    \b
    leaderboard release dl-2026 fashion-mnist
    """
    from leaderboard.assignments import release as service
    from leaderboard.db import utcnow
    from leaderboard.rules import schedule

    with opened_state() as state, state.database.session() as session:
        found = find_assignment(session, course, slug)[1]
        end = schedule.last_end(session, found)
        if not undo and found.released_at is None and (end is None or end > utcnow()):
            say(f"Handing in ends with it; its own end is {end or 'none'}.")
        change = service.unrelease if undo else service.release
        change(session, found, actor=None)


def find_assignment(session: Session, code: str, slug: str) -> tuple[Course, Assignment]:
    """A course's assignment.

    Raises:
        NotFound: there is none.
    """
    from leaderboard.accounts import courses

    course = courses.course_by_code(session, code)
    return course, courses.assignment_of(session, course, slug)


def instructor_of(session: Session, found: Assignment, email: str) -> User:
    """The instructor of an assignment's course who has this address.

    Raises:
        NotFound: there is no such instructor.
    """
    import sqlalchemy as sa

    from leaderboard.accounts import courses
    from leaderboard.errors import NotFound
    from leaderboard.models import Enrolment, Role

    user = courses.user_by_email(session, email)
    teaches = sa.select(Enrolment.id).where(
        Enrolment.course_id == found.course_id,
        Enrolment.user_id == user.id,
        Enrolment.role == Role.INSTRUCTOR,
    )
    if session.scalars(teaches).first() is None:
        raise NotFound(said("grade.not_instructor", email=email))
    return user
