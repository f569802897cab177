"""Staff are told of what is wrong with the server, once, and when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from real_mail import Mailbox
from signing_in import signed_in
from small_site import Site, predictions_csv

from leaderboard import create_app
from leaderboard.db import utcnow
from leaderboard.messages import mail
from leaderboard.models import Alarm, AuditEvent, Condition, OutgoingMail, Role, User
from leaderboard.operations import backup
from leaderboard.operations.monitoring.telling import Alarms, open_ones
from leaderboard.queue import workers
from leaderboard.state import State


@pytest.fixture
def well(posting: Site) -> Site:
    """A server with nothing wrong, an English and a Chinese instructor and a student."""
    for name, locale in (("ines", "en"), ("zhao", "zh")):
        person = posting.person(name, Role.INSTRUCTOR)
        with posting.state.database.write() as session:
            session.get_one(User, person.id).locale = locale
    posting.person("ada")
    settings = replace(posting.settings, min_free_mb=0)
    posting.state = replace(posting.state, settings=settings)
    backup.make(posting.state, settings.state_dir.parent / "kept", progress=lambda *_: None)
    return posting


def full(site: Site) -> State:
    """The same server, with less than twice the room below which uploads are refused."""
    free_mb = site.state.blobs.free_bytes() >> 20
    return replace(site.state, settings=replace(site.settings, min_free_mb=free_mb * 3 // 4))


def worker_of(site: Site, host: str) -> None:
    with site.state.database.write() as session:
        workers.announce(
            session,
            executor_id=f"{host}:1",
            incarnation=host,
            concurrency=1,
            facts={"lanes": ["csv"], "host": host},
            now=utcnow(),
        )


def going_on(site: Site) -> list[tuple[Condition, str]]:
    with site.state.database.reading() as session:
        return [(each.condition, each.place) for each in open_ones(session)]


def test_staff_are_told_once_and_when_it_is_over_in_their_language(
    well: Site, mailbox: Mailbox
) -> None:
    alarms = Alarms(well.state, host="box")
    alarms.look()
    assert going_on(well) == []
    well.hand_in("ada", predictions_csv(well.folder))
    for _ in range(4):
        alarms.look()
    assert going_on(well) == [(Condition.NO_WORKER, "csv")]
    worker_of(well, "box")
    for _ in range(3):
        alarms.look()
    assert going_on(well) == []

    with well.state.database.reading() as session:
        told = session.execute(
            sa.select(User.name, OutgoingMail.details["step"].as_string())
            .join(User, User.id == OutgoingMail.user_id)
            .where(OutgoingMail.kind == "alarm")
            .order_by(OutgoingMail.id)
        ).all()
        steps = ("alarm.begin", "alarm.end")
        audited = session.scalars(
            sa.select(AuditEvent.action).where(AuditEvent.action.in_(steps)).order_by(AuditEvent.id)
        ).all()
    assert told == [("ines", "begin"), ("zhao", "begin"), ("ines", "end"), ("zhao", "end")]
    assert audited == list(steps)
    mail.send_due(well.state)
    subjects = {each["Subject"] for each in mailbox.messages}
    assert {
        "Something is wrong: Submissions wait and no worker takes them (csv)",
        "Over: Submissions wait and no worker takes them (csv)",
        "出现问题：有提交在等待，但没有工作进程处理 (csv)",
        "已恢复：有提交在等待，但没有工作进程处理 (csv)",
    } <= subjects


def test_what_one_look_alone_finds_is_no_alarm(well: Site) -> None:
    alarms = Alarms(well.state, host="box")
    well.hand_in("ada", predictions_csv(well.folder))
    alarms.look()
    worker_of(well, "box")
    alarms.look()
    alarms.look()
    assert going_on(well) == []


def test_administrators_are_told_alone_where_there_are_any(well: Site) -> None:
    root = well.person("root")
    with well.state.database.write() as session:
        session.get_one(User, root.id).is_admin = True
    alarms = Alarms(full(well), host="box")
    alarms.look()
    alarms.look()
    with well.state.database.reading() as session:
        told = sa.select(OutgoingMail.user_id).where(OutgoingMail.kind == "alarm")
        assert session.scalars(told).all() == [root.id]


def test_a_machine_ends_no_alarm_of_another_one_that_lives(well: Site) -> None:
    here, there = Alarms(full(well), host="box"), Alarms(well.state, host="other")
    worker_of(well, "box")
    for _ in range(3):
        here.look()
        there.look()
    assert going_on(well) == [(Condition.DISK, "box")]
    with well.state.database.write() as session:
        workers.stop(session, incarnation="box", now=utcnow())
    there.look()
    assert going_on(well) == []


def test_two_workers_that_look_at_once_begin_it_once(well: Site) -> None:
    one, two = (Alarms(full(well), host="box") for _ in range(2))
    for each in (one, two, one, two):
        each.look()
    with well.state.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Alarm)) == 1
    again = Alarm(condition=Condition.DISK, place="box", began_at=utcnow(), going_on="disk:box")
    with pytest.raises(sa.exc.IntegrityError), well.state.database.write() as session:
        session.add(again)


def test_the_staffs_first_page_shows_what_is_wrong_and_a_students_does_not(well: Site) -> None:
    alarms = Alarms(full(well), host="box")
    alarms.look()
    alarms.look()
    app = create_app(state=well.state)
    page = signed_in(app, "zhao").get("/staff/").text
    assert 'data-alarm="disk"' in page
    assert "磁盘将满" in page
    assert "box" in page
    assert "data-alarm" not in signed_in(app, "ada").get("/staff/").text
