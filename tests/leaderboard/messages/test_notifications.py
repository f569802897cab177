"""Notices and mails: once, in one's language, as one wants them, and not lost when things die."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from real_mail import Mailbox
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard.assignments import release
from leaderboard.db import utcnow, writing
from leaderboard.messages import mail, notifications
from leaderboard.models import (
    Evaluation,
    Invitation,
    Letter,
    Notification,
    OutgoingMail,
    Role,
    Submission,
    User,
)
from leaderboard.operations import retention

DUE = datetime(2096, 12, 14, 15, 59, 59, tzinfo=UTC)
TO_NOBODY = {"invitation": 77}
_SCHEDULE = "due = 2096-12-14T23:59:59+08:00"


@pytest.fixture
def posting(tmp_path: Path, mailbox: Mailbox) -> Iterator[Site]:
    made = make_site(
        tmp_path,
        write_assignment(tmp_path / "timed", schedule=_SCHEDULE),
        smtp_url=mailbox.url,
        mail_from="Course <course@example.edu>",
        public_url="https://grades.example.edu",
    )
    yield made
    made.state.close()


def change(site: Site, name: str, **values: object) -> None:
    with site.state.database.session() as session:
        user = session.get_one(User, site.person(name).id)
        with writing(session):
            for column, value in values.items():
                setattr(user, column, value)


def notices(site: Site, name: str) -> list[str]:
    with site.state.database.reading() as session:
        return [each.kind.value for each in notifications.recent(session, site.person(name))]


def outbox(site: Site) -> OutgoingMail:
    with site.state.database.reading() as session:
        found = session.scalars(sa.select(OutgoingMail)).one()
        session.expunge_all()
        return found


def remind(site: Site, now: datetime) -> None:
    with site.state.database.session() as session:
        notifications.remind(session, now)


def test_a_team_is_told_its_score_in_the_page_and_by_mail(posting: Site, mailbox: Mailbox) -> None:
    public_id = posting.hand_in("ann", predictions_csv(posting.folder, wrong=5))
    assert notices(posting, "ann") == []
    posting.score(public_id)

    assert notices(posting, "ann") == ["scored"]
    assert mail.send_due(posting.state) == 1
    assert mail.send_due(posting.state) == 0
    (sent,) = mailbox.messages
    assert sent["To"] == "ann@example.edu"
    assert "was scored" in sent["Subject"]
    assert f"https://grades.example.edu/s/{public_id}" in sent.get_content()


def test_mails_speak_the_persons_language(posting: Site, mailbox: Mailbox) -> None:
    change(posting, "ann", locale="zh")
    posting.score(posting.hand_in("ann", predictions_csv(posting.folder)))
    mail.send_due(posting.state)

    assert mailbox.messages[0]["Content-Language"] == "zh"
    assert "评分" in mailbox.messages[0]["Subject"]


def test_each_way_of_being_told_can_be_switched_off(posting: Site, mailbox: Mailbox) -> None:
    change(posting, "ann", muted=["mail:scored"])
    change(posting, "bob", muted=["page:scored"])
    for name in ("ann", "bob"):
        posting.score(posting.hand_in(name, predictions_csv(posting.folder)))
    mail.send_due(posting.state)

    assert (notices(posting, "ann"), notices(posting, "bob")) == (["scored"], [])
    assert mailbox.recipients == ["bob@example.edu"]


def test_a_verdict_that_is_no_score_and_a_release_are_told(posting: Site) -> None:
    public_id = posting.hand_in("ann", predictions_csv(posting.folder))
    with posting.state.database.session() as session:
        submission = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        with writing(session):
            evaluation = Evaluation(
                submission_id=submission.id,
                number=1,
                cause="hand_in",
                verdict="TLE",
                content_sha256="",
                answers_sha256="",
                folder_sha256="",
                code_version="",
                created_at=utcnow(),
            )
            session.add(evaluation)
            session.flush()
            notifications.tell_result(session, submission, evaluation)
        release.release(session, posting.assignment(session), actor=None)

    assert notices(posting, "ann") == ["released", "failed"]


def test_a_deadline_is_announced_once_a_day_before_in_the_courses_time(
    posting: Site, mailbox: Mailbox
) -> None:
    posting.person("ann")
    remind(posting, DUE - timedelta(hours=25))
    assert notices(posting, "ann") == []
    for hours in (23, 22, 1):
        remind(posting, DUE - timedelta(hours=hours))
    remind(posting, DUE + timedelta(hours=1))
    mail.send_due(posting.state)

    assert notices(posting, "ann") == ["deadline"]
    assert len(mailbox.messages) == 1
    assert "2096-12-14 23:59 (Asia/Shanghai)" in mailbox.messages[0].get_content()


def test_a_mail_server_that_is_away_costs_a_pause_and_no_mail(
    posting: Site, mailbox: Mailbox
) -> None:
    posting.score(posting.hand_in("ann", predictions_csv(posting.folder)))
    mailbox.refuse = ["451 try later", "451 try later"]
    now = utcnow()

    assert mail.send_due(posting.state, now=now) == 1
    assert mail.send_due(posting.state, now=now + timedelta(seconds=59)) == 0
    assert mail.send_due(posting.state, now=now + timedelta(seconds=61)) == 1
    assert (
        mail.send_due(posting.state, now=now + timedelta(seconds=120)) == 0
    )  # waits twice as long
    assert mailbox.messages == []
    assert mail.send_due(posting.state, now=now + timedelta(seconds=190)) == 1
    assert len(mailbox.messages) == 1
    assert outbox(posting).sent_at is not None


def test_a_mail_that_was_sent_but_not_marked_is_recognised_when_it_comes_again(
    posting: Site, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    posting.score(posting.hand_in("ann", predictions_csv(posting.folder)))
    now = utcnow()

    class Killed(BaseException):
        """What kill -9 is to the code after the mail was handed over."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(mail, "_mark_sent", die)
        with pytest.raises(Killed):
            mail.send_due(posting.state, now=now)
    assert mail.send_due(posting.state, now=now + timedelta(minutes=1)) == 0  # still claimed
    assert mail.send_due(posting.state, now=now + timedelta(minutes=4)) == 1

    first, second = mailbox.messages
    assert first["Message-ID"] == second["Message-ID"]


def test_a_running_worker_sends_what_was_left_when_another_was_killed(
    posting: Site, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "SMTP_URL": mailbox.url,
        "MAIL_FROM": "Course <course@example.edu>",
        "PUBLIC_URL": "https://grades.example.edu",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"LEADERBOARD_{name}", value)
    public_id = posting.hand_in("ann", predictions_csv(posting.folder))
    mailbox.refuse = ["451 try later"]
    with posting.worker() as worker:
        posting.wait(public_id)
        worker.kill()
        worker.wait()
    with posting.state.database.write() as session:
        session.execute(sa.update(OutgoingMail).values(due_at=utcnow(), claimed_until=None))
    mailbox.refuse = []

    with posting.worker():
        deadline = time.monotonic() + 60
        while not mailbox.messages and time.monotonic() < deadline:
            time.sleep(0.1)

    assert mailbox.recipients == ["ann@example.edu"]


def test_a_mail_that_nobody_takes_is_given_up_after_days_and_its_address_forgotten(
    posting: Site, mailbox: Mailbox
) -> None:
    with posting.state.database.write() as session:
        mail.post(session, Letter.SIGN_UP, dedupe_key="x", address="a@b.c", details=TO_NOBODY)
        session.add(_invitation(posting))
    now, tries = utcnow(), 0
    while outbox(posting).gave_up_at is None:
        mailbox.refuse = ["451 try later"]
        tries += mail.send_due(posting.state, now=now)
        now += timedelta(hours=1)

    assert tries == 14
    assert now - utcnow() > timedelta(days=1)
    assert outbox(posting).address is None
    assert mailbox.messages == []


def test_without_a_mail_server_what_is_due_is_given_up_at_once_and_its_address_forgotten(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with site.state.database.write() as session:
        mail.post(session, Letter.SIGN_UP, dedupe_key="x", address="a@b.c", details=TO_NOBODY)

    assert mail.send_due(site.state) == 0

    found = outbox(site)
    assert found.gave_up_at is not None
    assert found.address is None
    assert "smtp_url" in found.error
    assert not caplog.records


def _invitation(site: Site) -> Invitation:
    return Invitation(
        id=TO_NOBODY["invitation"],
        course_id=site.course.id,
        role=Role.STUDENT,
        created_at=utcnow(),
        expires_at=utcnow(),
    )


def test_in_development_mails_are_printed(
    tmp_path: Path, assignment_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = make_site(tmp_path, assignment_folder, environment="development")
    site.score(site.hand_in("ann", predictions_csv(site.folder)))
    mail.send_due(site.state)
    site.state.close()

    assert "mail to ann@example.edu" in capsys.readouterr().err


def test_what_is_past_its_time_is_forgotten(posting: Site) -> None:
    posting.score(posting.hand_in("ann", predictions_csv(posting.folder)))
    with posting.state.database.write() as session:
        retention.forget(session, utcnow() + timedelta(days=31))
        assert session.scalars(sa.select(OutgoingMail)).all() == []
        assert len(session.scalars(sa.select(Notification)).all()) == 1
        retention.forget(session, utcnow() + timedelta(days=366))
        assert session.scalars(sa.select(Notification)).all() == []
