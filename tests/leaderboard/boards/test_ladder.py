"""The Ladder reads a team's earlier entries from what is stored with their scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_site import Site, make_site, predictions_csv, write_assignment

import grader
from grader.scoring.ladder import replay
from leaderboard.models import Split

STEPS = (40, 39, 30, 31, 5)


@pytest.fixture
def ladder_site(tmp_path: Path) -> Site:
    folder = write_assignment(tmp_path / "animals", scoring='public_board = "ladder"')
    return make_site(tmp_path, folder)


def shown(site: Site, public_id: str) -> float:
    evaluation = site.submission(public_id).current_evaluation
    assert evaluation is not None
    return next(each.shown for each in evaluation.splits if each.split is Split.PUBLIC)


def replayed(site: Site, contents: list[bytes]) -> float | None:
    """What the Ladder shows after these files, from the files and the present answers alone."""
    with site.state.database.reading() as session:
        loaded = site.state.catalog.load(site.assignment(session))
    key = loaded.answer_key()
    found = [grader.parse_predictions(content, loaded.expected()) for content in contents]
    return replay((each.labels == key.labels)[key.public] for each in found).shown


def test_no_predictions_of_an_earlier_entry_are_read(
    ladder_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [predictions_csv(ladder_site.folder, wrong=wrong) for wrong in STEPS]
    kept: set[str | None] = set()
    store = type(ladder_site.state.blobs)
    original = store.read

    def refusing(self, sha256):
        assert sha256 not in kept
        return original(self, sha256)

    monkeypatch.setattr(store, "read", refusing)
    for number, content in enumerate(contents, 1):
        public_id = ladder_site.hand_in("ann", content)
        ladder_site.score(public_id)
        evaluation = ladder_site.submission(public_id).current_evaluation
        assert evaluation is not None
        kept.add(evaluation.predictions_sha256)
        assert shown(ladder_site, public_id) == replayed(ladder_site, contents[:number])
    assert len(kept) == len(STEPS)


def test_entries_under_earlier_answers_are_replayed_under_the_present_ones(
    ladder_site: Site,
) -> None:
    contents = [predictions_csv(ladder_site.folder, wrong=wrong) for wrong in STEPS]
    for content in contents[:3]:
        ladder_site.score(ladder_site.hand_in("ann", content))
    answers = ladder_site.folder / "answers.csv"
    lines = answers.read_text().splitlines()
    moved = np.roll([line.split(",")[1] for line in lines[1:]], 1)
    rows = [f"{line.split(',')[0]},{label}" for line, label in zip(lines[1:], moved, strict=True)]
    answers.write_text("\n".join([lines[0], *rows]) + "\n")
    ladder_site.publish(ladder_site.folder, replace=True)  # most answers are others

    public_id = ladder_site.hand_in("ann", contents[3])
    ladder_site.score(public_id)

    assert shown(ladder_site, public_id) == replayed(ladder_site, contents[:4])
