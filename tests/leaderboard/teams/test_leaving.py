"""People who leave, are erased or grade: what becomes of their team's rank and rights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from signing_in import signed_in
from small_site import Api, Site, predictions_csv
from tampering import differences

from leaderboard.accounts import courses
from leaderboard.assignments import release
from leaderboard.boards import standings
from leaderboard.errors import NotFound
from leaderboard.models import Course, Role, Split, User
from leaderboard.operations import privacy
from leaderboard.teams import leaving


@pytest.fixture
def scored(site: Site) -> Site:
    for wrong, name in enumerate(("ann", "bob"), 1):
        site.score(site.hand_in(name, predictions_csv(site.folder, wrong=wrong * 20)))
    return site


def teams(site: Site, split: Split = Split.PUBLIC) -> list[str]:
    with site.state.database.reading() as session:
        rows = standings.board(session, site.assignment(session), split).rows
        return [row.team_name for row in rows]


def publish_results(site: Site) -> None:
    with site.state.database.session() as session:
        release.release(session, site.assignment(session), actor=None)


def erase(site: Site, name: str) -> None:
    with site.state.database.session() as session:
        privacy.erase(session, site.state, session.get_one(User, site.person(name).id))


def unenrol(site: Site, name: str) -> None:
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        user = session.get_one(User, site.person(name).id)
        leaving.unenrol(session, course, user, actor=None)


def test_whoever_is_taken_out_of_the_course_leaves_the_rank(scored: Site) -> None:
    unenrol(scored, "ann")

    assert teams(scored) == ["bob"]
    publish_results(scored)
    assert teams(scored, Split.PRIVATE) == ["bob"]
    with pytest.raises(NotFound):
        unenrol(scored, "ann")
    assert differences(scored) == ()


def test_whoever_is_enrolled_again_has_a_team_of_their_own(scored: Site) -> None:
    unenrol(scored, "ann")
    with scored.state.database.session() as session:
        course = session.get_one(Course, scored.course.id)
        user = session.get_one(User, scored.person("ann").id)
        courses.enrol(session, course, user, Role.STUDENT)
    scored.score(scored.hand_in("ann", predictions_csv(scored.folder)))

    assert teams(scored) == ["ann 2", "bob"]


def test_a_person_erased_before_results_are_out_leaves_the_rank(scored: Site) -> None:
    erase(scored, "ann")

    assert teams(scored) == ["bob"]
    assert differences(scored) == ()


def test_a_person_erased_afterwards_leaves_a_row_without_a_name(scored: Site) -> None:
    publish_results(scored)

    erase(scored, "ann")

    [first, second] = teams(scored, Split.PRIVATE)
    assert (first.split()[0], second) == ("removed", "bob")
    assert differences(scored) == ()


def test_an_assistant_in_a_students_team_hands_nothing_in_for_it(
    scored: Site, app: Flask, api: Callable[..., Api]
) -> None:
    with scored.state.database.session() as session:
        course = session.get_one(Course, scored.course.id)
        courses.enrol(
            session, course, session.get_one(User, scored.person("ann").id), Role.ASSISTANT
        )

    refused = api("ann").hand_in(predictions_csv(scored.folder))

    assert refused.status_code in (403, 404)
    assert signed_in(app, "ann").get("/c/dl-1/a/animals/submit").status_code == 404
