"""Whatever happens in whatever order, the boards are what the append-only rows say.

Rows of evaluations and scores and the events of the audit log cannot be changed or deleted; the
standings, which can, are computed from them a second time here, in another way.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from small_site import Site, answers, make_site, predictions_csv, write_assignment

from leaderboard import cancelling, rescoring, standings, submissions
from leaderboard.config import load_settings
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow
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
                submissions.rejudge(session, self.site.state, found, cause=cause, actor=None)

    def pick(self, who: str, nths: list[int]) -> None:
        picked = [self._id(nth) for nth in nths if self.ids]
        with self.site.state.database.session() as session:
            team = self.site.team(session, who)
            mine = session.scalars(
                sa.select(Submission.public_id).where(
                    Submission.public_id.in_(picked), Submission.team_id == team.id
                )
            ).all()[:2]
            submissions.pick_finals(
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


def recomputed(session: sa.orm.Session) -> dict[tuple[int, Split], tuple[int, float]]:
    """(submission, score) by team and split, from evaluations, scores and audit events alone."""
    scored: dict[int, dict[int, Scored]] = {}
    evaluations = session.execute(
        sa.select(Evaluation.id, Submission.id, Submission.public_id, Submission.team_id)
        .join(Submission, Submission.id == Evaluation.submission_id)
        .where(Evaluation.verdict == "OK")
        .order_by(Evaluation.number)  # a later one takes the place of an earlier
    ).all()
    for evaluation_id, submission_id, public_id, team_id in evaluations:
        of = {
            score.split: score
            for score in session.scalars(
                sa.select(SplitScore).where(SplitScore.evaluation_id == evaluation_id)
            )
        }
        scored.setdefault(team_id, {})[submission_id] = Scored(
            submission_id, public_id, of[Split.PUBLIC].shown, of[Split.PRIVATE].primary
        )
    found = {}
    for team_id, theirs in scored.items():
        entries = [theirs[submission_id] for submission_id in sorted(theirs)]
        picks = picks_of(session, team_id)
        public = max(entries, key=lambda entry: entry.shown)  # the first of equal ones
        chosen = [entry for entry in entries if entry.public_id in picks]
        private = max(chosen, key=lambda entry: entry.private) if chosen else public
        found[team_id, Split.PUBLIC] = (public.submission_id, public.shown)
        found[team_id, Split.PRIVATE] = (private.submission_id, private.private)
    return found


def picks_of(session: sa.orm.Session, team_id: int) -> list[str]:
    last = session.scalars(
        sa.select(AuditEvent)
        .filter_by(action="submission.pick", subject=f"team:{team_id}")
        .order_by(AuditEvent.id.desc())
    ).first()
    return list(last.details["picks"]) if last else []


def check(site: Site) -> None:
    with site.state.database.reading() as session:
        wanted = recomputed(session)
        kept = {
            (row.team_id, row.split): (row.submission_id, row.primary)
            for row in session.scalars(sa.select(Standing))
        }
        assert kept == wanted
        for split in Split:
            board = standings.board(session, site.assignment(session), split)
            places = [(-row.primary, row.achieved_at, row.team_id) for row in board.rows]
            assert places == sorted(places)
            assert [row.rank for row in board.rows] == list(range(1, len(places) + 1))
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
