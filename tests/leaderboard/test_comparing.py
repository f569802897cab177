"""A submission beside others, and the board over time."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from small_site import make_site, predictions_csv, write_assignment

from leaderboard import charts, comparisons, curves, history
from leaderboard.models import Role, Submission

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


def hand_in(site, name, wrong, *, role=Role.STUDENT, seed=0):
    site.person(name, role)
    public_id = site.hand_in(name, predictions_csv(site.folder, wrong=wrong, seed=seed))
    site.score(public_id)
    return public_id


def compared(site, public_id, by):
    with site.state.database.reading() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        return by(session, found)


def test_an_entry_stands_beside_the_teams_earlier_ones_newest_first(site):
    bad, good, same = (hand_in(site, "mei", wrong) for wrong in (150, 10, 10))
    rows = compared(site, same, comparisons.with_earlier)
    assert [row.public_id for row in rows] == [good, bad]
    assert (rows[0].ahead, rows[0].is_told_apart) == (0, False)
    assert rows[1].ahead > 0
    assert rows[1].is_told_apart


def test_the_first_entry_has_nothing_to_stand_beside(site):
    assert compared(site, hand_in(site, "mei", 3), comparisons.with_earlier) == ()


def test_entries_of_other_teams_are_never_shown(site):
    hand_in(site, "kofi", 0)
    assert compared(site, hand_in(site, "mei", 3), comparisons.with_earlier) == ()


def test_an_entry_stands_beside_each_baseline(site):
    hand_in(site, "lenet", 0, role=Role.BASELINE)
    (row,) = compared(site, hand_in(site, "mei", 150), comparisons.with_baselines)
    assert (row.name, row.public_id) == ("lenet", "")
    assert row.ahead < 0
    assert row.is_told_apart


@pytest.mark.parametrize("mode", ["rounded", "ladder"])
def test_a_board_that_keeps_figures_back_compares_nothing_before_the_release(tmp_path, mode):
    folder = write_assignment(tmp_path / "animals", scoring=f'public_board = "{mode}"\n')
    site = make_site(tmp_path, folder)
    hand_in(site, "mei", 150)
    last = hand_in(site, "mei", 3)
    assert compared(site, last, comparisons.with_earlier) == ()
    assert compared(site, last, comparisons.with_baselines) == ()
    site.state.close()


def test_the_history_keeps_improvements_of_the_leaders_and_of_ones_own_team(site):
    for wrong in (90, 120, 30):
        hand_in(site, "mei", wrong)
    for number in range(history.LEADERS):
        hand_in(site, f"team{number}", 0)
    with site.state.database.reading() as session:
        found = history.climbs(session, site.assignment(session), site.team(session, "mei"))
    assert len(found) == history.LEADERS + 1
    (mine,) = (climb for climb in found if climb.is_mine)
    assert len(mine.steps) == 2
    assert mine.steps[0][1] < mine.steps[1][1]


def test_the_picture_of_the_history_is_well_formed_and_escapes_names():
    steps = [(NOW, 0.5), (NOW + timedelta(days=3), 0.9)]
    lines = [("<b>bold</b>", False, steps), ("mine", True, steps[1:])]
    picture = curves.climbs(
        lines, charts.axis([0.5, 0.9]), until=NOW + timedelta(days=9), title="t"
    )
    ET.fromstring(picture)
    assert "<b>" not in picture
    assert "style" not in picture


def test_names_at_the_right_end_never_run_into_each_other():
    lines = [(f"team {n}", False, [(NOW, 0.9 + n / 1e6)]) for n in range(6)]
    picture = curves.climbs(lines, charts.axis([0.5, 0.91]), until=NOW, title="t")
    texts = [group.find("text") for group in ET.fromstring(picture).iter("g")]
    heights = sorted(float(text.get("y")) for text in texts)
    assert all(below - above >= 15 for above, below in pairwise(heights))


def test_roc_curves_are_drawn_with_their_mean():
    picture = curves.roc(
        {"cat": (0.0, 0.8, 1.0), "dog": (0.0, 0.6, 1.0)},
        (0.0, 0.1, 1.0),
        title="t",
        across="a",
        upwards="u",
    )
    paths = [path.get("class") for path in ET.fromstring(picture).iter("path")]
    assert paths == ["chance", "one", "one", "mean"]
