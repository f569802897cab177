"""A submission beside others, and the board over time."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
import sqlalchemy as sa
from signing_in import signed_in
from small_site import make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.models import Role, Standing, Submission
from leaderboard.views import comparisons, history
from leaderboard.web import charts, curves

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
    found = compared(site, hand_in(site, "mei", 150), comparisons.with_baselines)
    (row,) = found.nearest
    assert not found.is_choice
    assert (row.name, row.public_id) == ("lenet", "")
    assert row.ahead < 0
    assert row.is_told_apart


@pytest.fixture
def crowd(site):
    """Six baselines, and an entry of mei's between the third and the fourth."""
    for number, wrong in enumerate((0, 20, 36, 48, 60, 72)):
        hand_in(site, f"b{number}", wrong, role=Role.BASELINE)
    return hand_in(site, "mei", 44)


def team_id(site, name):
    with site.state.database.reading() as session:
        return site.team(session, name).id


def test_of_many_baselines_the_three_nearest_are_shown_best_first(site, crowd):
    found = compared(site, crowd, comparisons.with_baselines)

    assert [row.name for row in found.nearest] == ["b2", "b3", "b4"]
    assert [row.ahead > 0 for row in found.nearest] == [False, True, True]
    assert [each.name for each in found.choices] == [f"b{number}" for number in range(6)]
    assert found.chosen == ()


def test_any_baseline_can_be_chosen_and_is_compared_as_it_always_was(site, crowd):
    far, near = team_id(site, "b0"), team_id(site, "b3")
    found = compared(site, crowd, partial(comparisons.with_baselines, chosen=far))
    assert [(row.name, row.is_told_apart) for row in found.chosen] == [("b0", True)]
    assert [row.name for row in found.nearest] == ["b2", "b3", "b4"]
    assert [each.name for each in found.choices if each.is_chosen] == ["b0"]

    # one of the nearest stands among them, whether it is chosen or not
    found = compared(site, crowd, partial(comparisons.with_baselines, chosen=near))
    assert found.chosen == ()
    alone = compared(site, crowd, comparisons.with_baselines)
    assert found.nearest == alone.nearest


def test_what_was_answered_is_read_of_the_compared_baselines_only(site, crowd):
    read, far = [], team_id(site, "b0")

    def note(standing, _):
        read.append(standing.team_id)

    sa.event.listen(Standing, "load", note)
    try:
        compared(site, crowd, partial(comparisons.with_baselines, chosen=far))
    finally:
        sa.event.remove(Standing, "load", note)

    assert sorted(read) == sorted(team_id(site, name) for name in ("b0", "b2", "b3", "b4"))


def test_the_page_offers_the_choice_without_a_script(site, crowd):
    client = signed_in(create_app(state=site.state), "mei")
    page = client.get(f"/s/{crowd}").text
    table = page.partition('id="compared"')[2].partition("</table>")[0]
    assert [name for name in ("b0", "b1", "b2", "b3", "b4", "b5") if name in table] == [
        "b2",
        "b3",
        "b4",
    ]
    assert 'name="baseline"' in page

    chosen = client.get(f"/s/{crowd}?baseline={team_id(site, 'b0')}").text

    table = chosen.partition('id="compared"')[2].partition("</table>")[0]
    assert "Chosen baseline" in table
    assert f'value="{team_id(site, "b0")}" selected' in chosen
    for nobodys in ("x", "999", str(team_id(site, "mei"))):
        assert "Chosen baseline" not in client.get(f"/s/{crowd}?baseline={nobodys}").text


def test_another_team_is_never_compared_with_by_its_number(site, crowd):
    hand_in(site, "kofi", 1)
    found = compared(site, crowd, partial(comparisons.with_baselines, chosen=team_id(site, "kofi")))

    assert found.chosen == ()
    assert "kofi" not in [each.name for each in found.choices]


@pytest.mark.parametrize("mode", ["rounded", "ladder"])
def test_a_board_that_keeps_figures_back_compares_nothing_before_the_release(tmp_path, mode):
    folder = write_assignment(tmp_path / "animals", scoring=f'public_board = "{mode}"\n')
    site = make_site(tmp_path, folder)
    hand_in(site, "mei", 150)
    last = hand_in(site, "mei", 3)
    assert compared(site, last, comparisons.with_earlier) == ()
    assert compared(site, last, comparisons.with_baselines) == comparisons.Baselines()
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


def test_the_report_says_what_was_right_what_was_passed_and_offers_it_as_final(site):
    hand_in(site, "lenet", 60, role=Role.BASELINE)
    hand_in(site, "equal", 0, role=Role.BASELINE)
    hand_in(site, "mei", 66)
    best = hand_in(site, "mei", 0)

    page = signed_in(create_app(state=site.state), "mei").get(f"/s/{best}").text

    assert "24 of 24 correct" in page
    assert "You passed lenet" in page
    assert "You passed equal" not in page
    against = page.partition("against the last:")[2].partition("</li>")[0]
    assert 'class="up"' in against
    assert "pictures" in against
    assert "Use as final" in page


def test_what_the_answers_do_not_carry_has_no_arrow_and_no_colour(site):
    hand_in(site, "mei", 4)
    page = signed_in(create_app(state=site.state), "mei").get(f"/s/{hand_in(site, 'mei', 3)}").text

    against = page.partition("against the last:")[2].partition("</li>")[0]
    assert "no clear difference" in against
    assert "▲" not in page
    assert 'class="up"' not in page
