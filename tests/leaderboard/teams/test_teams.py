"""Teams: invite, join, leave, merge, names, limits; and what staff may do beyond."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from forms import app_of, send
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard import audit
from leaderboard.accounts import names
from leaderboard.accounts.access import Access
from leaderboard.accounts.links import Links
from leaderboard.boards import standings
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.models import (
    AuditEvent,
    Course,
    Invitation,
    Notification,
    Role,
    Split,
    Submission,
    Team,
    User,
)
from leaderboard.teams import invitations, membership
from leaderboard.views.board import student_board


@pytest.fixture
def limited(tmp_path: Path):
    """A site whose assignment takes three hand-ins a day."""
    made = make_site(tmp_path, write_assignment(tmp_path / "three", daily_limit=3))
    yield made
    made.state.close()


def join(site: Site, name: str, other: str, *, whole_team: bool = False) -> None:
    """Bring somebody into another's team, by an invitation of it."""
    site.person(name), site.person(other)
    with site.state.database.session() as session:
        host = session.get_one(User, site.person(other).id)
        team = site.team(session, other)
        invitation = invitations.invite(session, team.course, team=team, actor=host)
        change = membership.merge if whole_team else membership.join
        change(session, invitation, session.get_one(User, site.person(name).id))


def members(site: Site, name: str) -> list[str]:
    with site.state.database.reading() as session:
        roster = membership.roster(session, site.team(session, name), utcnow())
        return [each.name for each in roster.members]


def set_course(site: Site, **values: object) -> None:
    with site.state.database.write() as session:
        course = session.get_one(Course, site.course.id)
        for name, value in values.items():
            setattr(course, name, value)


def count(site: Site, model: type) -> int:
    with site.state.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def rename(site: Site, name: str, to: str, pseudonym: str = "") -> None:
    with site.state.database.session() as session:
        actor = session.get_one(User, site.person(name).id)
        team = site.team(session, name)
        membership.rename(session, team, name=to, pseudonym=pseudonym, actor=actor)


def test_joining_leaves_no_empty_team_behind_and_tells_the_others(site: Site) -> None:
    join(site, "bob", "ann")

    assert members(site, "ann") == ["ann", "bob"]
    assert count(site, Team) == 1
    with site.state.database.reading() as session:
        told = session.scalars(sa.select(Notification)).one()
        assert (told.user_id, told.details["what"]) == (site.person("ann").id, "joined")


def test_a_full_team_takes_nobody(site: Site) -> None:
    set_course(site, team_size=2)
    join(site, "bob", "ann")

    with pytest.raises(NotAllowedNow, match="at most 2 members"):
        join(site, "eve", "ann")
    assert members(site, "eve") == ["eve"]


def test_what_somebody_handed_in_alone_comes_along_with_the_standing(site: Site) -> None:
    for name, wrong in (("ann", 20), ("bob", 4)):
        site.score(site.hand_in(name, predictions_csv(site.folder, wrong=wrong)))
    join(site, "bob", "ann")

    with site.state.database.reading() as session:
        team = site.team(session, "ann")
        board = standings.board(session, site.assignment(session), Split.PUBLIC, my_team=team)
        (row,) = board.rows
        assert (row.entries, row.is_mine) == (2, True)
        assert row.primary > 0.8  # bob's
        assert set(session.scalars(sa.select(Submission.team_id))) == {team.id}
        assert audit.verify(session, site.state.receipts.public_key)[1] == ()


def test_a_merge_beyond_the_joint_quota_is_refused_and_changes_nothing(limited: Site) -> None:
    for name, times in (("ann", 2), ("bob", 2), ("eve", 1)):
        for number in range(times):
            limited.hand_in(name, predictions_csv(limited.folder, wrong=number))

    with pytest.raises(NotAllowedNow, match="4 times on"):
        join(limited, "bob", "ann")
    assert members(limited, "bob") == ["bob"]
    join(limited, "eve", "ann")
    assert members(limited, "ann") == ["ann", "eve"]
    with limited.state.database.reading() as session:
        from leaderboard.rules import quotas

        team, assignment = limited.team(session, "ann"), limited.assignment(session)
        assert quotas.quota(session, assignment, team, utcnow()).remaining == 0


def test_a_whole_team_becomes_part_of_another(site: Site) -> None:
    join(site, "bob", "ann")
    site.score(site.hand_in("bob", predictions_csv(site.folder)))
    site.person("eve")
    join(site, "ann", "eve", whole_team=True)

    assert sorted(members(site, "eve")) == ["ann", "bob", "eve"]
    assert count(site, Team) == 1


def test_a_team_that_handed_in_is_left_through_staff_only(site: Site) -> None:
    join(site, "bob", "ann")
    site.hand_in("ann", predictions_csv(site.folder))
    with site.state.database.session() as session:
        bob = session.get_one(User, site.person("bob").id)
        with pytest.raises(NotAllowedNow, match="Ask the teaching team"):
            membership.leave(session, site.team(session, "bob"), bob)
    with pytest.raises(NotAllowedNow, match="Ask the teaching team"):
        join(site, "bob", "eve")

    site.person("ada", Role.INSTRUCTOR)
    with site.state.database.session() as session:
        bob = session.get_one(User, site.person("bob").id)
        ada = session.get_one(User, site.person("ada").id)
        course = session.get_one(Course, site.course.id)
        membership.move(session, course, bob, None, actor=ada)
    assert (members(site, "ann"), members(site, "bob")) == (["ann"], ["bob"])
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(Submission.team_id)).one() == site.team(session, "ann").id


def test_a_team_that_handed_in_nothing_is_left_freely(site: Site) -> None:
    join(site, "bob", "ann")
    with site.state.database.session() as session:
        bob = session.get_one(User, site.person("bob").id)
        membership.leave(session, site.team(session, "bob"), bob)

    assert (members(site, "ann"), members(site, "bob")) == (["ann"], ["bob"])


def test_after_the_course_fixed_them_teams_change_through_staff_only(site: Site) -> None:
    site.person("ann")
    set_course(site, teams_until=utcnow() - timedelta(seconds=1))

    with pytest.raises(NotAllowedNow, match="are fixed"):
        join(site, "bob", "ann")
    with pytest.raises(NotAllowedNow, match="are fixed"):
        rename(site, "ann", "New name")


def test_after_a_release_teams_of_its_board_stay_as_they_are(site: Site) -> None:
    from leaderboard.assignments import release

    site.score(site.hand_in("bob", predictions_csv(site.folder)))
    with site.state.database.session() as session:
        release.release(session, site.assignment(session), actor=None)

    with pytest.raises(NotAllowedNow, match="final results"):
        join(site, "bob", "ann")


def test_a_name_is_cleaned_and_nobody_elses(site: Site) -> None:
    site.person("ann"), site.person("bob")
    rename(site, "ann", "  Kernel \u3000\tPanic ", "Quiet  fox")

    with site.state.database.reading() as session:
        team = site.team(session, "ann")
        assert (team.name, team.pseudonym) == ("Kernel Panic", "Quiet fox")
    for taken in ("kernel  PANIC", "ＫernelPanic", "quiet fox"):
        with pytest.raises(BadRequest, match="nearly so"):
            rename(site, "bob", taken)
        with pytest.raises(BadRequest, match="nearly so"):
            rename(site, "bob", "bob", taken)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u200b\u202e",
        "x" * 61,
        "\u202eevil",  # reads from right to left
        "a\nb\x07",
        "in\u200bvisible",
        "\u3164\u3164",  # fillers of Hangul
        "\u2800",  # Braille without dots
        "\u0301\u0302",  # marks on nothing
        "Z" + 9 * "\u0335" + "algo",
        "\ue000",  # private use
    ],
)
def test_an_unfit_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        names.clean(name)
    assert names.tidy(name, instead="Team").isprintable()


@pytest.mark.parametrize("name", ["ада", "Ａda", "A\u217e\u0430", "ADA"])
def test_no_team_takes_anothers_name_in_letters_that_look_alike(site: Site, name: str) -> None:
    rename(site, "ann", "Ada" if name != "ада" else "aдa")
    with pytest.raises(BadRequest, match="nearly so"):
        rename(site, "bob", name)


def test_a_new_account_has_a_fit_name_and_a_team_that_does_not_tell_it(site: Site) -> None:
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        made = invitations.invite(session, course, actor=None)
        link = f"/join/{Links(site.settings.secret_key).of_invitation(made)}"
    fields = {"password": "four quiet words here"}
    for number, name in enumerate(("\u202eevil\u200b", "x" * 300, "a\nb\x07", "\u3164")):
        client, email = app_of(site).test_client(), f"q{number}@example.edu"
        made = send(client, f"{link}/account", form=link, name=name, email=email, **fields)
        assert made.status_code == 400, name
    for number in range(2):
        client, email = app_of(site).test_client(), f"r{number}@example.edu"
        send(client, f"{link}/account", form=link, name="Ada Lovelace", email=email, **fields)
    with site.state.database.reading() as session:
        assert set(session.scalars(sa.select(User.name))) == {"Ada Lovelace"}
        assert set(session.scalars(sa.select(Team.name))) == {"Team", "Team 2"}


def test_the_board_shows_the_pseudonym_and_finds_nobody_by_the_name(site: Site) -> None:
    site.score(site.hand_in("ann", predictions_csv(site.folder)))
    rename(site, "ann", "Ann Lee", "Quiet fox")
    site.person("bob")
    with site.state.database.reading() as session:
        course = session.get_one(Course, site.course.id)
        bob = session.get_one(User, site.person("bob").id)
        viewer = Access(user=bob, course=course, role=Role.STUDENT, team=site.team(session, "bob"))
        board = student_board(session, site.assignment(session), viewer)
        assert [row.team_name for row in board.rows] == ["Quiet fox"]
        found = student_board(session, site.assignment(session), viewer, search="Ann")
        assert found.rows == ()


def test_every_change_is_in_the_audit_log_by_numbers_alone(site: Site) -> None:
    join(site, "bob", "ann")
    rename(site, "ann", "Secret name")
    with site.state.database.reading() as session:
        events = session.scalars(sa.select(AuditEvent)).all()
        actions = {each.action for each in events}
        assert {"team.join", "team.rename", "invitation.make"} <= actions
        assert "Secret" not in " ".join(f"{each.subject} {each.details}" for each in events)
        assert audit.verify(session, site.state.receipts.public_key)[1] == ()


def test_an_invitation_of_a_team_that_merged_leads_to_the_joint_team(site: Site) -> None:
    site.person("ann"), site.person("bob")
    with site.state.database.session() as session:
        team = site.team(session, "bob")
        invitation = invitations.invite(session, team.course, team=team, actor=None)
        number = invitation.id
    join(site, "bob", "ann")

    with site.state.database.session() as session:
        eve = session.get_one(User, site.person("eve").id)
        membership.join(session, session.get_one(Invitation, number), eve)
    assert members(site, "ann") == ["ann", "bob", "eve"]
