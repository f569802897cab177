"""The command of grades: everybody's, what is decided about one, and their publication."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from grader.words.message import said
from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.course import find_assignment, instructor_of
from leaderboard.cli.group import main

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from leaderboard.models import Assignment, User

_KINDS = ("override", "factor", "excused", "withdrawn", "auditing")


@main.command()
@click.argument("course")
@click.argument("slug")
@click.argument("whom", default="")
@click.option("--decide", "kind", type=click.Choice(_KINDS), help="About WHOM; --reason: why.")
@click.option("--value", default="", help="The grade as it is written, or the factor.")
@click.option("--revoke", "ended", type=int, help="End the decision of this number.")
@click.option("--publish", is_flag=True, help="Tell everybody whose grade is ready and new.")
@click.option(
    "--lowering",
    type=click.Choice(["ask", "sign", "withdraw"]),
    help="Let published grades fall: asked --by one instructor, signed by another.",
)
@click.option("--by", default="", metavar="EMAIL", help="The instructor who asks or signs.")
@click.option("--reason", default="", help="The person reads it; of a lowering, instructors do.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with what grades are made of.")
@refusable
def grades(course: str, slug: str, whom: str, as_json: bool, **step: Any) -> None:
    """List an assignment's grades, decide about a student's (by e-mail address), or publish them.

    A grade comes from the final score by the folder's scale, or is the score where there is none.
    It is published after the final results. Nobody is lowered later unless two instructors sign.

    \b
    leaderboard grades dl-2026 homework-2
    leaderboard grades dl-2026 homework-2 mei@example.edu --decide excused --reason "Ill."
    leaderboard grades dl-2026 homework-2 kofi@example.edu --decide factor --value 0.8 \\
        --reason "Wrote the report only."
    leaderboard grades dl-2026 homework-2 --publish
    leaderboard grades dl-2026 homework-2 --lowering ask --by ada@example.edu --reason "Wrong key."
    """
    from leaderboard.views import shapes
    from leaderboard.views.gradebook import entries

    with opened_state() as state, state.database.session() as session:
        found = find_assignment(session, course, slug)[1]
        _take(session, found, whom, **step)
        told = shapes.as_json(entries.staff_grades(session, found))
        if as_json:
            click.echo(json.dumps(told, ensure_ascii=False, indent=2))
            return
        _table([row for row in told["items"] if whom in ("", row["email"])])


@main.command("joint-grades")
@click.argument("course")
@click.argument("group", default="")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, of every group.")
@refusable
def joint(course: str, group: str, as_json: bool) -> None:
    """Print the grades of an assignment group and the joint one, by `[grading] weight`, as a CSV.

    \b
    leaderboard joint-grades dl-2026 homework-2 > homework-2.csv
    """
    from leaderboard.accounts import courses
    from leaderboard.views import shapes
    from leaderboard.views.gradebook.joint import joint_csv, joint_grades

    with opened_state() as state, state.database.session() as session:
        found = joint_grades(session, courses.course_by_code(session, course))
        if as_json:
            click.echo(json.dumps(shapes.as_json(found), ensure_ascii=False, indent=2))
            return
        known = {each.group: each for each in found}
        if group not in known:
            raise click.UsageError(f"Name one of the groups: {', '.join(known) or 'none'}.")
        click.echo(joint_csv(known[group]), nl=False)


@main.command("export-grades")
@click.argument("course")
@click.argument("slug")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "xlsx", "canvas", "moodle", "blackboard"]),
    help="Default: a CSV without byte order mark, for programs.",
)
@click.option("--section", help="Only its students.")
@click.option("--fill", type=click.File("rb"), help="A gradebook that the platform exported.")
@click.option("--column", default="", help="The one to fill; default: by the title, else new.")
@click.option("--dry-run", is_flag=True, help="With --fill: only say what would be written.")
@refusable
def export_grades(
    course: str, slug: str, kind: str | None, section: str | None, fill: Any, **more: Any
) -> None:
    """Print the grades of an assignment for another program.

    Best is to export the gradebook of Canvas, Moodle or Blackboard and to fill it: every cell that
    gets no grade keeps its bytes.

    \b
    leaderboard export-grades dl-2026 fashion-mnist > grades.csv
    leaderboard export-grades dl-2026 fashion-mnist --format xlsx > grades.xlsx
    leaderboard export-grades dl-2026 fashion-mnist --fill canvas.csv --dry-run
    leaderboard export-grades dl-2026 fashion-mnist --fill canvas.csv > filled.csv
    """
    from leaderboard.views import tables
    from leaderboard.views.gradebook import exports, table

    with opened_state() as state, state.database.session() as session:
        found = find_assignment(session, course, slug)[1]
        if fill is not None:
            _fill(session, found, fill.read(), section=section, **more)
        elif kind is not None:
            made = exports.export(session, found, exports.ExportFormat(kind), section=section)
            click.echo(made.content, nl=False)
        else:
            rows = table.grade_rows(session, found, section)
            click.echo(tables.table_csv(rows), nl=False)


def _fill(
    session: Session,
    found: Assignment,
    content: bytes,
    *,
    section: str | None,
    column: str,
    dry_run: bool,
) -> None:
    from leaderboard.gradebooks import filling
    from leaderboard.views import shapes

    made = filling.fill(session, found, content, column=column, section=section)
    for line in made.run.unmatched:
        say(f"no student here: {line}")
    for email in made.run.absent:
        say(f"not in the file: {email}")
    if dry_run:
        click.echo(json.dumps(shapes.as_json(made.run), ensure_ascii=False, indent=2))
        return
    say(f"{len(made.run.changes)} cells written into {made.run.column!r}.")
    click.echo(made.content, nl=False)


def _take(session: Session, found: Assignment, whom: str, **step: Any) -> None:
    from leaderboard.grades import lowering, marks, publishing
    from leaderboard.models import MarkKind

    if step["kind"]:
        student, kind = _student(session, found, whom), MarkKind(step["kind"])
        marks.decide(
            session,
            found,
            student,
            kind,
            value=step["value"],
            reason=step["reason"],
            actor=None,
        )
    if step["ended"] is not None:
        marks.revoke(session, found, marks.one(session, found, step["ended"]), None)
    if step["publish"]:
        done = publishing.publish(session, found, actor=None)
        say(f"{done.told} people were told a grade; {done.stay} keep a better one.")
    if step["lowering"]:
        by = instructor_of(session, found, step["by"])
        if step["lowering"] == "ask":
            lowering.ask(session, found, step["reason"], actor=by)
        elif step["lowering"] == "sign":
            lowering.sign(session, found, actor=by)
        else:
            lowering.withdraw(session, found, actor=by)


def _student(session: Session, found: Assignment, email: str) -> User:
    from leaderboard.accounts import courses
    from leaderboard.errors import NotFound
    from leaderboard.teams import people

    if not email:
        raise click.UsageError("Name the student: leaderboard grades COURSE SLUG EMAIL --decide …")
    user = courses.user_by_email(session, email)
    student = people.student(session, found.course, user.id)
    if student is None:
        raise NotFound(said("student.none", student=repr(email)))
    return student


def _table(rows: list[dict[str, Any]]) -> None:
    click.echo("\t".join(("email", "section", "team", "state", "score", "grade", "published")))
    for row in rows:
        score = "" if row["score"] is None else f"{row['score']:.4f}"
        cells = (row["email"], row["section"], row["team"], row["state"], score)
        click.echo("\t".join(str(c or "-") for c in (*cells, row["written"], row["published"])))
