"""Labels are decided from pictures, confirmed, published as a new edition, and those moved told."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from commands import run
from forms import app_of, send
from signing_in import signed_in
from small_site import CLASSES, Site, answers, make_site, predictions_csv, write_assignment

import grader
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.evaluations import rescoring
from leaderboard.labels import deciding, publishing
from leaderboard.models import (
    AuditEvent,
    LabelChoice,
    LabelDecision,
    Notification,
    Rescore,
    Role,
    Split,
    User,
)
from leaderboard.rules import second_person

HERE = "/staff/c/dl-1/a/animals/labels/"
OVER = "due = 2026-01-01T12:00:00+00:00\ncloses = 2099-01-01T12:00:00+00:00"


class Planted:
    """A site whose key has wrong labels at `wrong`; ann and bob say what the pictures show."""

    def __init__(self, folder: Path, schedule: str = "") -> None:
        right = write_assignment(folder / "right", schedule=schedule)
        self.truth = answers(right)
        self.wrong = sorted(self.truth)[10:66:8]
        spoiled = write_assignment(folder / "animals", schedule=schedule)
        rows = [
            f"{name},{(label + (name in self.wrong)) % len(CLASSES)}"
            for name, label in self.truth.items()
        ]
        (spoiled / "answers.csv").write_text("id,label\n" + "\n".join(rows) + "\n")
        self.site = make_site(folder, spoiled)
        for number, name in enumerate(("bob", "ann")):
            content = predictions_csv(right, wrong=2, seed=number)
            self.submission = self.site.hand_in(name, content)  # ann's in the end
            self.site.score(self.submission)
        self.site.person("ada", Role.INSTRUCTOR)

    def shows(self, image: str) -> str:
        return CLASSES[self.truth[image]]

    def decide(self, image: str, choice: LabelChoice = LabelChoice.RELABEL, **more: str) -> int:
        label = more.get("label") or self.shows(image)
        with self.site.state.database.session() as session:
            made = deciding.decide(
                session,
                self.site.state,
                self.site.assignment(session),
                image,
                choice,
                label=label if choice is LabelChoice.RELABEL else None,
                reason=more.get("reason", "One sees it."),
                actor=session.get_one(User, self.site.person(more.get("by", "ada")).id),
            )
            return made.id

    def publish(self, *, seen: str = "", by: str = "ada") -> int:
        with self.site.state.database.session() as session:
            found = self.site.assignment(session)
            actor = session.get_one(User, self.site.person(by).id)
            publishing.show(session, found, actor=actor)
            started = publishing.publish(
                session, self.site.state, found, seen=seen or found.folder_sha256, actor=actor
            )
            return started.id

    def key(self) -> grader.AnswerKey:
        with self.site.state.database.reading() as session:
            return self.site.state.catalog.load(self.site.assignment(session)).answer_key()


@pytest.fixture
def planted(tmp_path: Path):
    made = Planted(tmp_path)
    yield made
    made.site.state.close()


def test_an_instructor_finds_decides_previews_publishes_and_the_team_is_told(
    planted: Planted,
) -> None:
    site, wrong = planted.site, planted.wrong
    key, ada = planted.key(), signed_in(app_of(planted.site), "ada")
    page = ada.get(HERE).text
    first = next(name for name in wrong if f'data-image="{name}"' in page)
    assert "data-board" not in page
    assert ada.get(f"{HERE}picture?image={first}").mimetype == "image/png"
    for image in (first, *(name for name in wrong if name != first)):
        fields = {"image": image, "choice": "relabel", "label": planted.shows(image)}
        assert send(ada, HERE, **fields, reason="One sees it.").status_code == 303
    assert not any(f'data-image="{name}"' in ada.get(HERE).text for name in wrong)
    decided = ada.get(f"{HERE}decided").text
    assert 'data-waiting="7"' in decided
    assert "data-board" not in decided
    refused = send(ada, f"{HERE}publish", form=f"{HERE}decided", edition=_edition(site))
    assert refused.status_code == 303
    assert planted.key().sha256 == key.sha256, "who would move was not looked at"
    send(ada, f"{HERE}preview", form=f"{HERE}decided")
    assert 'data-board="private"' in ada.get(f"{HERE}decided").text
    assert planted.key().sha256 == key.sha256
    done = send(ada, f"{HERE}publish", form=f"{HERE}decided", edition=_edition(site))
    assert done.location.endswith("/a/animals/rescore")
    after = planted.key()
    assert np.array_equal(after.public, key.public), "the splits stay"
    assert {name: int(label) for name, label in zip(after.ids, after.labels, strict=True)} == (
        planted.truth
    )
    with site.state.database.reading() as session:
        [number] = session.scalars(sa.select(Rescore.id))
    rescoring.carry_on(site.state, number)
    with site.state.database.reading() as session:
        told = session.scalars(sa.select(Notification).filter_by(user_id=site.person("ann").id))
        assert "answers" in {each.details.get("reason") for each in told}
        steps = session.scalars(
            sa.select(AuditEvent.action).where(AuditEvent.action.startswith("label."))
        ).all()
    assert steps == [*["label.decide"] * 7, "label.preview", *["label.publish"] * 7]


def _edition(site: Site) -> str:
    with site.state.database.reading() as session:
        return site.assignment(session).folder_sha256


def test_what_is_previewed_is_what_happens(planted: Planted) -> None:
    """Both boards, also where an image is withdrawn and rows leave a split."""
    site = planted.site
    for image in planted.wrong[::2]:
        planted.decide(image)
    for image in planted.wrong[1::2]:
        planted.decide(image, LabelChoice.WITHDRAW)
    images = np.load(site.folder / "test" / "images.npy")
    with site.state.database.session() as session:
        found = site.assignment(session)
        ids = site.state.catalog.load(found).ids()
        publishing.show(session, found, actor=session.get_one(User, site.person("ada").id))
        shown = publishing.moves(session, site.state, found, lambda _done: None)
    rescoring.carry_on(site.state, planted.publish())
    with site.state.database.session() as session:
        found = site.assignment(session)
        loaded = site.state.catalog.load(found)
        kept = [name not in planted.wrong[1::2] for name in ids]
        assert loaded.ids() == tuple(name for name in ids if name not in planted.wrong[1::2])
        assert np.array_equal(loaded.test_images(), images[kept])
        for split in Split:
            assert shown[split], split
            again = rescoring.preview(session, site.state, found, split, lambda _done: None)
            assert again == [], "the rescore made what was shown"
    ann = next(each for each in shown[Split.PRIVATE] if each.team == "ann")
    scored = site.submission(planted.submission).current_evaluation
    assert scored is not None
    [after] = [each.primary for each in scored.splits if each.split is Split.PRIVATE]
    assert after == ann.new_score


def test_after_the_due_date_a_second_person_confirms(tmp_path: Path) -> None:
    planted = Planted(tmp_path, schedule=OVER)
    site = planted.site
    site.person("eve", Role.INSTRUCTOR)
    number = planted.decide(planted.wrong[0])
    with pytest.raises(NotAllowedNow, match="second person"):
        planted.publish()
    with site.state.database.session() as session:
        about = deciding.one(session, site.assignment(session), number)
        with pytest.raises(NotAllowedNow, match="Another instructor"):
            deciding.confirm(session, about, actor=about.decider)
    eve = signed_in(app_of(site), "eve")
    assert "to be confirmed" in eve.get(f"{HERE}decided").text
    send(eve, f"{HERE}{number}/confirm", form=f"{HERE}decided")
    before = planted.key().sha256
    planted.publish()
    assert planted.key().sha256 != before
    site.state.close()


def test_the_only_instructor_confirms_a_day_later(tmp_path: Path) -> None:
    planted = Planted(tmp_path, schedule=OVER)
    site = planted.site
    number = planted.decide(planted.wrong[0])
    with site.state.database.session() as session:
        about = deciding.one(session, site.assignment(session), number)
        with pytest.raises(NotAllowedNow, match="only instructor"):
            deciding.confirm(session, about, actor=about.decider)
        with writing(session):
            about.decided_at = utcnow() - second_person.ALONE_WAITS - timedelta(minutes=1)
        deciding.confirm(session, about, actor=about.decider)
        assert about.confirmed_at is not None
    site.state.close()


def test_what_cannot_be_decided_is_refused(planted: Planted) -> None:
    image = planted.wrong[0]
    with pytest.raises(BadRequest, match="no image"):
        planted.decide("nope", label="cat")
    with pytest.raises(BadRequest, match="class"):
        planted.decide(image, label="unicorn")
    with pytest.raises(BadRequest, match="reason"):
        planted.decide(image, reason="  ")
    planted.decide(image)
    with pytest.raises(NotAllowedNow, match="already"):
        planted.decide(image)


def test_what_the_picture_shows_may_be_its_label(planted: Planted) -> None:
    right = next(name for name in planted.truth if name not in planted.wrong)
    number = planted.decide(right)
    with planted.site.state.database.reading() as session:
        made = session.get_one(LabelDecision, number)
        assert (made.choice, made.label) == (LabelChoice.KEEP, None)
        assert not deciding.waiting(session, planted.site.assignment(session))


def test_a_split_keeps_every_class(planted: Planted) -> None:
    key = planted.key()
    cats = [name for name, label in zip(key.ids, key.labels, strict=True) if label == 0]
    public = [name for name in cats if key.public[key.ids.index(name)]]
    for name in public[:-1]:
        planted.decide(name, LabelChoice.WITHDRAW)
    with pytest.raises(BadRequest, match="cat"):
        planted.decide(public[-1], LabelChoice.WITHDRAW)


def test_answers_that_changed_meanwhile_are_not_overwritten(planted: Planted) -> None:
    site, image = planted.site, planted.wrong[0]
    number, before = planted.decide(image), _edition(site)
    other = CLASSES[(planted.truth[image] + 2) % len(CLASSES)]
    lines = (site.folder / "answers.csv").read_text().splitlines()
    lines = [f"{image},{other}" if line.startswith(f"{image},") else line for line in lines]
    (site.folder / "answers.csv").write_text("\n".join(lines) + "\n")
    site.publish(site.folder)
    with pytest.raises(NotAllowedNow, match="anew"):
        planted.publish(seen=before)
    with pytest.raises(NotAllowedNow, match="otherwise"):
        planted.publish()
    ada = signed_in(app_of(site), "ada")
    assert "otherwise" in ada.get(f"{HERE}decided").text
    send(ada, f"{HERE}{number}/drop", form=f"{HERE}decided", reason="It was mended.")
    assert "data-waiting" not in ada.get(f"{HERE}decided").text


def test_a_renamed_assignment_keeps_its_new_slug(planted: Planted) -> None:
    site = planted.site
    planted.decide(planted.wrong[0])
    ada = signed_in(app_of(site), "ada")
    send(ada, "/staff/c/dl-1/a/animals/published/rename", form=HERE, slug="zoo")
    here = HERE.replace("animals", "zoo")
    send(ada, f"{here}preview", form=f"{here}decided")
    with site.state.database.reading() as session:
        edition = site.assignment(session, "zoo").folder_sha256
    send(ada, f"{here}publish", form=f"{here}decided", edition=edition)
    with site.state.database.reading() as session:
        assert site.assignment(session, "zoo").folder_sha256 != edition


def test_commands_and_routes_do_the_same(planted: Planted) -> None:
    site, (one, two) = planted.site, planted.wrong[:2]
    here, by = ("labels", "dl-1", "animals"), ("--by", "ada@example.edu")
    state_dir, why = site.settings.state_dir, ("--reason", "One sees it.")
    run(state_dir, *here, one, "--shows", planted.shows(one), *why, *by)
    api = app_of(site).test_client()
    headers = {"Authorization": f"Bearer {site.token('ada', staff=True)}"}
    there = "/api/v1/staff/courses/dl-1/assignments/animals/labels"
    body = {"image": two, "choice": "withdraw", "reason": "Nothing to see."}
    work = api.post(there, json=body, headers=headers)
    assert work.status_code == 201
    assert api.post(there, json={**body, "choice": "x"}, headers=headers).status_code == 400
    told = json.loads(run(state_dir, *here, "--json").stdout)
    assert told == work.json
    assert {each["image"] for each in told["decisions"]} == {one, two}
    newest = told["decisions"][0]["id"]
    dropped = api.post(f"{there}/{newest}/drop", json={"reason": "Wrong."}, headers=headers)
    assert [each["image"] for each in dropped.json["decisions"]] == [one]
    moves = api.post(f"{there}/moves", headers=headers).json
    printed = run(state_dir, *here, "--moves", *by).stdout
    assert len(printed.splitlines()) == 1 + len(moves["public"]) + len(moves["private"])
    done = api.post(f"{there}/publish", json={"edition": told["edition"]}, headers=headers)
    assert done.status_code == 202
    assert done.json["decisions"][0]["published_at"]
    assert "published" in run(state_dir, *here).stdout
