"""What a folder must hold to be scored here, to run code, and to be published."""

import numpy as np
import pytest

from grader import Assignment, AssignmentError, Submission, evaluate
from grader.assignments.readiness import check_runs_code, load_to_publish

CSV_ONLY = (
    'slug = "pets"\ntitle = "Pets"\nclasses = ["cat", "dog"]\n[submission]\nkinds = ["csv"]\n'
)
BOTH = CSV_ONLY.replace('["csv"]', '["csv", "code"]')
URL = '[data]\ntrain_url = "https://example.org/pets.zip"\ntrain_sha256 = "' + 64 * "0" + '"\n'


@pytest.fixture
def write(tmp_path):
    """Write a folder of settings and answers, and a CSV beside it that is right."""

    def written(settings):
        folder = tmp_path / "pets"
        folder.mkdir()
        (folder / "assignment.toml").write_text(settings)
        answers = "id,label\n" + "".join(f"{row},{row % 2}\n" for row in range(20))
        (folder / "answers.csv").write_text(answers)
        (tmp_path / "right.csv").write_text(answers)
        return folder

    return written


def problems_to_publish(folder):
    with pytest.raises(AssignmentError) as caught:
        load_to_publish(folder)
    return list(caught.value.problems)


@pytest.mark.parametrize("settings", [CSV_ONLY, BOTH])
def test_settings_and_answers_are_enough_to_score_a_csv_here(settings, write, tmp_path):
    folder = write(settings)
    submission = Submission.detect(tmp_path / "right.csv")

    evaluation = evaluate(submission, Assignment.load(folder), None)

    assert evaluation.scores.private.accuracy == 1.0


def test_scoring_a_csv_opens_no_image(write, tmp_path):
    folder = write(BOTH)
    (folder / "test" / "images").mkdir(parents=True)
    (folder / "test" / "images" / "0.png").write_text("no picture")

    assert evaluate(Submission.detect(tmp_path / "right.csv"), Assignment.load(folder), None).scores
    with pytest.raises(AssignmentError, match="no image file for id"):
        check_runs_code(Assignment.load(folder))


def test_publishing_lists_everything_that_students_would_lack(write):
    folder = write(BOTH)
    with (folder / "answers.csv").open("a") as file:
        file.write("20,9\n")

    assert problems_to_publish(folder) == [
        "README.md: is missing; it tells students what the task is",
        "answers.csv:22: the label is no class name and no index of a class",
        "test: is missing; code runs on its images and students who hand in CSVs predict its"
        " images (give data.train_url if they download them elsewhere)",
        "sample: is missing; code is tried on a few public examples",
    ]


def test_publishing_where_only_csvs_are_taken_asks_for_no_sample(write):
    folder = write(CSV_ONLY)

    readme, images = problems_to_publish(folder)

    assert readme.startswith("README.md: is missing")
    assert images.startswith("test: is missing; students who hand in CSVs")


def test_images_may_be_downloaded_elsewhere_but_not_by_code(write):
    folder = write(CSV_ONLY + URL)
    (folder / "README.md").write_text("# Pets\n")
    assert load_to_publish(folder).slug == "pets"

    (folder / "assignment.toml").write_text(BOTH + URL)

    test, sample = problems_to_publish(folder)
    assert test == "test: is missing; code runs on its images"
    assert sample.startswith("sample: is missing")


def test_what_is_there_but_wrong_is_in_the_list_too(write):
    folder = write(CSV_ONLY)
    (folder / "README.md").write_bytes(b"# Pets \xff\n")
    for name in ("test", "sample"):
        (folder / name).mkdir()
    np.save(folder / "test" / "images.npy", np.zeros((19, 4, 4), dtype=np.uint8))

    assert problems_to_publish(folder) == [
        "README.md: is not UTF-8 (byte 7)",
        "test: has 19 images where 20 ids are listed",
        "sample/labels.csv: is missing",
    ]


def test_code_is_not_run_where_images_and_sample_are_missing(write):
    with pytest.raises(AssignmentError) as caught:
        check_runs_code(Assignment.load(write(BOTH)))
    assert len(caught.value.problems) == 2
