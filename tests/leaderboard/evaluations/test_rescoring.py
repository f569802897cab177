"""A whole assignment scored again: every score right, in pieces, once, whatever dies in between."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from commands import run
from flask import Flask
from signing_in import signed_in
from small_site import Site, answers, predictions_csv

import grader
from leaderboard.config import load_settings
from leaderboard.errors import NotAllowedNow
from leaderboard.evaluations import rescoring
from leaderboard.models import Evaluation, QuotaEntry, Rescore, Role, Split, SplitScore, Submission
from leaderboard.state import open_state
from leaderboard.web.instructor import rescore as rescore_page

SWAP = {0: 1, 1: 0}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescoring, "_PIECE", 4)


@pytest.fixture
def scored(site: Site) -> dict[str, bytes]:
    """Thirteen scored hand-ins of three teams: content by public id."""
    contents = {}
    for number in range(13):
        content = predictions_csv(site.folder, wrong=5 * number, seed=number)
        public_id = site.hand_in(("ann", "bob", "cyd")[number % 3], content)
        site.score(public_id)
        contents[public_id] = content
    return contents


def corrected(site: Site, folder: Path) -> grader.Assignment:
    """Publish the assignment with two classes swapped in the answers."""
    shutil.copytree(site.folder, folder)
    rows = [f"{name},{SWAP.get(label, label)}" for name, label in answers(site.folder).items()]
    (folder / "answers.csv").write_text("id,label\n" + "\n".join(rows) + "\n")
    site.publish(folder)
    return grader.Assignment.load(folder)


def begin(site: Site) -> int:
    with site.state.database.session() as session:
        return rescoring.start(session, site.state, site.assignment(session), actor=None).id


def scores(site: Site) -> dict[str, dict[str, float]]:
    with site.state.database.reading() as session:
        rows = session.execute(
            sa.select(Submission.public_id, SplitScore.split, SplitScore.primary).join(
                SplitScore, SplitScore.evaluation_id == Submission.current_evaluation_id
            )
        ).all()
    found: dict[str, dict[str, float]] = {}
    for public_id, split, primary in rows:
        found.setdefault(public_id, {})[split.value] = primary
    return found


def expected(assignment: grader.Assignment, contents: dict[str, bytes]) -> dict[str, object]:
    key = assignment.answer_key()
    parsed = {
        name: grader.score(grader.parse_predictions(content, assignment.expected()), key)
        for name, content in contents.items()
    }
    return {
        name: {"public": each.public.accuracy, "private": each.private.accuracy}
        for name, each in parsed.items()
    }


def evaluations(site: Site) -> int:
    with site.state.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Evaluation)) or 0


def test_everything_is_rescored_by_a_worker_and_nothing_is_charged(
    site: Site, scored: dict[str, bytes], tmp_path: Path
) -> None:
    assignment = corrected(site, tmp_path / "corrected")
    rescore = begin(site)

    with site.worker():
        site.wait(site.hand_in("dan", predictions_csv(assignment.folder)))
        site.wait_for(
            next(iter(scored)),
            lambda _: rescored(site, rescore).finished_at is not None,
        )

    found = scores(site)
    assert {name: found[name] for name in scored} == expected(assignment, scored)
    assert rescored(site, rescore).done == rescored(site, rescore).total == 13
    with site.state.database.reading() as session:
        assert session.scalar(sa.select(sa.func.sum(QuotaEntry.amount))) == 14


def test_the_command_says_that_no_worker_runs_and_waits_for_none(
    site: Site, scored: dict[str, bytes]
) -> None:
    said = run(site.settings.state_dir, "rescore", "dl-1", "animals", code=4).output

    assert "No worker runs" in said
    with site.state.database.reading() as session:
        assert rescoring.current(session, site.assignment(session)) is not None  # it is queued


def rescored(site: Site, rescore_id: int) -> Rescore:
    with site.state.database.reading() as session:
        found = session.get_one(Rescore, rescore_id)
        session.expunge_all()
        return found


def test_a_rescore_that_was_stopped_goes_on_where_it_was(
    site: Site, scored: dict[str, bytes], tmp_path: Path
) -> None:
    assignment = corrected(site, tmp_path / "corrected")
    before = scores(site)
    rescore = begin(site)
    rescoring._next_piece(site.state, rescore)
    rescoring._next_piece(site.state, rescore)
    changed = sum(scores(site)[name] != before[name] for name in scored)
    assert 0 < changed <= 8

    rescoring.carry_on(site.state, rescore)

    assert scores(site) == expected(assignment, scored)
    assert evaluations(site) == 2 * 13


def test_two_that_do_it_at_once_publish_every_evaluation_once(
    site: Site, scored: dict[str, bytes], tmp_path: Path
) -> None:
    assignment = corrected(site, tmp_path / "corrected")
    rescore = begin(site)

    threads = [
        threading.Thread(target=rescoring.carry_on, args=(site.state, rescore)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert scores(site) == expected(assignment, scored)
    assert evaluations(site) == 2 * 13


def test_the_board_after_a_rescore_is_the_board_of_the_new_scores(
    site: Site, scored: dict[str, bytes], tmp_path: Path
) -> None:
    from leaderboard.boards import standings

    corrected(site, tmp_path / "corrected")
    with site.state.database.reading() as session:
        moves = rescoring.preview(
            session, site.state, site.assignment(session), Split.PUBLIC, lambda _: None
        )
        before = standings.board(session, site.assignment(session), Split.PUBLIC)
    rescoring.carry_on(site.state, begin(site))

    with site.state.database.reading() as session:
        after = standings.board(session, site.assignment(session), Split.PUBLIC)
    assert evaluations(site) == 2 * 13
    assert {move.team: (move.old_score, move.new_score) for move in moves} == {
        old.team_name: (old.primary, new.primary)
        for old in before.rows
        for new in after.rows
        if old.team_name == new.team_name
    }
    assert {move.team: move.new_rank for move in moves} == {
        row.team_name: row.rank for row in after.rows
    }


def test_intervals_are_the_same_whether_drawn_at_once_or_later(
    site: Site, scored: dict[str, bytes]
) -> None:
    from leaderboard.boards import intervals

    def all_intervals() -> dict[str, dict[str, list[float]]]:
        with site.state.database.reading() as session:
            rows = session.scalars(
                sa.select(SplitScore)
                .join(Submission, Submission.current_evaluation_id == SplitScore.evaluation_id)
                .where(SplitScore.split == Split.PUBLIC)
                .order_by(Submission.id)
            ).all()
            return {str(n): intervals.of_row(session, row) for n, row in enumerate(rows)}

    before = all_intervals()
    rescoring.carry_on(site.state, begin(site))

    assert all_intervals() == before


def test_a_second_rescore_waits_for_the_first(site: Site, scored: dict[str, bytes]) -> None:
    begin(site)

    with pytest.raises(NotAllowedNow):
        begin(site)


def test_lost_predictions_keep_their_score_and_do_not_stop_the_rest(
    site: Site, scored: dict[str, bytes], tmp_path: Path
) -> None:
    lost = next(iter(scored))
    evaluation = site.submission(lost).current_evaluation
    assert evaluation is not None
    assert evaluation.predictions_sha256 is not None
    before = scores(site)[lost]
    sha256 = evaluation.predictions_sha256
    (site.settings.state_dir / "blobs" / sha256[:2] / sha256[2:]).unlink()
    assignment = corrected(site, tmp_path / "corrected")

    rescoring.carry_on(site.state, begin(site))

    found = scores(site)
    assert found.pop(lost) == before
    wanted = expected(assignment, scored)
    del wanted[lost]
    assert found == wanted


def test_staff_rescore_on_the_page_and_see_how_far_it_is(
    app: Flask, site: Site, scored: dict[str, bytes], tmp_path: Path
) -> None:
    assignment = corrected(site, tmp_path / "corrected")
    site.person("staff", Role.ASSISTANT)
    staff = signed_in(app, "staff")
    here = "/staff/c/dl-1/a/animals/rescore"
    assert f'href="{here}"' in staff.get("/staff/c/dl-1/a/animals/").text
    with site.state.database.reading() as session:
        moves = rescoring.preview(
            session, site.state, site.assignment(session), Split.PUBLIC, lambda _: None
        )

    before = staff.get(here).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', before)
    assert token is not None
    sent = staff.post(here, data={"csrf_token": token[1]})
    started = staff.get(sent.location).text
    with site.state.database.reading() as session:
        rescore = rescoring.current(session, site.assignment(session))
        assert rescore is not None
        actor = rescore.actor_user_id
    rescoring._next_piece(site.state, rescore.id)
    on_its_way = staff.get(here).text
    again = staff.post(here, data={"csrf_token": token[1]}, follow_redirects=True).text
    rescoring.carry_on(site.state, rescore.id)
    done = staff.get(here).text

    assert "Rescore 13 submissions" in before
    assert {move.old_rank for move in moves} == {None}  # out of date, and therefore unranked
    assert all(f"– → {move.new_rank}" in before for move in moves)
    assert len(moves) == 3
    assert '<progress max="13" value="0"' in started
    assert 'http-equiv="refresh"' in started  # where scripts are off
    assert '<progress max="13" value="4"' in on_its_way
    assert "being rescored already" in again
    assert 'data-rescored="13"' in done
    assert "Nobody: every team keeps its place and score." in done
    assert actor == site.person("staff").id
    assert scores(site) == expected(assignment, scored)


def test_a_preview_that_takes_too_long_for_a_page_names_the_command(
    app: Flask, site: Site, scored: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescore_page, "_PREVIEW_SECONDS", -1.0)
    site.person("staff", Role.ASSISTANT)

    shown = signed_in(app, "staff").get("/staff/c/dl-1/a/animals/rescore?split=private").text

    assert "leaderboard rescore dl-1 animals --preview --private" in shown


@pytest.mark.parametrize("kill_after", [1, pytest.param(9, marks=pytest.mark.long)])
def test_a_worker_killed_in_the_middle_changes_nothing_of_the_result(
    site: Site, scored: dict[str, bytes], tmp_path: Path, kill_after: int
) -> None:
    undisturbed = tmp_path / "undisturbed"
    # by another process: closing a copy's source would drop SQLite's locks on it in this one
    subprocess.run(["cp", "-r", str(site.settings.state_dir), str(undisturbed)], check=True)
    assignment = corrected(site, tmp_path / "corrected")
    rescore = begin(site)

    with slow_worker(site, tmp_path) as worker:
        wait_until(lambda: rescored(site, rescore).done >= kill_after)
        worker.kill()  # SIGKILL
        worker.wait()
    interrupted = rescored(site, rescore)
    with site.worker(LEADERBOARD_HEARTBEAT_SECONDS="0.5"):
        wait_until(lambda: rescored(site, rescore).finished_at is not None)

    assert kill_after <= interrupted.done < 13
    assert interrupted.finished_at is None
    assert scores(site) == expected(assignment, scored)
    assert evaluations(site) == 2 * 13
    other = Site(
        state=open_state(load_settings(undisturbed, {})), course=site.course, folder=site.folder
    )
    other.publish(assignment.folder)
    rescoring.carry_on(other.state, begin(other))
    assert rows_of_a_board(site) == rows_of_a_board(other)
    assert scores(site) == scores(other)
    other.state.close()


@contextmanager
def slow_worker(site: Site, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker process that takes a rest after every piece, so that a kill hits its middle."""
    program = folder / "slow_worker.py"
    program.write_text(SLOW_WORKER.format(state_dir=str(site.settings.state_dir)))
    process = subprocess.Popen([sys.executable, str(program)])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


SLOW_WORKER = """
import time
from pathlib import Path

from leaderboard import worker
from leaderboard.config import load_settings
from leaderboard.evaluations import rescoring

whole = rescoring._next_piece


def slowly(state, rescore_id):
    time.sleep(0.5)
    return whole(state, rescore_id)


rescoring._PIECE = 1
rescoring._next_piece = slowly
worker.run_worker(load_settings(Path({state_dir!r}), {{}}))
"""


def wait_until(is_there: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_there():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def rows_of_a_board(site: Site) -> list[tuple[object, ...]]:
    from leaderboard.boards import standings

    with site.state.database.reading() as session:
        return [
            (split, row.rank, row.team_name, row.primary, row.interval, row.submission_public_id)
            for split in Split
            for row in standings.board(session, site.assignment(session), split).rows
        ]
