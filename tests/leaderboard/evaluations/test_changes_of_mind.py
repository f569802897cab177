"""What staff change in the middle of a term: nothing is mixed unmarked, nobody's score is lost.

A board is compared with one that is computed from scratch, from what each team meant: an answer a
picture, by the class's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from databases import NEEDS_POSTGRESQL
from small_site import CLASSES, Site, answers, initialised_site, make_site, write_assignment
from tampering import differences

import grader
from leaderboard.assignments import editions, release
from leaderboard.boards import standings
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.evaluations import rescoring
from leaderboard.messages.letters import sentence
from leaderboard.models import Assignment, Course, Notification, Rescore, Split, User

NAMES = list(CLASSES)


@dataclass
class Term:
    """A site, and what each team meant by each of its hand-ins."""

    site: Site
    slug: str = "animals"
    meant: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    @property
    def toml(self) -> Path:
        return self.site.folder / "assignment.toml"

    def hand_in(self, team: str, *, wrong: int, seed: int, with_scores: bool = False) -> str:
        """An answer an image, `wrong` of them another class than the right one."""
        loaded = grader.Assignment.load(self.site.folder)
        key, classes = loaded.answer_key(), loaded.classes
        spoiled = set(np.random.default_rng(seed).permutation(len(key.ids))[:wrong].tolist())
        labels = [
            (int(label) + (row in spoiled)) % len(classes) for row, label in enumerate(key.labels)
        ]
        chosen = {name: classes[label] for name, label in zip(key.ids, labels, strict=True)}
        if with_scores:
            head = ",".join(classes)
            lines = [
                f"{name},{','.join('0.7' if each == meant else '0.1' for each in classes)}"
                for name, meant in chosen.items()
            ]
        else:
            head = "label"
            lines = [f"{name},{meant}" for name, meant in chosen.items()]
        content = "\n".join([f"id,{head}", *lines, ""]).encode()
        public_id = self.site.hand_in(team, content, slug=self.slug)
        self.site.score(public_id)
        self.meant.setdefault(team, []).append(chosen)
        return public_id

    def publish(self) -> None:
        self.site.publish(self.site.folder)

    def change(self, old: str, new: str) -> None:
        text = self.toml.read_text()
        assert old in text
        self.toml.write_text(text.replace(old, new, 1))

    def rescore(self) -> Rescore:
        with self.site.state.database.session() as session:
            found = self.site.assignment(session, self.slug)
            begun = rescoring.start(session, self.site.state, found, actor=None).id
        rescoring.carry_on(self.site.state, begun)
        with self.site.state.database.reading() as session:
            done = session.get_one(Rescore, begun)
            session.expunge_all()
            return done

    def board(self, split: Split = Split.PUBLIC) -> list[tuple[int, str, float]]:
        """The ranked rows."""
        return [
            (row.rank, row.team_name, pytest.approx(row.primary))
            for row in self.rows(split)
            if row.rank is not None
        ]

    def rows(self, split: Split = Split.PUBLIC) -> tuple[standings.BoardRow, ...]:
        with self.site.state.database.reading() as session:
            found = self.site.assignment(session, self.slug)
            return standings.board(session, found, split).rows

    def from_scratch(self, split: Split = Split.PUBLIC) -> list[tuple[int, str, float]]:
        """Every team's best by its public score, as the folder says it now."""
        loaded = grader.Assignment.load(self.site.folder)
        key, metric = loaded.answer_key(), loaded.scoring.metric
        best = []
        for order, (team, handed_in) in enumerate(self.meant.items()):
            scored = []
            for chosen in handed_in:
                labels = np.array([loaded.classes.index(chosen[name]) for name in key.ids])
                scores = grader.score(grader.Predictions(ids=key.ids, labels=labels), key)
                scored.append((scores.public.metric(metric), scores.private.metric(metric)))
            public, private = max(scored, key=lambda pair: pair[0])
            best.append((-(public if split is Split.PUBLIC else private), order, team))
        return [
            (1 + sum(other < score for other, *_ in best), team, -score)
            for score, _, team in sorted(best)
        ]

    def told(self, name: str) -> list[str]:
        """What a person was told of scores that moved."""
        with self.site.state.database.reading() as session:
            found = session.scalars(
                sa.select(Notification)
                .join(User, User.id == Notification.user_id)
                .where(User.email == f"{name}@example.edu")
                .order_by(Notification.id)
            )
            return [sentence(n.kind, n.details) for n in found if "before" in n.details]


@pytest.fixture
def term(tmp_path: Path) -> Iterator[Term]:
    term = begin(make_site(tmp_path, write_assignment(tmp_path / "animals")))
    yield term
    term.site.state.close()


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=[NEEDS_POSTGRESQL, pytest.mark.long])]
)
def term_of_each_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Term]:
    folder = write_assignment(tmp_path / "animals")
    if request.param == "sqlite":
        term = begin(make_site(tmp_path, folder))
    else:
        url = request.getfixturevalue("new_database")()
        term = begin(initialised_site(tmp_path, folder, database_url=url))
    yield term
    term.site.state.close()


def begin(site: Site) -> Term:
    named = [f"{name},{NAMES[label]}" for name, label in answers(site.folder).items()]
    (site.folder / "answers.csv").write_text("\n".join(["id,label", *named, ""]))
    site.publish(site.folder)
    return Term(site=site)


def withdraw(site: Site, count: int) -> None:
    """Take the last images out of the hidden set."""
    path = site.folder / "test" / "images.npy"
    lines = (site.folder / "answers.csv").read_text().splitlines()
    (site.folder / "answers.csv").write_text("\n".join(lines[:-count]) + "\n")
    np.save(path, np.load(path)[:-count])


def relabel(site: Site, count: int) -> None:
    """Another right answer for the first images."""
    lines = (site.folder / "answers.csv").read_text().splitlines()
    for row in range(1, count + 1):
        name, label = lines[row].split(",")
        lines[row] = f"{name},{NAMES[(NAMES.index(label) + 1) % 4]}"
    (site.folder / "answers.csv").write_text("\n".join(lines) + "\n")


def test_a_term_in_fast_motion(term_of_each_database: Term) -> None:
    term = term_of_each_database
    for number in range(40):
        term.hand_in(f"team{number % 8}", wrong=3 + number, seed=number)
    assert term.board() == term.from_scratch()

    term.change('["cat", "dog", "fox", "owl"]', '["owl", "dog", "cat", "fox"]')
    term.publish()
    assert term.board() == []
    assert {row.is_outdated for row in term.rows()} == {True}
    term.rescore()
    assert term.board() == term.from_scratch()
    assert [term.told(f"team{number}") for number in range(8)] == [[]] * 8

    before = {row.team_name: row.primary for row in term.rows()}
    withdraw(term.site, 2)
    term.publish()
    term.rescore()
    assert term.board() == term.from_scratch()
    after = {row.team_name: row.primary for row in term.rows()}
    for team in before:
        assert len(term.told(team)) <= 1
        if before[team] != after[team]:
            assert f"{before[team]:.4f} → Accuracy {after[team]:.4f}" in term.told(team)[0]
    counts = {team: len(term.told(team)) for team in before}

    term.change("[scoring]", '[scoring]\nmetric = "macro_f1"')
    term.publish()
    assert term.board() == []
    term.rescore()
    assert term.board() == term.from_scratch()
    for team, count in counts.items():
        assert len(term.told(team)) == count + 1
        assert "another metric ranks now" in term.told(team)[-1]

    with term.site.state.database.session() as session:
        editions.rename(session, term.site.assignment(session), "animals-hw1", actor=None)
    term.slug = "animals-hw1"
    assert term.board() == term.from_scratch()
    term.change('slug = "animals"', 'slug = "animals-hw1"')
    term.publish()
    assert term.board() == term.from_scratch()

    with term.site.state.database.session() as session:
        release.release(session, term.site.assignment(session, term.slug), actor=None)
    assert term.board(Split.PRIVATE) == term.from_scratch(Split.PRIVATE)
    with term.site.state.database.reading() as session:
        assert session.scalars(sa.select(sa.func.count(Assignment.id))).one() == 1
    assert differences(term.site) == ()


def test_what_is_handed_in_after_other_answers_is_ranked_without_the_earlier(term: Term) -> None:
    term.hand_in("ann", wrong=0, seed=1)
    relabel(term.site, 6)
    term.publish()

    term.hand_in("bob", wrong=20, seed=2)

    assert [(row.rank, row.team_name, row.is_outdated) for row in term.rows()] == [
        (1, "bob", False),
        (None, "ann", True),
    ]
    term.rescore()
    assert term.board() == term.from_scratch()
    assert "answers were corrected" in term.told("ann")[0]
    assert term.told("bob") == []


def test_a_class_that_was_added_leaves_every_score_to_be_rescored(term: Term) -> None:
    term.hand_in("ann", wrong=10, seed=1)
    term.hand_in("bob", wrong=5, seed=2, with_scores=True)
    term.change('"owl"]', '"owl", "yak"]')
    term.change("slug", "allow_absent = true\nslug")
    with term.site.state.database.session() as session:
        course = session.get_one(Course, term.site.course.id)
        changes = editions.changes(session, term.site.state, term.site.folder, course)
    assert changes.sentences == ("New classes: yak. No prediction so far can name them.",)
    assert changes.outdated == 2
    term.publish()

    done = term.rescore()

    assert (done.done, done.total, done.problems) == (2, 2, [])
    assert term.board() == term.from_scratch()
    assert differences(term.site) == ()


@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_class_is_renamed_and_the_order_changed_before_anything_is_rescored(
    term: Term, is_at_once: bool
) -> None:
    term.hand_in("ann", wrong=10, seed=1)
    term.hand_in("bob", wrong=5, seed=2, with_scores=True)
    path = term.site.folder / "answers.csv"
    path.write_text(path.read_text().replace(",fox", ",wolf"))
    first, last = '["cat", "dog", "wolf", "owl"]', '["wolf", "owl", "dog", "cat"]'
    term.change('["cat", "dog", "fox", "owl"]', first)
    if not is_at_once:
        term.publish()
    term.change(first, last)
    with term.site.state.database.session() as session:
        course = session.get_one(Course, term.site.course.id)
        sentences = editions.changes(session, term.site.state, term.site.folder, course).sentences
    renamed = ["The class 'fox' is called 'wolf' now; predictions of it are carried."]
    assert list(sentences) == [
        *(renamed if is_at_once else []),
        "The classes have another order. Predictions are carried by the classes' names.",
    ]
    term.publish()

    done = term.rescore()

    for chosen in (each for handed_in in term.meant.values() for each in handed_in):
        chosen |= {name: "wolf" for name, meant in chosen.items() if meant == "fox"}
    assert (done.done, done.problems) == (2, [])
    assert term.board() == term.from_scratch()
    assert term.told("ann") == term.told("bob") == []
    assert differences(term.site) == ()


def test_what_the_new_metric_cannot_score_leaves_the_board_and_is_named(term: Term) -> None:
    labels = term.hand_in("ann", wrong=1, seed=1)
    term.hand_in("bob", wrong=5, seed=2, with_scores=True)
    term.change("[scoring]", '[scoring]\nmetric = "log_loss"')
    term.publish()
    with term.site.state.database.reading() as session:
        moves = rescoring.preview(
            session,
            term.site.state,
            term.site.assignment(session),
            Split.PUBLIC,
            lambda _: None,
        )

    done = term.rescore()

    assert [(move.team, move.new_rank) for move in moves] == [("bob", 1)]
    assert [problem[0] for problem in done.problems or []] == [labels]
    assert [(row.rank, row.team_name) for row in term.rows()] == [(1, "bob"), (None, "ann")]


def test_broken_stored_predictions_are_counted_apart(term: Term) -> None:
    term.hand_in("ann", wrong=1, seed=1)
    broken = term.hand_in("bob", wrong=5, seed=2)
    evaluation = term.site.submission(broken).current_evaluation
    assert evaluation is not None
    sha256 = evaluation.predictions_sha256 or ""
    folder = term.site.settings.state_dir / "blobs"
    [file] = [path for path in folder.rglob("*") if path.is_file() and sha256[4:] in path.name]
    file.chmod(0o600)
    file.write_bytes(b"garbage")
    relabel(term.site, 6)
    term.publish()

    done = term.rescore()

    assert done.finished_at is not None
    assert [problem[0] for problem in done.problems or []] == [broken]
    assert [(row.rank, row.team_name) for row in term.rows()] == [(1, "ann"), (None, "bob")]


def test_another_assignment_under_the_same_slug_is_refused(term: Term, tmp_path: Path) -> None:
    term.hand_in("ann", wrong=1, seed=1)
    other = write_assignment(tmp_path / "other")
    lines = (other / "answers.csv").read_text().splitlines()
    (other / "answers.csv").write_text("\n".join([lines[0], *(f"z{row}" for row in lines[1:])]))

    with pytest.raises(NotAllowedNow, match="another assignment already"):
        term.site.publish(other)


def test_the_same_ids_and_classes_with_other_answers_are_another_assignment(
    term: Term, tmp_path: Path
) -> None:
    term.hand_in("ann", wrong=1, seed=1)
    other = write_assignment(tmp_path / "other")
    lines = (other / "answers.csv").read_text().splitlines()
    moved = [*lines[2:], lines[1]]
    names = [line.partition(",")[0] for line in lines[1:]]
    rows = [f"{name},{line.partition(',')[2]}" for name, line in zip(names, moved, strict=True)]
    (other / "answers.csv").write_text("\n".join([lines[0], *rows, ""]))

    with pytest.raises(NotAllowedNow, match="its answers are others"):
        term.site.publish(other)
    term.site.publish(other, replace=True)


def test_an_earlier_date_says_how_many_become_late(term: Term) -> None:
    term.hand_in("ann", wrong=1, seed=1)
    term.hand_in("bob", wrong=2, seed=2)
    due = utcnow() - timedelta(days=3)
    for old, new, words in (
        ("[schedule]", f"[schedule]\ndue = {due.isoformat()}", "in time are late"),
        (due.isoformat(), (due + timedelta(days=30)).isoformat(), "late are in time"),
    ):
        term.change(old, new)
        with term.site.state.database.session() as session:
            course = session.get_one(Course, term.site.course.id)
            changes = editions.changes(session, term.site.state, term.site.folder, course)
        assert changes.sentences == (f"2 hand-ins that were {words} by these dates.",)
        assert changes.outdated == 0
        term.publish()


def test_the_same_answers_under_another_slug_lead_to_rename(term: Term) -> None:
    term.hand_in("ann", wrong=1, seed=1)
    term.change('slug = "animals"', 'slug = "animals-hw1"')

    with pytest.raises(NotAllowedNow, match="leaderboard rename dl-1 animals animals-hw1"):
        term.publish()


def test_only_what_nobody_handed_in_for_is_unpublished(term: Term) -> None:
    with term.site.state.database.session() as session:
        editions.unpublish(session, term.site.assignment(session), actor=None)
    with term.site.state.database.reading() as session:
        assert session.scalars(sa.select(Assignment)).all() == []
    term.publish()
    term.hand_in("ann", wrong=1, seed=1)

    with (
        term.site.state.database.session() as session,
        pytest.raises(NotAllowedNow, match="1 hand-ins"),
    ):
        editions.unpublish(session, term.site.assignment(session), actor=None)


def test_a_release_that_is_repeated_tells_once(term: Term) -> None:
    term.hand_in("ann", wrong=1, seed=1)
    with term.site.state.database.session() as session:
        found = term.site.assignment(session)
        release.release(session, found, actor=None)
        release.unrelease(session, found, actor=None)
        release.release(session, found, actor=None)

    with term.site.state.database.reading() as session:
        told = sa.select(sa.func.count()).where(Notification.kind == "released")
        assert session.scalar(told) == 1
