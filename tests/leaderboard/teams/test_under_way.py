"""What becomes of an upload that is on its way when its owner changes teams or goes."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from small_site import Site, predictions_csv

from leaderboard.accounts import courses
from leaderboard.assignments import editions
from leaderboard.db import Base, utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.models import Assignment, Course, Role, Submission, Team, Upload, User
from leaderboard.submissions import commitments
from leaderboard.submissions.commitments import Wanted
from leaderboard.teams import invitations, leaving, membership


def commit(site: Site, name: str, *, wrong: int = 0) -> str:
    """Commit to a CSV; the upload's public id."""
    content = predictions_csv(site.folder, wrong=wrong)
    wanted = Wanted(sha256=hashlib.sha256(content).hexdigest(), size=len(content), filename="p.csv")
    site.person(name)
    with site.state.database.session() as session:
        return commitments.commit(
            session,
            site.state,
            assignment=site.assignment(session),
            team=site.team(session, name),
            user=session.get_one(User, site.person(name).id),
            wanted=wanted,
            now=utcnow(),
        ).public_id


def send(site: Site, name: str, public_id: str, *, wrong: int = 0) -> Submission:
    """Send all of it."""
    with site.state.database.session() as session:
        user = session.get_one(User, site.person(name).id)
        upload = commitments.one(session, user, public_id)
        content = predictions_csv(site.folder, wrong=wrong)
        staged = site.upload(content)
        with staged.path.open("rb") as body:
            accepted = commitments.take_part(session, site.state, upload, 0, body)
        staged.path.unlink()
        assert accepted is not None
        return accepted.submission


def is_over(site: Site, name: str, public_id: str) -> bool:
    """Whether nothing more is taken of it."""
    try:
        send(site, name, public_id)
    except NotAllowedNow:
        return True
    return False


def team_id(site: Site, name: str) -> int:
    with site.state.database.reading() as session:
        return site.team(session, name).id


def test_an_upload_goes_along_into_the_team_that_staff_move_its_owner_to(site: Site) -> None:
    site.person("bob")
    to_bob, alone = commit(site, "ann"), commit(site, "ann", wrong=3)
    for name in ("bob", None):
        with site.state.database.session() as session:
            course = session.get_one(Course, site.course.id)
            ann = session.get_one(User, site.person("ann").id)
            target = site.team(session, name) if name else None
            membership.move(session, course, ann, target, actor=ann)
        if name:
            assert send(site, "ann", to_bob).team_id == team_id(site, "bob")
    assert send(site, "ann", alone, wrong=3).team_id == team_id(site, "ann") != team_id(site, "bob")


def test_teams_with_uploads_become_one(site: Site) -> None:
    site.person("bob")
    handed_in, coming = commit(site, "ann"), commit(site, "ann", wrong=3)
    send(site, "ann", handed_in)
    with site.state.database.session() as session:
        bob, ann = (session.get_one(User, site.person(name).id) for name in ("bob", "ann"))
        team = site.team(session, "bob")
        invited = invitations.invite(session, team.course, team=team, actor=bob)
        membership.merge(session, invited, ann)
    assert send(site, "ann", coming, wrong=3).team_id == team_id(site, "bob")


def test_whoever_is_taken_out_of_a_course_hands_nothing_more_in_there(site: Site) -> None:
    commit(site, "ann")
    with site.state.database.session() as session:
        ann = session.get_one(User, site.person("ann").id)
        leaving.unenrol(session, session.get_one(Course, site.course.id), ann, actor=None)
        assert session.scalars(sa.select(Team)).all() == []
        assert session.scalars(sa.select(Upload)).all() == []
        assert session.scalars(sa.select(Submission)).all() == []


def test_whoever_grades_now_hands_in_nothing_that_was_under_way(site: Site) -> None:
    public_id = commit(site, "ann")
    with site.state.database.session() as session:
        ann = session.get_one(User, site.person("ann").id)
        course = session.get_one(Course, site.course.id)
        courses.enrol(session, course, ann, Role.ASSISTANT)
    assert is_over(site, "ann", public_id)


def test_an_upload_under_way_holds_no_assignment_up_that_is_taken_back(site: Site) -> None:
    commit(site, "ann")
    with site.state.database.session() as session:
        editions.unpublish(session, site.assignment(session), actor=None)
        assert session.scalars(sa.select(Assignment)).all() == []


def test_every_table_that_names_teams_is_thought_of_when_one_goes() -> None:
    named = {
        table.name
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name == "team"
    }
    rows_of_a_hand_in = {"submission", "quota_entry"}  # a team that has those stays, or they move
    dropped = {"extension", "former_member", "invitation", "standing", "team_member", "upload"}
    assert named == rows_of_a_hand_in | dropped  # membership: _absorb, _drop_if_unused
