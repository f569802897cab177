"""`leaderboard rescore`: a whole assignment against its present answers and metric."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from leaderboard.cli.common import OURS, opened_state, refusable, say
from leaderboard.cli.course import find_assignment
from leaderboard.cli.group import main

if TYPE_CHECKING:
    from leaderboard.evaluations.rescoring import Move
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

    A worker does it, beside new hand-ins; stopping this command does not stop it. Where no worker
    runs this says so and ends with exit code 4; the rescore waits for one.

    \b
    leaderboard rescore dl-2026 fashion-mnist --preview
    """
    from leaderboard.evaluations import rescoring
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
    from leaderboard.db import utcnow
    from leaderboard.models import Rescore
    from leaderboard.queue import workers

    silence = state.settings.dead_after_seconds
    with state.database.reading() as session:
        if not workers.live(session, now=utcnow(), dead_after_seconds=silence):
            say("No worker runs: it begins when one is started (`leaderboard worker`).")
            sys.exit(OURS)
    shown = 0
    with click.progressbar(length=total, label="Rescoring") as bar:
        while True:
            with state.database.reading() as session:
                found = session.get_one(Rescore, rescore_id)
                done, is_finished = found.done, found.finished_at is not None
                problems = found.problems or []
            bar.update(done - shown)
            shown = done
            if is_finished:
                break
            time.sleep(_POLL_SECONDS)
    failed = [problem for problem in problems if problem[0]]
    click.echo(f"{shown - len(failed)} of {total} rescored")
    for public_id, reason in problems:
        click.echo(f"{public_id or 'stopped'}: {reason}", err=True)
    if problems:
        say(f"{len(problems)} could not be read or no longer fit; they keep their score, marked.")


@main.command()
@click.argument("course")
@click.argument("slug")
@click.argument("new_slug")
@refusable
def rename(course: str, slug: str, new_slug: str) -> None:
    """Give an assignment another slug; hand-ins, scores and boards stay.

    Write the new slug into its assignment.toml as well, before it is published anew.

    \b
    leaderboard rename dl-2026 animals animals-hw1
    """
    from leaderboard.assignments import editions

    with opened_state() as state, state.database.session() as session:
        found = find_assignment(session, course, slug)[1]
        editions.rename(session, found, new_slug, actor=None)
        click.echo(f"{course}/{new_slug}")


@main.command()
@click.argument("course")
@click.argument("slug")
@refusable
def unpublish(course: str, slug: str) -> None:
    """Take back an assignment that nobody has handed anything in for.

    \b
    leaderboard unpublish dl-2026 animals
    """
    from leaderboard.assignments import editions

    with opened_state() as state, state.database.session() as session:
        found = find_assignment(session, course, slug)[1]
        editions.unpublish(session, found, actor=None)
    say(f"{course}/{slug} is no longer published.")
