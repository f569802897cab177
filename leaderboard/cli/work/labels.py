"""`leaderboard labels`: labels of the hidden test set that were wrong, decided and published."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.course import find_assignment, instructor_of
from leaderboard.cli.group import main

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from leaderboard.models import Assignment
    from leaderboard.state import State


@main.command()
@click.argument("course")
@click.argument("slug")
@click.argument("image", default="")
@click.option("--by", default="", metavar="EMAIL", help="The instructor who does it.")
@click.option("--shows", metavar="CLASS", help="What the picture of IMAGE shows.")
@click.option("--keep", is_flag=True, help="Several classes would be right: the label stays.")
@click.option("--withdraw", is_flag=True, help="IMAGE counts in nobody's score.")
@click.option("--reason", default="", help="Why; the other instructors read it.")
@click.option("--confirm", type=int, metavar="NUMBER", help="Confirm another's decision.")
@click.option("--drop", type=int, metavar="NUMBER", help="Take a decision back, with a reason.")
@click.option("--moves", is_flag=True, help="Show who would move by what waits.")
@click.option("--publish", is_flag=True, help="Publish the corrected answers; have them rescored.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in UTC.")
@refusable
def labels(course: str, slug: str, image: str, by: str, as_json: bool, **step: Any) -> None:
    """Decide labels, confirm them, see who would move, publish. Alone: list what is decided.

    What is printed holds answers. After the due date a second instructor confirms.

    \b
    leaderboard labels dl-2026 hw img017 --shows fox --reason "A tail." --by ada@example.edu
    leaderboard labels dl-2026 hw --moves --by ada@example.edu
    leaderboard labels dl-2026 hw --confirm 3 --by bob@example.edu
    leaderboard labels dl-2026 hw --publish --by ada@example.edu
    """
    from leaderboard.views import shapes
    from leaderboard.views.staff.labels import label_work

    with opened_state() as state, state.database.session() as session:
        found = find_assignment(session, course, slug)[1]
        _take(session, state, found, image, by, step)
        if step["moves"]:
            return
        shown = shapes.as_json(label_work(session, found))
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    click.echo("number\timage\twas\tis\tby\tstate")
    for each in shown["decisions"]:
        now = each["label"] or each["choice"]
        cells = (each["id"], each["image"], each["label_before"], now, each["decided_by"])
        click.echo("\t".join(str(cell) for cell in (*cells, _state(each))))


def _state(line: dict[str, Any]) -> str:
    if line["published_at"]:
        return "published"
    if not line["is_waiting"]:
        return "kept"
    return "confirmed" if line["confirmed_at"] else "waits"


def _take(
    session: Session, state: State, found: Assignment, image: str, by: str, step: dict[str, Any]
) -> None:
    from leaderboard.labels import deciding, publishing
    from leaderboard.models import LabelChoice

    choices = {
        LabelChoice.RELABEL: step["shows"] is not None,
        LabelChoice.KEEP: step["keep"],
        LabelChoice.WITHDRAW: step["withdraw"],
    }
    chosen = [choice for choice, is_wanted in choices.items() if is_wanted]
    numbers = [step[name] for name in ("confirm", "drop") if step[name] is not None]
    if not (image or numbers or step["moves"] or step["publish"]):
        return
    if bool(image) != (len(chosen) == 1):
        raise click.UsageError("Name an IMAGE and one of --shows, --keep and --withdraw.")
    actor = instructor_of(session, found, by)
    why = {"reason": step["reason"], "actor": actor}
    if image:
        [choice] = chosen
        deciding.decide(session, state, found, image, choice, label=step["shows"], **why)
    if step["confirm"] is not None:
        about = deciding.one(session, found, step["confirm"])
        deciding.confirm(session, about, actor=actor)
    if step["drop"] is not None:
        deciding.drop(session, deciding.one(session, found, step["drop"]), **why)
    if step["moves"]:
        publishing.show(session, found, actor=actor)
        _print_moves(session, state, found)
    if step["publish"]:
        seen = found.folder_sha256
        rescore = publishing.publish(session, state, found, seen=seen, actor=actor)
        say(f"published; {rescore.total} submissions are being rescored")


def _print_moves(session: Session, state: State, found: Assignment) -> None:
    from leaderboard.labels import publishing

    moved = publishing.moves(session, state, found, lambda _done: None)
    click.echo("board\trank\tscore\tteam")
    for split, each in ((split, each) for split, some in moved.items() for each in some):
        before = "–" if each.old_rank is None else str(each.old_rank)
        ranks, scores = (
            f"{before} → {each.new_rank}",
            f"{each.old_score:.4f} → {each.new_score:.4f}",
        )
        click.echo("\t".join((split.value, ranks, scores, each.team)))
