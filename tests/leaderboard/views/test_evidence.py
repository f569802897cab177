"""Evidence of looked-up answers: staff see it, the team does not, and nothing is taken."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from signing_in import signed_in
from small_site import predictions_csv

import grader
from grader.scoring.memorised import Losses
from leaderboard import create_app
from leaderboard.evaluations import looked_up
from leaderboard.models import Evaluation, Role, Submission
from leaderboard.views import evidence


def hand_in(site, name, wrong, *, role=Role.STUDENT, seed=0):
    site.person(name, role)
    public_id = site.hand_in(name, predictions_csv(site.folder, wrong=wrong, seed=seed))
    site.score(public_id)
    return public_id


def found(site, public_id, about):
    with site.state.database.reading() as session:
        submission = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        return about(session, submission)


@pytest.fixture
def references(site):
    """Three that miss the same images, and some of their own."""
    for name, wrong in (("r0", 60), ("r1", 50), ("r2", 55)):
        hand_in(site, name, wrong, role=Role.BASELINE)


@pytest.mark.usefixtures("references")
def test_a_table_is_right_where_all_references_are_wrong_and_a_network_is_not(site):
    table = found(site, hand_in(site, "mei", 0), evidence.of)["missed"]
    assert table == {"references": 3, "n": 50, "right": 50, "above": True}
    network = found(site, hand_in(site, "kofi", 58), evidence.of)["missed"]
    assert network == {"references": 3, "n": 50, "right": 0, "above": False}


def test_one_reference_is_no_evidence(site):
    hand_in(site, "r0", 60, role=Role.BASELINE)
    assert found(site, hand_in(site, "mei", 0), evidence.of) is None


@pytest.mark.usefixtures("references")
def test_staff_see_it_on_the_page_and_the_team_does_not(site):
    public_id = hand_in(site, "mei", 0)
    site.person("ada", Role.INSTRUCTOR)
    app = create_app(state=site.state)
    page = signed_in(app, "ada").get(f"/s/{public_id}").text
    said = re.sub(r"\s+", " ", page.partition("data-evidence")[2])
    assert "50 images are missed by all 3 references; 50 of them are answered rightly" in said
    assert "No reference has as many images right." in said
    assert "data-evidence" not in signed_in(app, "mei").get(f"/s/{public_id}").text


def test_the_flag_mem_is_for_staff_and_the_others_are_for_all():
    assert evidence.for_students(["ND", "MEM", "DATA"]) == ["ND", "DATA"]


def test_what_was_lost_on_copies_is_told():
    facts = {"copies": 64, "copies_right": 60, "copies_lost": 30, "copies_p": 1e-30}
    told = evidence._copies(Evaluation(facts=facts, flags=["MEM"]))
    assert told == {"n": 64, "right": 60, "lost": 30, "p_value": 1e-30, "flagged": True}
    assert evidence._copies(Evaluation(facts={}, flags=[])) is None


def test_which_came_first_is_told_of_newer_results():
    lost = Losses(copies=64, right=50, lost=0, images=800, missed=14, first=30, first_missed=14)
    told = evidence._copies(Evaluation(facts=lost.as_facts(), flags=["MEM"]))
    assert (told["first"], told["first_missed"], told["order_p_value"] < 1e-15) == (30, 14, True)


def with_facts(session, public_id, **facts):
    """Another evaluation of a submission, of a run that had copies."""
    submission = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
    before = submission.current_evaluation
    columns = [column.key for column in sa.inspect(Evaluation).column_attrs]
    values = {name: getattr(before, name) for name in columns if name != "id"}
    again = Evaluation(**{**values, "number": 2, "facts": facts})
    session.add(again)
    session.flush()
    submission.current_evaluation_id = again.id
    session.flush()


@pytest.mark.parametrize(
    ("references", "lost", "flags"),
    [((), 20, ("MEM",)), ((), 8, ()), ((1, 2), 20, ("MEM",)), ((15, 25), 20, ())],
)
def test_a_team_is_not_suspected_of_what_the_references_lose_too(site, references, lost, flags):
    ids = [hand_in(site, f"r{n}", 60, role=Role.BASELINE) for n in range(len(references))]
    mine = hand_in(site, "mei", 20)
    facts = Losses(copies=256, right=256, lost=lost).as_facts()
    made = grader.Evaluation(verdict=grader.Verdict.OK, flags=("MEM",), facts=facts)
    with site.state.database.write() as session:
        for public_id, theirs in zip(ids, references, strict=True):
            known = Losses(copies=256, right=240, lost=theirs).as_facts()
            with_facts(session, public_id, **known)
        submission = session.scalars(sa.select(Submission).filter_by(public_id=mine)).one()
        weighed = looked_up.weigh(session, submission, made)
    assert weighed.flags == flags
    assert (weighed.facts["copies_p"] < 1e-4) == bool(flags)
