"""Whatever happens in whatever order, the boards are what the append-only rows say.

Rows of evaluations and scores and the events of the audit log cannot be changed or deleted; the
standings, which can, are computed from them a second time here, in another way.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from small_site import Site, answers, make_site, predictions_csv, write_assignment

from leaderboard.boards import standings
from leaderboard.config import load_settings
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.evaluations import rescoring
from leaderboard.models import (
    AuditEvent,
    Cause,
    Evaluation,
    QuotaEntry,
    Split,
    SplitScore,
    Standing,
    Submission,
    User,
)
from leaderboard.state import open_state
from leaderboard.submissions import accept, cancelling

TEAMS = ("ann", "bob")
_who = st.sampled_from(TEAMS)
_nth = st.integers(0, 11)  # of what was handed in so far, modulo how much that is
_file = (_who, st.integers(0, 3), st.integers(0, 1))  # few, so that scores are often equal
_kinds = [
    st.tuples(st.just("score_at_once"), *_file),
    st.tuples(st.just("score_at_once"), *_file),
    st.tuples(st.just("score_at_once"), *_file),
    st.tuples(st.just("hand_in"), *_file),
    st.tuples(st.just("score"), _nth),
    st.tuples(st.just("cancel"), _nth),
    st.tuples(st.just("rejudge"), _nth, st.sampled_from([Cause.RESCORE, Cause.RERUN])),
    st.tuples(st.just("pick"), _who, st.lists(_nth, min_size=1, max_size=4)),
    st.tuples(st.just("correct_the_answers"), st.booleans()),
    st.tuples(st.just("rescore_all")),
]
STEPS = st.lists(st.one_of(_kinds), min_size=12, max_size=24)


@dataclass
class Story:
    """A site on which steps are taken; what the rules refuse changes nothing."""

    site: Site
    corrected: Path
    ids: list[str]

    def take(self, step: str, *arguments: object) -> None:
        with suppress(BadRequest, NotAllowedNow):
            getattr(self, step)(*arguments)

    def hand_in(self, who: str, wrong: int, seed: int) -> None:
        content = predictions_csv(self.site.folder, wrong=10 * wrong, seed=seed)
        self.ids.append(self.site.hand_in(who, content))

    def score_at_once(self, who: str, wrong: int, seed: int) -> None:
        self.hand_in(who, wrong, seed)
        self.site.score(self.ids[-1])

    def score(self, nth: int) -> None:
        if self.ids:
            self.site.score(self._id(nth))

    def cancel(self, nth: int) -> None:
        with self.site.state.database.session() as session:
            for found in self._found(session, nth):
                cancelling.cancel(session, found, actor=found.user, is_staff=True)

    def rejudge(self, nth: int, cause: Cause) -> None:
        with self.site.state.database.session() as session:
            for found in self._found(session, nth):
                accept.rejudge(session, self.site.state, found, cause=cause, actor=None)

    def pick(self, who: str, nths: list[int]) -> None:
        picked = [self._id(nth) for nth in nths if self.ids]
        with self.site.state.database.session() as session:
            team = self.site.team(session, who)
            mine = session.scalars(
                sa.select(Submission.public_id).where(
                    Submission.public_id.in_(picked), Submission.team_id == team.id
                )
            ).all()[:2]
            accept.pick_finals(
                session,
                self.site.assignment(session),
                team,
                mine,
                actor=session.get_one(User, self.site.person(who).id),
                now=utcnow(),
            )

    def correct_the_answers(self, is_swapped: bool) -> None:
        self.site.publish(self.corrected if is_swapped else self.site.folder)

    def rescore_all(self) -> None:
        with self.site.state.database.session() as session:
            begun = rescoring.start(
                session, self.site.state, self.site.assignment(session), actor=None
            ).id
        rescoring.carry_on(self.site.state, begun)

    def _id(self, nth: int) -> str:
        return self.ids[nth % len(self.ids)]

    def _found(self, session: sa.orm.Session, nth: int) -> Iterator[Submission]:
        if self.ids:
            yield session.scalars(sa.select(Submission).filter_by(public_id=self._id(nth))).one()


@dataclass(frozen=True)
class Scored:
    """A submission as its last evaluation found it."""

    submission_id: int
    public_id: str
    shown: float
    private: float
    is_outdated: bool  # of other answers than were published last


def recomputed(session: sa.orm.Session) -> dict[tuple[int, Split], tuple[int, float, bool]]:
    """(submission, score, whether it is outdated) by team and split, from evaluations, scores and
    audit events alone."""
    answers_now = last_told(session, "assignment.publish")["answers"]
    scored: dict[int, dict[int, Scored]] = {}
    evaluations = session.execute(
        sa.select(
            Evaluation.id,
            Evaluation.answers_sha256,
            Submission.id,
            Submission.public_id,
            Submission.team_id,
        )
        .join(Submission, Submission.id == Evaluation.submission_id)
        .where(Evaluation.verdict == "OK")
        .order_by(Evaluation.number)  # a later one takes the place of an earlier
    ).all()
    for evaluation_id, of_answers, submission_id, public_id, team_id in evaluations:
        of = {
            score.split: score
            for score in session.scalars(
                sa.select(SplitScore).where(SplitScore.evaluation_id == evaluation_id)
            )
        }
        scored.setdefault(team_id, {})[submission_id] = Scored(
            submission_id,
            public_id,
            of[Split.PUBLIC].shown,
            of[Split.PRIVATE].primary,
            is_outdated=of_answers != answers_now,
        )
    found = {}
    for team_id, theirs in scored.items():
        entries = [theirs[submission_id] for submission_id in sorted(theirs)]
        picks = picks_of(session, team_id)
        public = best(entries, lambda entry: entry.shown)
        chosen = [entry for entry in entries if entry.public_id in picks]
        private = best(chosen, lambda entry: entry.private) if chosen else public
        found[team_id, Split.PUBLIC] = (public.submission_id, public.shown, public.is_outdated)
        found[team_id, Split.PRIVATE] = (
            private.submission_id,
            private.private,
            private.is_outdated,
        )
    return found


def best(entries: list[Scored], score: Callable[[Scored], float]) -> Scored:
    """The first of equal ones; outdated scores compare with nothing, and the newest stands in."""
    comparable = [entry for entry in entries if not entry.is_outdated]
    return max(comparable, key=score) if comparable else entries[-1]


def picks_of(session: sa.orm.Session, team_id: int) -> list[str]:
    return list(last_told(session, "submission.pick", subject=f"team:{team_id}").get("picks", []))


def last_told(session: sa.orm.Session, action: str, **of: str) -> dict[str, Any]:
    """The details of the last event of a kind; none where there was no such event."""
    last = session.scalars(
        sa.select(AuditEvent).filter_by(action=action, **of).order_by(AuditEvent.id.desc())
    ).first()
    return last.details if last else {}


def check(site: Site) -> None:
    with site.state.database.reading() as session:
        wanted = recomputed(session)
        kept = {
            (row.team_id, row.split): (row.submission_id, row.primary, row.is_outdated)
            for row in session.scalars(sa.select(Standing))
        }
        assert kept == wanted
        for split in Split:
            board = standings.board(session, site.assignment(session), split)
            ranked = [row for row in board.rows if not row.is_outdated]
            places = [(-row.primary, row.achieved_at, row.team_id) for row in ranked]
            assert places == sorted(places)
            unranked = len(board.rows) - len(ranked)  # they stand below
            scores = [row.primary for row in ranked]
            ranks = [1 + sum(other > score for other in scores) for score in scores]
            ranks += [None] * unranked
            assert [row.rank for row in board.rows] == ranks
            assert {row.team_id for row in board.rows} == {team for team, of in kept if of is split}
        charged = session.scalar(sa.select(sa.func.sum(QuotaEntry.amount))) or 0
        assert charged == session.scalar(
            sa.select(sa.func.count()).select_from(Submission).where(Submission.counted)
        )


@pytest.fixture(scope="module")
def beginning() -> Iterator[tuple[Site, Path]]:
    """A closed site with two students, to be copied; and its assignment with two classes swapped
    in the answers."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_assignment(Path(name) / "animals", daily_limit=100)
        corrected = Path(name) / "corrected"
        shutil.copytree(folder, corrected)
        swap = {0: 1, 1: 0}
        rows = [f"{image},{swap.get(label, label)}" for image, label in answers(folder).items()]
        (corrected / "answers.csv").write_text("id,label\n" + "\n".join(rows) + "\n")
        site = make_site(Path(name), folder)
        for who in TEAMS:
            site.person(who)
        site.state.close()
        yield site, corrected


@settings(max_examples=15, deadline=None, derandomize=True)
@given(steps=STEPS)
def test_the_boards_are_what_the_append_only_rows_say(
    beginning: tuple[Site, Path], steps: list[tuple[object, ...]]
) -> None:
    site, corrected = beginning
    with tempfile.TemporaryDirectory() as name:
        copied = Path(name) / "state"
        shutil.copytree(site.settings.state_dir, copied)
        state = open_state(load_settings(copied, {}))
        story = Story(site=replace(site, state=state), corrected=corrected, ids=[])
        try:
            for step, *arguments in steps:
                story.take(str(step), *arguments)
                check(story.site)
        finally:
            story.site.state.close()
