"""The board: order, ties, baselines, pages, modes, search."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard.accounts.access import Access
from leaderboard.boards import standings
from leaderboard.boards.place import place_of
from leaderboard.boards.standings import Board
from leaderboard.db import utcnow
from leaderboard.models import Role, Split, Standing, Submission, SubmissionStatus, Team
from leaderboard.views.board import student_board
from leaderboard.web import formats

T0 = datetime(2026, 10, 1, tzinfo=UTC)


def board(site: Site, **options: object) -> Board:
    with site.state.database.reading() as session:
        return standings.board(session, site.assignment(session), Split.PUBLIC, **options)


def names(found: Board) -> list[tuple[int | None, str]]:
    return [(row.rank, row.team_name) for row in found.rows]


def places(found: Board) -> list[tuple[int | None, bool, str]]:
    return [(row.rank, row.is_shared, row.team_name) for row in found.rows]


def filled(site: Site, scores: dict[str, float], *, baselines: tuple[str, ...] = ()) -> None:
    """Standings as publishing would leave them, one a team, a minute apart."""
    user = site.person("filler")
    with site.state.database.write() as session:
        assignment = site.assignment(session)
        for number, (name, primary) in enumerate(scores.items()):
            at = T0 + timedelta(minutes=number)
            team = Team(
                course_id=site.course.id,
                name=name,
                is_baseline=name in baselines,
                created_at=utcnow(),
            )
            session.add(team)
            session.flush()
            submission = Submission(
                public_id=f"s_{number:010d}",
                assignment_id=assignment.id,
                team_id=team.id,
                user_id=user.id,
                kind="csv",
                filename="p.csv",
                content_sha256="0" * 64,
                size_bytes=1,
                status=SubmissionStatus.FINISHED,
                verdict="OK",
                upload_started_at=at,
                accepted_at=at,
                finished_at=at,
                receipt={},
            )
            session.add(submission)
            session.flush()
            session.add(
                Standing(
                    assignment_id=assignment.id,
                    team_id=team.id,
                    split=Split.PUBLIC,
                    submission_id=submission.id,
                    is_baseline=team.is_baseline,
                    primary=primary,
                    rank_key=-primary,
                    achieved_at=at,
                    accuracy=primary,
                    macro_f1=primary,
                    entries=1,
                    last_at=at,
                )
            )


def test_equal_scores_share_a_rank_and_baselines_stand_between_without_one(site: Site) -> None:
    filled(
        site,
        {"late": 0.8, "lenet5": 0.85, "best": 0.9, "later": 0.8, "worst": 0.1, "floor": 0.05},
        baselines=("lenet5", "floor"),
    )

    assert names(board(site)) == [
        (1, "best"),
        (None, "lenet5"),
        (2, "late"),
        (2, "later"),
        (4, "worst"),
        (None, "floor"),
    ]
    assert names(board(site, include_baselines=False))[1] == (2, "late")


@pytest.mark.parametrize("per_page", [1, 2, 3, 7])
def test_pages_put_together_are_the_whole_board(site: Site, per_page: int) -> None:
    # equal scores on both sides of a page's end
    scores = {f"team{number:02d}": 0.9 - 0.01 * (number - number % 3) for number in range(13)}
    marks = {"b0": 0.99, "b1": 0.885, "b2": 0.8749, "b3": 0.8, "b4": 0.01}
    filled(site, {**scores, **marks}, baselines=tuple(marks))
    whole = places(board(site, per_page=100))

    pages = board(site, per_page=per_page).pages
    together = [
        row
        for page in range(1, pages + 1)
        for row in places(board(site, page=page, per_page=per_page))
    ]

    assert together == whole
    assert len(whole) == 18
    assert [rank for rank, is_shared, _ in whole if is_shared] == [
        1,
        1,
        1,
        4,
        4,
        4,
        7,
        7,
        7,
        10,
        10,
        10,
    ]


def test_a_search_keeps_the_rank_among_all(site: Site) -> None:
    filled(site, {"alpha": 0.9, "beta": 0.8, "alphabet": 0.7, "100%": 0.6})

    assert names(board(site, search="ALPHA")) == [(1, "alpha"), (3, "alphabet")]
    assert names(board(site, search="%")) == [(4, "100%")]
    assert board(site, search="nobody").rows == ()


def test_my_row_is_there_wherever_it_stands(site: Site) -> None:
    filled(site, {f"t{number}": 1 - number / 100 for number in range(30)})
    with site.state.database.reading() as session:
        mine = session.scalars(sa.select(Team).filter_by(name="t25")).one()
        found = standings.board(
            session, site.assignment(session), Split.PUBLIC, per_page=10, my_team=mine
        )

    assert found.mine is not None
    assert (found.mine.rank, found.mine.is_mine) == (26, True)
    assert not any(row.is_mine for row in found.rows)


def test_a_teams_best_counts_and_an_equal_later_one_does_not_replace_it(site: Site) -> None:
    first = site.hand_in("ann", predictions_csv(site.folder, wrong=10))
    site.score(first)
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=40)))
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=10)))

    row = board(site).rows[0]

    assert (row.submission_public_id, row.entries) == (first, 3)


def test_lower_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    site = make_site(
        tmp_path, write_assignment(tmp_path / "animals", scoring='metric = "log_loss"')
    )

    def confident(certainty: float) -> bytes:
        lines = predictions_csv(site.folder).decode().splitlines()[1:]
        rows = ["id,cat,dog,fox,owl"]
        for line in lines:
            name, label = line.split(",")
            rest = (1 - certainty) / 3
            row = [certainty if index == int(label) else rest for index in range(4)]
            rows.append(",".join([name, *(f"{value:.12f}" for value in row)]))
        return ("\n".join(rows) + "\n").encode()

    site.score(site.hand_in("ann", confident(0.7)))
    site.score(site.hand_in("bob", confident(0.91)))

    found = board(site)

    assert not found.higher_is_better
    assert names(found) == [(1, "bob"), (2, "ann")]
    assert found.rows[0].primary < found.rows[1].primary


def test_a_rounded_board_shows_and_ranks_rounded_scores(tmp_path: Path) -> None:
    site = make_site(
        tmp_path,
        write_assignment(tmp_path / "animals", scoring='public_board = "rounded"'),
    )
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=20)))

    row = board(site).rows[0]

    assert row.primary == round(row.primary, 2)
    assert row.macro_f1 is None  # would narrow the exact score down


def test_a_ladder_board_keeps_lucky_steps_back(tmp_path: Path) -> None:
    site = make_site(
        tmp_path, write_assignment(tmp_path / "animals", scoring='public_board = "ladder"')
    )
    shown = []
    for wrong in (40, 39, 38, 5):
        site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=wrong)))
        shown.append(board(site).rows[0].primary)

    assert shown[0] == shown[1] == shown[2]
    assert shown[3] > shown[2]
    assert board(site).rows[0].macro_f1 is None


def test_baseline_hand_ins_are_marked(site: Site) -> None:
    site.person("baselines", Role.BASELINE)
    site.score(site.hand_in("baselines", predictions_csv(site.folder, wrong=1)))

    row = board(site).rows[0]

    assert row.is_baseline
    assert row.rank is None


def test_teams_within_noise_are_marked_and_a_clearly_better_one_is_not(site: Site) -> None:
    rng = np.random.default_rng(0)
    good = rng.random(2000) < 0.9
    nearly = good.copy()
    nearly[np.flatnonzero(good)[:3]] = False  # 3 images fewer: p = .25
    poor = good.copy()
    poor[np.flatnonzero(good)[:400]] = False
    right = {"good": good, "nearly": nearly, "poor": poor, "baseline": nearly}
    filled(
        site, {name: float(bits.mean()) for name, bits in right.items()}, baselines=("baseline",)
    )
    with site.state.database.write() as session:
        for standing in session.scalars(sa.select(Standing)):
            standing.right = np.packbits(right[standing.team.name]).tobytes()

    with site.state.database.reading() as session:
        assignment = site.assignment(session)
        access = Access(
            user=site.person("reader"), course=assignment.course, role=Role.INSTRUCTOR, team=None
        )
        rows = student_board(session, assignment, access, compare=True).rows

    same = {row.team_name: row.indistinguishable_from for row in rows}
    assert same == {"good": (), "nearly": (1,), "baseline": (1, 2), "poor": ()}


def test_a_place_says_how_far_the_first_is_and_whether_it_is_shared(site: Site) -> None:
    filled(site, {"best": 0.9, "ann": 0.8, "bob": 0.8, "lenet5": 0.95}, baselines=("lenet5",))
    with site.state.database.reading() as session:
        mine = session.scalars(sa.select(Team).filter_by(name="bob")).one()
        of_bob = standings.board(session, site.assignment(session), Split.PUBLIC, my_team=mine)

    place = place_of(of_bob)

    assert place is not None
    assert (place.rank, place.is_shared, place.total) == (2, True, 3)
    assert place.gap == pytest.approx(0.1)
    assert formats.rank(place) == "2="
    assert place_of(board(site)) is None
