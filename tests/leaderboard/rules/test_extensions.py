"""Staff extend dates, late days or the daily limit of one team; all else goes by that."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_site import Site, predictions_csv, write_assignment

from leaderboard.errors import AssignmentClosed, BadRequest, QuotaExceeded
from leaderboard.messages import letters, notifications
from leaderboard.models import (
    AuditEvent,
    Course,
    Extension,
    Notification,
    OutgoingMail,
    Reason,
    Role,
    Submission,
    Team,
    User,
)
from leaderboard.rules import schedule
from leaderboard.teams import extensions, invitations, membership
from leaderboard.views import gradebook

DUE = datetime(2025, 10, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def assignment_folder(tmp_path: Path) -> Path:
    schedule = f"due = {DUE.isoformat()}\ncloses = {(DUE + 3 * DAY).isoformat()}"
    return write_assignment(tmp_path / "animals", schedule=schedule, daily_limit=1)


def extend(site: Site, name: str, *, everywhere: bool = False, **more: object) -> int:
    person = site.person(name)
    boss = site.person("boss", Role.INSTRUCTOR)
    with site.state.database.session() as session:
        given = extensions.More(assignment=None if everywhere else site.assignment(session), **more)
        course = session.get_one(Course, site.course.id)
        whom = session.get_one(User, person.id)
        actor = session.get_one(User, boss.id)
        return extensions.grant(session, course, whom, given, actor=actor).id


def end(site: Site, extension_id: int) -> None:
    with site.state.database.session() as session:
        extensions.revoke(session, session.get_one(Extension, extension_id), actor=None)


def late(site: Site, public_id: str) -> tuple[int, int]:
    with site.state.database.reading() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        return found.days_late, found.late_days_spent


def due_of(site: Site, name: str) -> datetime | None:
    with site.state.database.reading() as session:
        return schedule.terms(site.assignment(session), site.team(session, name)).due


def hand_in(site: Site, name: str, at: datetime, seed: int = 0) -> str:
    return site.hand_in(name, predictions_csv(site.folder, wrong=seed, seed=seed), at=at)


def test_a_new_due_date_is_in_time_for_the_team_and_late_for_all_others(site: Site) -> None:
    extend(site, "ann", due=DUE + 2 * DAY)

    assert late(site, hand_in(site, "ann", DUE + 2 * DAY)) == (0, 0)
    assert late(site, hand_in(site, "bob", DUE + 2 * DAY)) == (2, 0)


def test_it_closes_as_much_later_as_it_is_due_later(site: Site) -> None:
    extend(site, "ann", due=DUE + 2 * DAY)

    hand_in(site, "ann", DUE + 5 * DAY)
    with pytest.raises(AssignmentClosed, match="closed at 2025-10-06 20:00:00"):
        hand_in(site, "ann", DUE + 5 * DAY + timedelta(seconds=1))
    with pytest.raises(AssignmentClosed):
        hand_in(site, "bob", DUE + 5 * DAY)


def test_what_came_in_before_counts_by_the_new_date_and_again_by_the_old(site: Site) -> None:
    with site.state.database.write() as session:
        session.get_one(Course, site.course.id).late_days = 1
    public_id = hand_in(site, "ann", DUE + 2 * DAY)
    site.score(public_id)
    assert (late(site, public_id), grade(site, "ann")) == ((2, 1), ("2", "1"))

    given = extend(site, "ann", hours=48)
    assert (late(site, public_id), grade(site, "ann")) == ((0, 0), ("0", "0"))

    end(site, given)
    assert (late(site, public_id), grade(site, "ann")) == ((2, 1), ("2", "1"))


def grade(site: Site, name: str) -> tuple[str, str]:
    with site.state.database.reading() as session:
        table = gradebook.grades_csv(session, site.assignment(session))
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(table))}
    return rows[name]["days_late"], rows[name]["penalty_days"]


def test_more_late_days_pay_for_lateness(site: Site) -> None:
    extend(site, "ann", late_days=2)

    assert late(site, hand_in(site, "ann", DUE + 3 * DAY)) == (3, 2)


def test_more_submissions_a_day_are_taken_and_no_one_more(site: Site) -> None:
    extend(site, "ann", daily_limit=1)

    for seed in (1, 2):
        hand_in(site, "ann", DUE, seed)
    with pytest.raises(QuotaExceeded, match="its 2 submissions"):
        hand_in(site, "ann", DUE, 3)


def test_of_several_the_most_generous_holds(site: Site) -> None:
    extend(site, "ann", hours=24)
    longer = extend(site, "ann", hours=72)
    extend(site, "ann", due=DUE + 2 * DAY)

    assert due_of(site, "ann") == DUE + 3 * DAY
    end(site, longer)
    assert due_of(site, "ann") == DUE + 2 * DAY


def test_one_for_all_to_come_moves_what_is_not_over(site: Site, tmp_path: Path) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + 30 * DAY
    folder = write_assignment(
        tmp_path / "birds", slug="birds", schedule=f"due = {later.isoformat()}"
    )
    site.publish(folder)
    extend(site, "ann", everywhere=True, hours=24, reason=Reason.ACCOMMODATION)

    with site.state.database.reading() as session:
        team = site.team(session, "ann")
        assert schedule.terms(site.assignment(session, "birds"), team).due == later + DAY
    assert due_of(site, "ann") == DUE


def test_it_stays_with_the_team_of_that_moment_when_the_person_moves(site: Site) -> None:
    hand_in(site, "ann", DUE)
    extend(site, "ann", due=DUE + 2 * DAY)
    site.person("bob")
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        target, old = site.team(session, "bob"), site.team(session, "ann")
        ann = session.get_one(User, site.person("ann").id)
        boss = session.get_one(User, site.person("boss", Role.INSTRUCTOR).id)
        membership.move(session, course, ann, target, actor=boss)
        old_due = schedule.terms(site.assignment(session), session.get_one(Team, old.id)).due

    assert (due_of(site, "ann"), old_due) == (DUE, DUE + 2 * DAY)


def test_a_merge_keeps_it_and_counts_anew(site: Site) -> None:
    extend(site, "ann", due=DUE + 2 * DAY)
    public_id = hand_in(site, "bob", DUE + DAY)
    with site.state.database.session() as session:
        team = site.team(session, "bob")
        bob = session.get_one(User, site.person("bob").id)
        ann = session.get_one(User, site.person("ann").id)
        way = invitations.invite(
            session, session.get_one(Course, site.course.id), team=team, actor=bob
        )
        membership.join(session, way, ann)

    assert due_of(site, "bob") == DUE + 2 * DAY
    assert late(site, public_id) == (0, 0)


def test_the_team_is_told_the_date_and_never_the_reason(site: Site) -> None:
    extend(site, "ann", due=DUE + DAY, late_days=1, reason=Reason.ILLNESS, reference="DSO 118")

    with site.state.database.reading() as session:
        (notice,) = session.scalars(sa.select(Notification)).all()
        (mail,) = session.scalars(sa.select(OutgoingMail).filter_by(kind=notice.kind)).all()
        event = session.scalars(sa.select(AuditEvent).filter_by(action="extension.grant")).one()
        told = str([notice.details, mail.details, event.details, event.subject])
        written = letters.compose(session, site.settings, mail).text
    assert (
        "For your team, Tiny animals is due at 2025-10-02 20:00 (Asia/Shanghai) now"
        " · Your team has 1 late day more"
    ) in written
    assert "illness" not in told + written
    assert "DSO" not in told + written


def test_the_reminder_goes_by_the_teams_own_date(site: Site) -> None:
    site.person("bob")
    extend(site, "ann", due=DUE + 2 * DAY)

    def reminded(now: datetime) -> list[str]:
        with site.state.database.session() as session:
            notifications.remind(session, now)
            notifications.remind(session, now)
            return [
                session.get_one(User, each.user_id).name
                for each in session.scalars(sa.select(Notification).order_by(Notification.id))
                if "extension" not in each.details
            ]

    assert reminded(DUE - DAY / 2) == ["bob"]
    assert reminded(DUE + DAY) == ["bob", "ann"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "extends nothing"),
        ({"due": DUE}, "later than everybody's"),
        ({"hours": -1}, "whole number"),
        ({"due": datetime(9999, 12, 31, 23, tzinfo=UTC)}, "at most a year"),
        ({"hours": 1, "due": DUE + DAY}, "not both"),
        ({"due": DUE + 2 * DAY, "closes": DUE + DAY}, "later than everybody's"),
        ({"due": DUE + 6 * DAY, "closes": DUE + 5 * DAY}, "before it is due"),
        ({"hours": 1, "reference": "x" * 201}, "at most 200"),
    ],
)
def test_what_extends_nothing_is_refused_in_a_sentence(
    site: Site, more: dict[str, object], why: str
) -> None:
    with pytest.raises(BadRequest, match=why):
        extend(site, "ann", **more)


def test_staff_get_no_extension(site: Site) -> None:
    site.person("boss", Role.INSTRUCTOR)
    with pytest.raises(BadRequest, match="Only students"):
        extend(site, "boss", hours=1)
