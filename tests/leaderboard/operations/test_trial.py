"""`leaderboard doctor` evaluates something of its own, and so sees what submissions would meet."""

from __future__ import annotations

import pytest
from needs import NEEDS_SANDBOX

import grader
from leaderboard.operations import trial
from leaderboard.operations.doctor import examine


@pytest.fixture(autouse=True)
def nothing_else_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's own checks take their time and have their own tests."""
    monkeypatch.setattr("sandbox.self_check", lambda *_, **__: [])


def tried(site) -> dict[str, tuple[bool, bool, str]]:
    found = examine(site.state)
    return {
        each.name: (each.ok, each.required, each.sentence)
        for each in found
        if each.name.startswith("trial")
    }


@NEEDS_SANDBOX
def test_doctor_scores_a_csv_and_a_code_bundle_in_the_sandbox(site) -> None:
    found = tried(site)
    assert found.keys() == {"trial: CSV", "trial: code"}
    for ok, required, sentence in found.values():
        assert (ok, required) == (True, True)
        assert sentence.startswith("scored 1.00 in ")


def test_doctor_says_what_would_end_every_submission_as_an_internal_error(
    site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(*_: object) -> None:
        raise TypeError("extractall() got an unexpected keyword argument 'filter'")

    monkeypatch.setattr(grader, "unpack_archive", unpack)
    ok, required, sentence = tried(site)["trial: CSV"]
    assert (ok, required) == (False, True)
    assert sentence.startswith("TypeError: extractall() got an unexpected keyword")
    assert "test_trial.py" in sentence


def test_a_trial_that_scores_wrongly_is_no_good_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_answers", lambda: trial_answers(wrong=1))
    with trial.published() as tried_here:
        tried_here._publish()
        monkeypatch.setattr(trial, "_answers", lambda: trial_answers(wrong=2))
        ending = tried_here.of_csv()
    assert not ending.ok
    assert ending.sentence.startswith("scored 0.")


def trial_answers(*, wrong: int) -> str:
    rows = [f"{index},{(index + (index < wrong)) % 2}\n" for index in range(8)]
    return "id,label\n" + "".join(rows)


def test_a_refused_file_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with trial.published() as tried_here:
        tried_here._publish()
        monkeypatch.setattr(trial, "_answers", lambda: "id;label\n")
        ending = tried_here.of_csv()
    assert not ending.ok
    assert ending.sentence.startswith("ended as REJ: ")
