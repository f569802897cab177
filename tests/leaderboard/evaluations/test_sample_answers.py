"""The public sample as a program saw it, for the eyes of those who handed it in."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from flask import Flask
from needs import NEEDS_SANDBOX
from signing_in import signed_in
from small_site import Site, bundle_zip

from grader.evaluation import SampleAnswers
from leaderboard.evaluations import evaluate, sample_answers
from leaderboard.models import Role
from leaderboard.queue.durable import Job
from sandbox import get_runner


@NEEDS_SANDBOX
def test_the_report_shows_the_samples_pictures_and_what_was_said_mistakes_first(
    app: Flask, site: Site
) -> None:
    # two of the four labels of the sample are other than the program will say
    (site.folder / "sample/labels.csv").write_text("label\n1\n0\n2\n3\n")
    site.publish(site.folder)
    site.person("staff", Role.ASSISTANT)
    public_id = site.hand_in("ann", bundle_zip(), filename="bundle.zip")
    found = site.submission(public_id)
    worker = evaluate.Worker(incarnation="test", runner=get_runner(hold_files=False))
    job = Job(submission_id=found.id, number=found.evaluation_number, attempt=0)
    evaluate.evaluate(site.state, worker, job)

    page = signed_in(app, "ann").get(f"/s/{public_id}").text

    shown = page.partition('id="guesses"')[2].partition("</section>")[0]
    said = re.findall(r"<strong[^>]*>(\w+)</strong>", shown)
    assert site.submission(public_id).verdict == "OK"
    assert "2 of 4 correct" in shown
    assert set(said[:2]) == {"cat", "dog"}, "the mistakes, before all of them"
    assert set(said[2:4]) == {"cat", "dog"}
    assert set(said[4:]) == {"fox", "owl"}
    assert len(re.findall(r"\d+ %", shown)) == 6
    assert 'id="guesses"' in signed_in(app, "staff").get(f"/s/{public_id}").text

    images = np.load(site.folder / "sample/images.npy")
    np.save(site.folder / "sample/images.npy", images[::-1])
    site.publish(site.folder)
    assert 'id="guesses"' not in signed_in(app, "ann").get(f"/s/{public_id}").text, (
        "what was said to another sample is not held against this one"
    )


def test_where_no_run_may_say_anything_nothing_of_it_is_kept(site: Site) -> None:
    said = SampleAnswers(labels=(1, 0), sure=(0.9, 0.5), images_sha256="ab" * 32)
    silent = replace(site.settings, run_logs="hidden")

    assert sample_answers.kept(said, silent) is None
    assert sample_answers.read(sample_answers.kept(said, site.settings)) == said


@pytest.mark.parametrize(
    ("scores", "sure"),
    [
        ([[0.25, 0.75]], 0.75),
        ([[-1.0, np.log(3) - 1.0]], 0.75),
        ([[1000.0, 0.0]], 0.0),
        (None, None),
    ],
)
def test_how_sure_a_program_was_is_read_off_probabilities_or_logits(
    scores: list[list[float]] | None, sure: float | None
) -> None:
    given = None if scores is None else np.array(scores, dtype=np.float32)

    found = SampleAnswers.of(np.zeros((1, 8, 8), np.uint8), np.array([1]), given).sure

    assert found == (None if sure is None else (pytest.approx(sure, abs=1e-4),))
