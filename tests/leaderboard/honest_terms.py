"""A term of a course as it may go, drawn by a seed: everything that people and staff do, honestly.

What the server refuses is refused, and the term goes on.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from small_site import Site, predictions_csv, write_assignment

from leaderboard.accounts import accounts
from leaderboard.assignments import release
from leaderboard.cases import hearing, opening, voiding
from leaderboard.db import utcnow
from leaderboard.errors import RequestError
from leaderboard.evaluations import rescoring
from leaderboard.models import (
    Assignment,
    Case,
    Cause,
    Course,
    Extension,
    LoginSession,
    Reason,
    Submission,
    SubmissionStatus,
    Team,
    User,
)
from leaderboard.operations import backup, privacy, restore, retention
from leaderboard.state import open_state
from leaderboard.submissions import accept, cancelling, commitments
from leaderboard.teams import extensions, invitations, leaving, membership, people

_DUE = datetime(2026, 10, 1, 12, tzinfo=UTC)
_MODES = ("exact", "rounded", "ladder")


class Term:
    """Steps of a term, each drawn with the same chance; `done` counts those that were taken."""

    def __init__(self, site: Site, seed: int, scratch: Path) -> None:
        self.site, self.draw, self.scratch = site, random.Random(seed), scratch
        self.done: dict[str, int] = {}
        self._names = ["ann", "bob", "cyd", "dan"]
        self._folders = {"animals": site.folder}
        with site.state.database.write() as session:
            session.execute(sa.update(Course).values(late_days=3, team_size=3))
        for name in self._names:
            site.person(name)
        second = write_assignment(scratch / "birds", slug="birds", schedule=self._schedule(0))
        answers = second / "answers.csv"  # no two assignments share theirs
        head, first, *rest = answers.read_text().splitlines()
        answers.write_text("\n".join([head, _another_label(first), *rest]) + "\n")
        self._folders["birds"] = second
        site.publish(second)

    def go(self, steps: int) -> None:
        """Take so many steps, then score what waits."""
        for _ in range(steps):
            name = self.draw.choice(sorted(self._steps()))
            with suppress(RequestError, sa.exc.NoResultFound):
                self._steps()[name]()
                self.done[name] = self.done.get(name, 0) + 1
        while self.score():
            pass

    def _steps(self) -> dict[str, Callable[[], Any]]:
        found = {
            name: getattr(self, name)
            for name in vars(type(self))
            if not name.startswith("_") and name != "go"
        }
        # what a term is mostly made of
        return {
            **found,
            "hand_in_2": self.hand_in,
            "hand_in_3": self.hand_in,
            "score_2": self.score,
        }

    def hand_in(self) -> None:
        name, slug = self.draw.choice(self._names), self._slug()
        at = _DUE + timedelta(hours=self.draw.randint(-60, 60))
        wrong = self.draw.choice((0, 3, 20, 40))
        content = predictions_csv(self._folders[slug], wrong=wrong, seed=self.draw.randint(0, 9))
        if self.draw.random() < 0.1:
            content = b"id,label\nimg000,9\n"
        self.site.hand_in(name, content, at=at, slug=slug)

    def score(self) -> bool:
        with self.site.state.database.reading() as session:
            waiting = session.scalars(
                sa.select(Submission.public_id).where(Submission.status == SubmissionStatus.QUEUED)
            ).all()
        if waiting:
            self.site.score(self.draw.choice(sorted(waiting)))
        return bool(waiting)

    def cancel(self) -> None:
        with self.site.state.database.session() as session:
            found = self._one(session, Submission)
            cancelling.cancel(session, found, actor=self._user(session), is_staff=True)

    def rejudge(self) -> None:
        with self.site.state.database.session() as session:
            cause = self.draw.choice((Cause.RESCORE, Cause.RERUN))
            found = self._one(session, Submission)
            accept.rejudge(session, self.site.state, found, cause=cause, actor=None)

    def move(self) -> None:
        with self.site.state.database.session() as session:
            course, user = self._course(session), self._user(session)
            team = self._one(session, Team) if self.draw.random() < 0.6 else None
            membership.move(session, course, user, team, actor=user)

    def merge(self) -> None:
        with self.site.state.database.session() as session:
            course, user = self._course(session), self._user(session)
            way = invitations.invite(session, course, team=self._one(session, Team), actor=user)
            joined = self.draw.choice((membership.merge, membership.join))
            joined(session, way, self._user(session))

    def leave(self) -> None:
        with self.site.state.database.session() as session:
            name = self.draw.choice(self._names)
            user = session.get_one(User, self.site.person(name).id)
            membership.leave(session, self.site.team(session, name), user)

    def extend(self) -> None:
        with self.site.state.database.session() as session:
            of = self._assignment(session) if self.draw.random() < 0.5 else None
            more = extensions.More(
                assignment=of,
                hours=self.draw.choice((0, 24)),
                late_days=self.draw.choice((0, 1)),
                daily_limit=1,
                reason=Reason.ILLNESS,
            )
            whom = self.draw.choice((self._user(session), self._one(session, Team)))
            extensions.grant(session, self._course(session), whom, more, actor=None)

    def revoke(self) -> None:
        with self.site.state.database.session() as session:
            extensions.revoke(session, self._one(session, Extension), actor=None)

    def pick(self) -> None:
        with self.site.state.database.session() as session:
            found = self._one(session, Submission)
            accept.pick_finals(
                session,
                found.assignment,
                found.team,
                [found.public_id],
                actor=found.user,
                now=utcnow(),
            )

    def open_case(self) -> None:
        with self.site.state.database.session() as session:
            found = self._one(session, Submission)
            case = opening.open_by_hand(session, found, "Why?", actor=None)
            until = utcnow() + timedelta(days=7)
            hearing.give_notice(session, case, "How?", reply_until=until, actor=None)

    def carry_case_on(self) -> None:
        with self.site.state.database.session() as session:
            case = self._one(session, Case)
            step = self.draw.randrange(4)
            if step == 0:
                hearing.reply(session, case, "Like this.", actor=self._user(session))
            elif step == 1:
                hearing.close(session, case, "It is well.", actor=None)
            elif step == 2:
                voiding.void(session, self.site.state, case, "It is not.", actor=None)
            else:
                voiding.restore(session, self.site.state, case, "It is.", actor=None)

    def rename(self) -> None:
        with self.site.state.database.session() as session:
            user, number = self._user(session), self.draw.randrange(10**6)
            if self.draw.random() < 0.5:
                people.rename(session, user, f"Ann {number}", actor=None)
            else:
                team = self._one(session, Team)
                membership.rename(session, team, name=f"T {number}", pseudonym="", actor=user)

    def correct(self) -> None:
        with self.site.state.database.session() as session:
            course = self._course(session)
            found = people.one(session, course, self._user(session).id)
            if found is not None:
                number = str(self.draw.randrange(10**6))
                people.correct(
                    session, course, found, name="Bob", number=number, section="2", actor=None
                )

    def publish(self) -> None:
        """Other dates, another board, other answers: all that staff change their mind about."""
        slug = self._slug()
        folder = self._folders[slug]
        settings = folder / "assignment.toml"
        lines = settings.read_text().splitlines()
        for section, line in (
            ("[schedule]", self._schedule(self.draw.choice((0, 12, 36)))),
            ("[scoring]", f'public_board = "{self.draw.choice(_MODES)}"'),
        ):
            at = lines.index(section)
            end = next(
                (n for n in range(at + 1, len(lines)) if lines[n].startswith("[")), len(lines)
            )
            lines[at + 1 : end] = [line]
        settings.write_text("\n".join(lines) + "\n")
        if self.draw.random() < 0.4:
            answers = (folder / "answers.csv").read_text().splitlines()
            at = self.draw.randrange(1, len(answers))
            answers[at] = _another_label(answers[at])
            (folder / "answers.csv").write_text("\n".join(answers) + "\n")
        self.site.publish(folder)

    def rescore(self) -> None:
        with self.site.state.database.session() as session:
            assignment = self._assignment(session)
            begun = rescoring.start(session, self.site.state, assignment, actor=None).id
        rescoring.carry_on(self.site.state, begun)

    def release(self) -> None:
        with self.site.state.database.session() as session:
            assignment = self._assignment(session)
            release.release(session, assignment, actor=None)
            if self.draw.random() < 0.8:
                release.unrelease(session, assignment, actor=None)

    def sign_in_and_out(self) -> None:
        with self.site.state.database.session() as session:
            user, now = self._user(session), utcnow()
            accounts.begin(session, user, user_agent="b", now=now, lifetime=timedelta(days=1))
            accounts.issue_token(session, user, name="x", now=now, lifetime=timedelta(days=1))
            if self.draw.random() < 0.3:
                accounts.sign_out_everywhere(session, user, now)

    def commit(self) -> None:
        name = self.draw.choice(self._names)
        with self.site.state.database.session() as session:
            commitments.commit(
                session,
                self.site.state,
                assignment=self._assignment(session),
                team=self.site.team(session, name),
                user=session.get_one(User, self.site.person(name).id),
                wanted=commitments.Wanted(
                    sha256=f"{self.draw.getrandbits(256):064x}", size=9, filename="a.csv"
                ),
                now=_DUE - timedelta(hours=1),
            )

    def unenrol(self) -> None:
        name = self.draw.choice(self._names)
        with self.site.state.database.session() as session:
            user = session.get_one(User, self.site.person(name).id)
            leaving.unenrol(session, self._course(session), user, actor=None)
        self._in_place_of(name)

    def erase(self) -> None:
        name = self.draw.choice(self._names)
        with self.site.state.database.session() as session:
            user = session.get_one(User, self.site.person(name).id)
            privacy.erase(session, self.site.state, user)
        self._in_place_of(name)

    def forget(self) -> None:
        with self.site.state.database.write() as session:
            session.execute(
                sa.update(LoginSession).values(expires_at=utcnow() - timedelta(days=40))
            )
        with self.site.state.database.write() as session:
            retention.forget(session, utcnow())

    def back_up_and_restore(self) -> None:
        if self.done.get("back_up_and_restore", 0) > 1:
            return
        number = len(list(self.scratch.iterdir()))
        made, new = self.scratch / f"copy-{number}", self.scratch / f"state-{number}"
        backup.make(self.site.state, made, progress=lambda *_: None)
        back = restore.restore(made, new, {}, progress=lambda *_: None)
        self.site.state.close()
        self.site.state = open_state(back.settings)
        shutil.rmtree(made)

    def _in_place_of(self, gone: str) -> None:
        name = f"new{self.draw.randrange(10**6)}"
        self.site.person(name)
        self._names[self._names.index(gone)] = name

    def _schedule(self, hours: int) -> str:
        due, closes = _DUE + timedelta(hours=hours), _DUE + timedelta(days=30)
        return f"due = {due:%Y-%m-%dT%H:%M:%SZ}\ncloses = {closes:%Y-%m-%dT%H:%M:%SZ}"

    def _slug(self) -> str:
        return self.draw.choice(("animals", "birds"))

    def _assignment(self, session: Any) -> Assignment:
        return self.site.assignment(session, self._slug())

    def _course(self, session: Any) -> Course:
        return session.get_one(Course, self.site.course.id)

    def _user(self, session: Any) -> User:
        return session.get_one(User, self.site.person(self.draw.choice(self._names)).id)

    def _one(self, session: Any, model: Any) -> Any:
        ids = session.scalars(sa.select(model.id).order_by(model.id)).all()
        if not ids:
            raise sa.exc.NoResultFound
        return session.get_one(model, self.draw.choice(ids))


def _another_label(line: str) -> str:
    name, _, label = line.partition(",")
    return f"{name},{(int(label) + 1) % 4}"
