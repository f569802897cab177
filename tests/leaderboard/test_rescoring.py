"""A whole assignment scored again: every score right, in pieces, once, whatever dies in between."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_site import Site, answers, predictions_csv

import grader
from leaderboard import rescoring
from leaderboard.errors import NotAllowedNow
from leaderboard.models import Evaluation, QuotaEntry, Rescore, Split, SplitScore, Submission

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
    from leaderboard import standings

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
    from leaderboard import intervals

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
