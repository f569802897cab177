"""`leaderboard rescore`: a whole assignment against its present answers and metric."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.course import find_assignment
from leaderboard.cli.group import main

if TYPE_CHECKING:
    from leaderboard.rescoring import Move
    from leaderboard.state import State

_POLL_SECONDS = 0.3


@main.command()
@click.argument("course")
@click.argument("slug")
@click.option("--preview", is_flag=True, help="Only say who would move; change nothing.")
@click.option("--private", is_flag=True, help="With --preview: on the private board.")
@click.option("--no-wait", is_flag=True, help="Queue it and return.")
@refusable
def rescore(course: str, slug: str, preview: bool, private: bool, no_wait: bool) -> None:
    """Score all stored predictions of an assignment again, after its answers or metric changed.

    A worker does it, beside new hand-ins; stopping this command does not stop it.

    \b
    leaderboard rescore dl-2026 fashion-mnist --preview
    """
    from leaderboard import rescoring
    from leaderboard.models import Split

    with opened_state() as state:
        with state.database.session() as session:
            found = find_assignment(session, course, slug)[1]
            if preview:
                split = Split.PRIVATE if private else Split.PUBLIC
                with click.progressbar(length=rescoring.covered(session, found)) as bar:
                    moves = rescoring.preview(session, state, found, split, bar.update)
                _print(moves)
                return
            started = rescoring.current(session, found) if not no_wait else None
            started = started or rescoring.start(session, state, found, actor=None)
            rescore_id, total = started.id, started.total
        if not no_wait:
            _watch(state, rescore_id, total)


def _print(moves: list[Move]) -> None:
    for move in moves:
        before = "–" if move.old_rank is None else str(move.old_rank)
        click.echo(
            f"{before} → {move.new_rank}\t{move.old_score:.4f} → {move.new_score:.4f}\t{move.team}"
        )
    say(f"{len(moves)} teams would have another place or score.")


def _watch(state: State, rescore_id: int, total: int) -> None:
    from leaderboard.models import Rescore

    shown = 0
    with click.progressbar(length=total, label="Rescoring") as bar:
        while True:
            with state.database.reading() as session:
                found = session.get_one(Rescore, rescore_id)
                done, is_finished = found.done, found.finished_at is not None
            bar.update(done - shown)
            shown = done
            if is_finished:
                break
            time.sleep(_POLL_SECONDS)
    click.echo(f"{shown} rescored")
