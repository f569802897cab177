"""A run leaves as a student's submission: bundle and CSV, which answer the same."""

from __future__ import annotations

import ast
import csv
import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from needs import runner_or_missing

import grader
from reference.data import ImageSet
from reference.errors import BundleError, PackError
from reference.submitting import assignments, bundling
from reference.submitting.bundling import Bundled, bundle
from reference.training.runs import RunRecord

# What the student contract says of a bundle, in a process that can import nothing of ours.
PLAIN_PROCESS = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"reference", "grader", "sandbox", "leaderboard"}:
            raise ImportError(f"{name} is not the bundle's own")

sys.meta_path.insert(0, Refuse())
bundle, images, answers = sys.argv[1:]
sys.path.insert(0, bundle)
import numpy, torch
from safetensors.torch import load_file
import model as submission

torch.set_num_threads(1)
network = submission.build_model()
network.load_state_dict(load_file(f"{bundle}/checkpoint.safetensors"), strict=True)
network.eval()
pixels = torch.from_numpy(numpy.load(images)[:, None])
order = torch.randperm(len(pixels))
labels = torch.empty(len(pixels), dtype=torch.int64)
with torch.inference_mode():
    for rows in order.split(256):
        labels[rows] = network(submission.preprocess(pixels[rows])).argmax(1)
numpy.save(answers, labels.numpy())
"""


@pytest.fixture(scope="module")
def assignment(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> grader.Assignment:
    folder = tmp_path_factory.mktemp("course") / "digits"
    assignments.write_assignment(digits, folder, seed=1)
    return grader.Assignment.load(folder)


@pytest.fixture(scope="module")
def pack(assignment: grader.Assignment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student") / "pack"
    grader.write_public_pack(assignment, folder)
    return folder


@pytest.fixture(scope="module")
def bundled(run: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    return bundle("small_cnn", run, tmp_path_factory.mktemp("bundles"), pack=pack)


def labels_of(path: Path) -> list[int]:
    with path.open(newline="") as stream:
        return [int(row["label"]) for row in csv.DictReader(stream)]


def test_bundle_alone_predicts_what_training_predicts(bundled: Bundled, pack: Path, tmp_path: Path):
    answers = tmp_path / "answers.npy"

    subprocess.run(
        [
            *(sys.executable, "-I", "-c", PLAIN_PROCESS),
            *(bundled.folder, pack / "test" / "images.npy", answers),
        ],
        check=True,
        timeout=120,
    )

    assert np.load(answers).tolist() == labels_of(bundled.predictions)


def test_a_bundle_enlarges_cuts_and_looks_twice_where_its_run_did(
    run: Path, record: RunRecord, pack: Path, tmp_path: Path
):
    shutil.copytree(run, tmp_path / "run")
    dataclasses.replace(record, enlarge=record.size + 4, mirror=True).write(tmp_path / "run")

    made = bundle("twice", tmp_path / "run", tmp_path, pack=pack)

    answers = tmp_path / "answers.npy"
    subprocess.run(
        [sys.executable, "-c", PLAIN_PROCESS, made.folder, pack / "test/images.npy", answers],
        check=True,
    )
    assert made.predictions is not None
    found = np.load(answers).tolist()
    assert found == labels_of(made.predictions)
    plain = bundle("once", run, tmp_path, pack=pack)
    assert plain.predictions is not None
    assert found != labels_of(plain.predictions)


def test_csv_is_accepted_and_scores_what_training_measured(
    bundled: Bundled, assignment: grader.Assignment, record: RunRecord
):
    evaluated = grader.evaluate(grader.Submission.detect(bundled.predictions), assignment, None)

    assert evaluated.verdict == "OK"
    public, private = evaluated.scores.public, evaluated.scores.private
    right = public.accuracy * public.n + private.accuracy * private.n
    assert right / (public.n + private.n) == pytest.approx(
        record.result["test_accuracy"], abs=1e-12
    )


def test_sandbox_scores_the_bundle_as_the_csv(bundled: Bundled, assignment: grader.Assignment):
    runner = runner_or_missing()

    by_csv = grader.evaluate(grader.Submission.detect(bundled.predictions), assignment, None)
    by_code = grader.evaluate(grader.Submission.detect(bundled.archive), assignment, runner)

    assert by_code.verdict == "OK", by_code.detail
    assert by_code.flags == ()
    for split in ("public", "private"):
        csv_score, code_score = getattr(by_csv.scores, split), getattr(by_code.scores, split)
        assert np.array_equal(csv_score.confusion, code_score.confusion)


def test_archive_is_a_valid_bundle_and_the_same_every_time(
    bundled: Bundled, run: Path, tmp_path: Path
):
    again = bundle("small_cnn", run, tmp_path)

    info = grader.inspect_bundle(bundled.archive)
    assert {name for name, _ in info.files} == {
        "model.py",
        "small_cnn.py",
        "preprocessing.py",
        "checkpoint.safetensors",
    }
    assert again.archive.read_bytes() == bundled.archive.read_bytes()
    assert again.predictions is None


def test_bundling_again_replaces_what_was_there(bundled: Bundled, run: Path):
    (bundled.folder / "left-over.py").write_text("")

    bundle("small_cnn", run, bundled.folder.parent)

    assert not (bundled.folder / "left-over.py").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "runs/lenet5", "/tmp"])
def test_a_name_that_is_a_path_is_refused(run: Path, tmp_path: Path, name: str):
    with pytest.raises(BundleError, match="is no name for a bundle"):
        bundle(name, run, tmp_path)


def test_a_folder_that_is_no_bundle_is_never_deleted(run: Path, tmp_path: Path):
    runs = tmp_path / "runs"
    shutil.copytree(run, runs / "mine-0")

    with pytest.raises(BundleError, match="is no bundle"):
        bundle("mine-0", runs / "mine-0", runs)

    assert RunRecord.read(runs / "mine-0").model == "small_cnn"


def test_a_title_is_text_in_the_bundle_whatever_it_holds(record: RunRecord):
    title = 'The """best""" of C:\\new ones"'

    source = bundling.model_source(dataclasses.replace(record, title=title))

    assert title in (ast.get_docstring(ast.parse(source)) or "")


def test_pack_of_another_assignment_is_refused(
    run: Path, record: RunRecord, pack: Path, tmp_path: Path
):
    other = tmp_path / "pack"
    other.mkdir()
    about = (pack / "assignment.json").read_text().replace('"9"', '"nine"')
    (other / "assignment.json").write_text(about)

    with pytest.raises(PackError, match="other classes"):
        bundling.write_predictions(run, record, other, tmp_path / "predictions.csv")


def test_pack_without_test_images_is_refused(tmp_path: Path):
    with pytest.raises(PackError, match="only code"):
        bundling.test_images(tmp_path, 3)
