"""evaluate(): verdicts and scores for both kinds of submission, with a runner that is given."""

import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field

import numpy as np
import pytest
from assignment_folders import SETTINGS, write_assignment

import grader
from grader import (
    PRECEDENCE,
    Assignment,
    Owner,
    PlatformFault,
    RunnerUnavailable,
    Submission,
    Verdict,
    evaluate,
)


@dataclass
class Result:
    """What a runner gives."""

    verdict: str = "OK"
    labels: object = None
    scores: object = None
    copied_rows: object = None
    copied_labels: object = None
    copied_first: object = None
    flags: tuple = ()
    log: str = ""
    wall_seconds: float = 1.25
    peak_memory_mb: float = 300.0
    detail: str = ""
    said: object = None
    facts: dict = field(default_factory=dict)
    reason: str = ""


class FakeRunner:
    """Reads the id off each image, as the assignment of these tests draws it, and looks it up."""

    def __init__(self, labels=None, sample=None, hidden=None, scores=None):
        self.labels, self.sample, self.hidden, self.scores = labels, sample, hidden, scores
        self.runs = []

    def run(self, bundle, images, *, num_classes, limits, logs=False):
        self.runs.append((len(images), limits.wall_seconds, logs))
        assert (bundle / "model.py").is_file()
        forced = self.sample if logs else self.hidden
        if forced:
            return forced
        labels = np.array([self.labels.get(int(image[0, 0]), 0) for image in images])
        scores = None if self.scores is None else self.scores(labels).astype(np.float32)
        log = "hello from the sample" if logs else ""
        return Result(labels=labels, scores=scores, log=log, facts={"parameters": 12})

    def describe(self):
        return {"backend": "fake"}


@pytest.fixture
def assignment(tmp_path):
    return Assignment.load(write_assignment(tmp_path / "pets"))


@pytest.fixture
def truth(assignment):
    key = assignment.answer_key()
    return {int(name): int(label) for name, label in zip(key.ids, key.labels, strict=True)}


@pytest.fixture
def bundle(tmp_path):
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("model.py", "")
    return Submission.detect(tmp_path / "bundle.zip")


def csv_of(labels, path):
    rows = "".join(f"{name},{label}\n" for name, label in sorted(labels.items()))
    path.write_text(f"id,label\n{rows}")
    return Submission.detect(path)


def test_csv_and_code_with_the_same_labels_score_identically(assignment, truth, bundle, tmp_path):
    guesses = {name: (label + (name % 4 == 0)) % 3 for name, label in truth.items()}
    phases = []
    by_csv = evaluate(csv_of(guesses, tmp_path / "p.csv"), assignment, None, on_phase=phases.append)
    assert phases == ["checking", "scoring"]
    phases.clear()
    by_code = evaluate(bundle, assignment, FakeRunner(guesses), on_phase=phases.append)
    assert phases == ["checking", "sample", "hidden", "scoring"]
    assert by_csv.verdict is by_code.verdict is Verdict.OK
    assert by_csv.scores.public.as_dict() == by_code.scores.public.as_dict()
    assert by_csv.scores.private.as_dict() == by_code.scores.private.as_dict()
    assert by_csv.predictions.to_bytes() == by_code.predictions.to_bytes()
    assert 0 < by_csv.scores.private.accuracy < 1


def test_code_runs_on_the_sample_with_logs_and_then_hidden_without(assignment, truth, bundle):
    runner = FakeRunner(truth)
    outcome = evaluate(bundle, assignment, runner)
    assert runner.runs == [(6, 60.0, True), (60, 300.0, False)]
    assert outcome.sample_log == "hello from the sample"
    assert outcome.facts == {"parameters": 12, "wall_seconds": 1.25, "peak_memory_mb": 300.0}
    assert set(outcome.timing) == {"checking", "sample", "hidden", "scoring"}


def test_json_of_a_score_is_the_object_of_the_contract(assignment, truth, tmp_path):
    outcome = evaluate(csv_of(truth, tmp_path / "p.csv"), assignment, None)
    result = json.loads(json.dumps(outcome.as_dict()))
    assert list(result) == ["verdict", "public", "private", "flags", "timing"]
    assert result["verdict"] == "OK"
    assert result["public"]["n"] == 18
    assert result["public"]["macro_f1"] == 1.0
    assert result["public"]["confusion"] == [[6, 0, 0], [0, 6, 0], [0, 0, 6]]
    assert result["public"]["per_class"][0] == {
        "name": "cat",
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "support": 6,
        "auc": None,
    }


def test_wrong_csv_is_rejected_for_free_with_its_problems(assignment, truth, tmp_path):
    truth[7] = 9
    outcome = evaluate(csv_of(truth, tmp_path / "p.csv"), assignment, None)
    assert outcome.verdict is Verdict.REJ
    assert not outcome.counts_against_quota
    result = outcome.as_dict()
    assert result["verdict"] == "REJ"
    (error,) = result["errors"]
    assert (error["line"], error["column"]) == (9, "label")
    assert set(error) >= {"line", "column", "message", "hint"}


def test_wrong_archive_is_rejected(assignment, tmp_path):
    (tmp_path / "bundle.zip").write_bytes(b"no archive")
    outcome = evaluate(Submission.detect(tmp_path / "bundle.zip"), assignment, FakeRunner({}))
    assert outcome.verdict is Verdict.REJ
    assert outcome.failed_in == "upload"


def test_kind_that_the_assignment_does_not_take_is_rejected(tmp_path, truth):
    settings = SETTINGS.replace('["csv", "code"]', '["code"]')
    assignment = Assignment.load(write_assignment(tmp_path / "x", settings))
    outcome = evaluate(csv_of(truth, tmp_path / "p.csv"), assignment, None)
    assert outcome.problems[0].message.startswith("This assignment takes a code bundle")


def test_code_without_a_runner_is_refused_in_one_sentence(assignment, bundle):
    with pytest.raises(RunnerUnavailable, match="no sandbox"):
        evaluate(bundle, assignment, None)


def test_failure_in_the_sample_run_is_free_and_ends_the_evaluation(assignment, bundle):
    runner = FakeRunner({}, sample=Result("CE", log="no build_model", detail="no build_model"))
    outcome = evaluate(bundle, assignment, runner)
    assert (outcome.verdict, outcome.failed_in) == (Verdict.CE, "sample")
    assert outcome.sample_log == "no build_model"
    assert not outcome.counts_against_quota
    assert len(runner.runs) == 1


def test_failure_in_the_hidden_run_counts_and_shows_no_hidden_log(assignment, truth, bundle):
    hidden = Result("TLE", log="secret", detail="over 300 s")
    outcome = evaluate(bundle, assignment, FakeRunner(truth, hidden=hidden))
    assert (outcome.verdict, outcome.failed_in) == (Verdict.TLE, "hidden")
    assert outcome.counts_against_quota
    assert outcome.detail == "over 300 s"
    assert "secret" not in json.dumps(outcome.as_dict()) + outcome.sample_log


def test_fault_of_the_sandbox_is_raised_and_never_a_verdict(assignment, truth, bundle):
    for hidden in (Result("IE", detail="disk full"), Result("OK"), Result(labels=np.zeros(3))):
        with pytest.raises(PlatformFault):
            evaluate(bundle, assignment, FakeRunner(truth, hidden=hidden))


def test_a_fault_of_the_sandbox_keeps_its_reason_for_operators(assignment, truth, bundle):
    hidden = Result("IE", detail="no GPU", reason="OSError: [Errno 28] No space left on device")
    with pytest.raises(PlatformFault, match="No space left on device"):
        evaluate(bundle, assignment, FakeRunner(truth, hidden=hidden))


def test_flags_are_passed_on(assignment, truth, bundle):
    hidden = Result(labels=np.zeros(60, dtype=np.int64), flags=("ND",))
    assert evaluate(bundle, assignment, FakeRunner(truth, hidden=hidden)).flags == ("ND",)


def test_metric_that_needs_probabilities_refuses_what_has_none(tmp_path, truth, bundle):
    settings = f'{SETTINGS}[scoring]\nmetric = "log_loss"\n'
    assignment = Assignment.load(write_assignment(tmp_path / "x", settings))
    outcome = evaluate(csv_of(truth, tmp_path / "p.csv"), assignment, None)
    assert outcome.verdict is Verdict.REJ
    assert "one column a class" in outcome.problems[0].message
    logits = FakeRunner(truth, scores=lambda labels: 5 * np.eye(3)[labels])
    outcome = evaluate(bundle, assignment, logits)
    assert (outcome.verdict, outcome.failed_in) == (Verdict.PE, "hidden")
    assert "probabilities" in outcome.detail
    sure = FakeRunner(truth, scores=lambda labels: 0.7 * np.eye(3)[labels] + 0.1)
    outcome = evaluate(bundle, assignment, sure)
    assert outcome.scores.private.log_loss == pytest.approx(-np.log(0.8), rel=1e-6)


def test_kind_is_told_by_name_and_else_by_content(tmp_path):
    for name, kind in (("a.csv", "csv"), ("a.CSV.GZ", "csv"), ("a.tgz", "code"), ("a.zip", "code")):
        (tmp_path / name).write_bytes(b"PK")
        assert Submission.detect(tmp_path / name).kind == kind
    (tmp_path / "upload").write_bytes(b"PK\x03\x04")
    assert Submission.detect(tmp_path / "upload").kind == "code"
    (tmp_path / "upload").write_bytes(b"id,label\n")
    assert Submission.detect(tmp_path / "upload").kind == "csv"
    assert Submission.detect(tmp_path).kind == "code"


def test_verdicts_are_those_of_the_course():
    assert {verdict.value for verdict in Verdict if not verdict.counts_against_quota} == {
        "REJ",
        "IE",
    }
    assert Verdict.IE.whose is Owner.PLATFORM
    assert Verdict.OK.whose is None
    assert all(verdict.title for verdict in Verdict)
    assert set(PRECEDENCE) == set(Verdict) - {Verdict.OK, Verdict.REJ}


def test_public_names_are_sorted_and_exist():
    by_kind = sorted(grader.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert grader.__all__ == by_kind
    assert all(hasattr(grader, name) for name in grader.__all__)


@pytest.mark.alone
def test_importing_grader_is_fast_and_light():
    code = (
        "import numpy, sys, time; before = set(sys.modules); start = time.process_time();"
        "import grader; print(time.process_time() - start);"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(3)
    ]
    assert min(float(run[0]) for run in runs) < 0.15
    heavy = {"torch", "click", "httpx", "rich", "sklearn", "pandas", "scipy", "flask", "sqlalchemy"}
    assert not heavy & set(runs[0][1:])


@pytest.mark.parametrize(("lost", "flags"), [(1, ()), (9, ("MEM",))])
def test_answers_that_are_lost_on_copies_with_noise_are_flagged_for_staff(
    bundle, assignment, truth, lost, flags
):
    right = np.array([truth[int(image[0, 0])] for image in assignment.test_images()])
    rows = np.arange(0, len(right), 2)
    copied = right[rows].copy()
    copied[:lost] = (copied[:lost] + 1) % assignment.num_classes
    hidden = Result(labels=right, copied_rows=rows, copied_labels=copied)
    outcome = evaluate(bundle, assignment, FakeRunner(truth, hidden=hidden))
    assert outcome.flags == flags
    assert outcome.facts["copies"] == outcome.facts["copies_right"] == len(rows)
    assert outcome.facts["copies_lost"] == lost
    assert (outcome.facts["copies_p"] < 1e-4) == bool(flags)


@pytest.mark.parametrize(("after_copy", "flags"), [(0, ()), (8, ("MEM",))])
def test_images_that_are_missed_because_their_copy_came_first_are_flagged(
    bundle, assignment, truth, after_copy, flags
):
    """What a table does that also remembers its run: nothing is lost between the two."""
    given = np.array([truth[int(image[0, 0])] for image in assignment.test_images()])
    rows = np.arange(0, len(given), 2)
    first = np.arange(len(rows)) < 10
    missed = rows[first][:after_copy] if after_copy else rows[~first][:8]
    given[missed] = (given[missed] + 1) % assignment.num_classes
    hidden = Result(
        labels=given, copied_rows=rows, copied_labels=given[rows].copy(), copied_first=first
    )
    outcome = evaluate(bundle, assignment, FakeRunner(truth, hidden=hidden))
    assert outcome.flags == flags
    assert outcome.facts["copies_p"] == 1.0
    assert outcome.facts["copies_first_missed"] == after_copy
    assert (outcome.facts["copies_order_p"] < 1e-4) == bool(flags)


def test_an_answer_that_was_wrong_before_is_not_lost(bundle, assignment, truth):
    right = np.array([truth[int(image[0, 0])] for image in assignment.test_images()])
    wrong = (right + 1) % assignment.num_classes
    rows = np.arange(len(right))
    hidden = Result(labels=wrong, copied_rows=rows, copied_labels=right)
    outcome = evaluate(bundle, assignment, FakeRunner(truth, hidden=hidden))
    assert outcome.flags == ()
    assert outcome.facts["copies_right"] == outcome.facts["copies_lost"] == 0
