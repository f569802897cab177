"""Assignment folders: settings, split, answers, images and the public pack."""

import dataclasses
import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from assignment_folders import SETTINGS, write_assignment
from PIL import Image

from grader import (
    Assignment,
    AssignmentError,
    Limits,
    Pack,
    Predictions,
    parse_predictions,
    score,
    write_public_pack,
)
from grader.assignments.readiness import load_to_publish
from grader.settings.tables import TABLES
from grader.settings.toml_lines import key_lines

CLASSES = ("cat", "dog", "bird")
EVERY_KEY = """\
slug = "fashion-mnist"                    # unique in its course
title = "Fashion-MNIST"
classes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
group = "homework-2"
allow_absent = false

[data]
test_images = "public"
train_url = ""
train_sha256 = ""

[split]
public_fraction = 0.3
seed = 20260101

[submission]
kinds = ["csv", "code"]
id_column = "id"
label_column = "label"
daily_limit = 5
final_picks = 2
max_upload_mb = 1024

[rules]
pretrained = "allowed"
external_data = "forbidden"
final_requires = "any"

[schedule]
opens = 2026-09-01T00:00:00+08:00
due = 2026-12-14T23:59:59+08:00
closes = 2026-12-17T23:59:59+08:00
late_penalty_per_day = 0.0
time_zone = "Asia/Shanghai"

[scoring]
metric = "accuracy"
public_board = "exact"
feedback = "per_class"
efficiency = []
baseline_minutes = {}

[limits]
wall_seconds = 300
cpus = 1
memory_mb = 4096
processes = 64
open_files = 256
tmp_mb = 256
output_mb = 64
gpu_memory_mb = 0
batch_size = 256

[grading]
training_minutes = 0.0
anchors = { lenet5 = 60, resnet18 = 80, efficientnet_lite0_finetuned = 95 }
steps = "letters"
best = "high"
letters = { A = 90, B = 75, C = 60, F = 0 }
pass_mark = 60
rounding = "nearest"
weight = 2.0
"""  # noqa: E501


@pytest.fixture
def folder(tmp_path):
    return write_assignment(tmp_path / "pets")


def problems_of(settings):
    with pytest.raises(AssignmentError) as caught:
        Assignment.parse(settings, Path("pets"))
    return list(caught.value.problems)


def test_every_key_of_the_contract_is_read():
    assignment = Assignment.parse(EVERY_KEY, Path("x"))
    document = {
        name: {field.name for field in dataclasses.fields(shape)} for name, shape in TABLES.items()
    }
    for name, keys in document.items():
        table = assignment if name == "" else getattr(assignment, name)
        stated = {
            path[-1] for path in key_lines(EVERY_KEY) if list(path[:-1]) == [name][: bool(name)]
        }
        assert keys == stated - set(document)
        assert all(hasattr(table, key) for key in keys)
    assert assignment.num_classes == 10
    assert assignment.limits == Limits()
    assert assignment.schedule.due == datetime.fromisoformat("2026-12-14T23:59:59+08:00")
    assert assignment.grading.anchors["resnet18"] == 80.0


def test_defaults_are_those_of_the_contract():
    short = Assignment.parse(SETTINGS, Path("x"))
    full = Assignment.parse(EVERY_KEY, Path("x"))
    assert (short.data, short.split, short.submission) == (full.data, full.split, full.submission)
    assert (short.rules, short.scoring, short.limits) == (full.rules, full.scoring, full.limits)
    assert short.group is None


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('title = "Pets"', "title = 7", 2, "title must be text on one line"),
        ('slug = "pets"', 'slug = "My pets"', 1, "lower-case letters, digits and hyphens"),
        ('"dog", "bird"', '"dog", "dog"', 3, "holds 'dog' twice"),
        ('"dog", "bird"', '"0", "bird"', 3, "a name of digits must equal its index"),
        ('"dog", "bird"', '" dog", "bird"', 3, "without spaces around it"),
        ('"cat", "dog", "bird"', '"cat"', 3, "at least two class names"),
        ('"cat", "dog", "bird"', '"cat", "ID"', 3, "'ID', which is also a column's name"),
        ("kinds =", "kind =", 6, "unknown key 'kind' in [submission]; did you mean 'kinds'?"),
        ('"csv", "code"', '"csv", "cod"', 6, "did you mean 'code'?"),
        ('["csv", "code"]', "[]", 6, "at least one word"),
        ('["csv", "code"]', '"csv"', 6, "must be a list"),
        ("[submission]", "[submision]", 5, "the nearest valid key is 'submission'"),
        ("[submission]", 'metric = "accuracy"\n[submission]', 5, "it belongs in [scoring]"),
        ("[submission]", "[submission]\ndaily_limit = true", 6, "must be a whole number from 0"),
        ("[submission]", "[submission]\ndaily_limit = -1", 6, "must be a whole number from 0"),
        ("[submission]", "[split]\npublic_fraction = 1.0\n[submission]", 6, "0.001 to 0.999"),
        ("[submission]", '[scoring]\nmetric = "acuracy"\n[submission]', 6, "mean 'accuracy'?"),
        ("[submission]", "[schedule]\ndue = 2026-01-01\n[submission]", 6, "with an offset"),
        (
            "[submission]",
            "[schedule]\ndue = 2026-01-01T00:00:00Z\ncloses = 2025-01-01T00:00:00Z\n[submission]",
            6,
            "out of order",
        ),
        ("[submission]", '[schedule]\ntime_zone = "Mars"\n[submission]', 6, "time zone's name"),
        ("[submission]", '[data]\ntest_images = "hidden"\n[submission]', 6, "needs the images"),
        ("[submission]", '[data]\ntrain_url = "ftp://x"\n[submission]', 6, "http or https"),
        ("[submission]", '[data]\ntrain_url = "https://x/y"\n[submission]', 5, "given together"),
        ("[submission]", "[grading]\nanchors = 5\n[submission]", 6, "table of baseline = grade"),
        ("[submission]", "[grading]\nanchors = { a = 'x' }\n[submission]", 6, "must be a number"),
        (
            "[submission]",
            '[scoring]\nmetric = "macro_f1"\npublic_board = "ladder"\n[submission]',
            7,
            'defined for the metric "accuracy" only',
        ),
        ("[submission]", '[scoring]\nmetric = "top5_accuracy"\n[submission]', 6, "always 1"),
        ("[submission]", "[limits]\nwall_seconds = nan\n[submission]", 6, "must be a number"),
        ('title = "Pets"', "title = ", 2, "not valid TOML"),
        ('title = "Pets"\n', "", 1, "title is missing"),
    ],
)
def test_wrong_setting_is_named_with_its_line(old, new, line, words):
    assert SETTINGS.count(old) == 1
    (problem,) = problems_of(SETTINGS.replace(old, new))
    assert problem.startswith(f"assignment.toml:{line}: ")
    assert words in problem


def test_all_wrong_settings_are_reported_together_in_the_order_of_lines():
    settings = SETTINGS.replace("title", "titel") + "daly_limit = 1\n[limits]\ncpus = 0\n"
    lines = [int(re.match(r"assignment.toml:(\d+)", one)[1]) for one in problems_of(settings)]
    assert lines == [1, 2, 7, 9]
    assert "unknown key 'titel'; did you mean 'title'?" in problems_of(settings)[1]


def test_unknown_key_names_the_nearest_valid_one_for_every_key():
    for name, shape in TABLES.items():
        for field in dataclasses.fields(shape):
            wrong = f"{field.name[:-1]}x"
            table = f"[{name}]\n{wrong} = 1\n" if name else ""
            settings = SETTINGS.replace("[submission]\nkinds", f"{table}[submission]\nkinds")
            if name == "":
                settings = f"{wrong} = 1\n{SETTINGS}"
            elif name == "submission":
                settings = f"{SETTINGS}{wrong} = 1\n"
            assert repr(field.name) in "".join(problems_of(settings)), field.name


def test_lines_are_found_in_every_form_of_toml():
    text = (
        'a = """\nb = 1\n[x]\n"""\n"quoted key" = [\n  1, # ] c = 2\n  "]",\n]\n'
        "d.e = 1\n[t.'u v']\nf = {g = 1, h = [1,\n2]}\ni = 'x'\n[[list]]\nj = 1\n"
    )
    assert key_lines(text) == {
        ("a",): 1,
        ("quoted key",): 5,
        ("d",): 9,
        ("d", "e"): 9,
        ("t", "u v"): 10,
        ("t", "u v", "f"): 11,
        ("t", "u v", "i"): 13,
        ("list",): 14,
        ("list", "j"): 15,
    }


@pytest.mark.parametrize("board", ["rounded", "ladder"])
def test_boards_that_hold_something_back_force_aggregate_feedback(board):
    settings = f'{SETTINGS}[scoring]\npublic_board = "{board}"\nfeedback = "confusion"\n'
    assert Assignment.parse(settings, Path("x")).scoring.feedback == "aggregate"


def test_folder_is_loaded_with_answers_in_an_order_that_tells_nothing(folder):
    assignment = Assignment.load(folder)
    key = assignment.answer_key()
    assert key.ids == assignment.expected().ids == tuple(map(str, range(60)))
    assert assignment.ids() != key.ids
    by_id = dict(line.split(",") for line in (folder / "answers.csv").read_text().splitlines()[1:])
    assert [str(label) for label in key.labels] == [by_id[name] for name in key.ids]
    rows = assignment.rows_in_answers_order()
    assert [assignment.ids()[row] for row in rows] == list(key.ids)
    assert [str(image[0, 0]) for image in assignment.test_images()] == list(assignment.ids())
    images, labels = assignment.sample()
    assert labels.tolist() == images[:, 0, 0].tolist() == [0, 1, 2, 0, 1, 2]


def test_split_is_stratified_and_depends_on_the_seed_alone(folder, tmp_path):
    key = Assignment.load(folder).answer_key()
    assert Counter(key.labels[key.public].tolist()) == {0: 6, 1: 6, 2: 6}
    lines = (folder / "answers.csv").read_text().splitlines()
    turned = "\n".join([lines[0], *reversed(lines[1:])]) + "\n"
    again = Assignment.load(write_assignment(tmp_path / "turned", answers=turned)).answer_key()
    assert (again.public == key.public).all()
    assert again.sha256 == key.sha256
    other = SETTINGS + "[split]\nseed = 5\n"
    moved = Assignment.load(write_assignment(tmp_path / "other", other)).answer_key()
    assert (moved.public != key.public).any()
    assert moved.sha256 != key.sha256


def test_ids_whose_order_tells_the_class_are_warned_of(folder, tmp_path):
    assert Assignment.load(folder).warnings() == ()
    answers = "id,label\n" + "".join(f"{row},{row // 20}\n" for row in range(60))
    sorted_by_class = Assignment.load(write_assignment(tmp_path / "x", answers=answers))
    assert "ids tell the answers" in sorted_by_class.warnings()[0]


def test_small_classes_are_on_both_sides_of_the_split(tmp_path):
    answers = "id,label\n" + "".join(f"{row},{min(row // 2, 2)}\n" for row in range(40))
    key = Assignment.load(write_assignment(tmp_path / "x", rows=40, answers=answers)).answer_key()
    assert Counter(key.labels[key.public].tolist()) == {0: 1, 1: 1, 2: 11}


@pytest.mark.parametrize("header", ["id,label,split", "id,label,Usage"])
def test_split_column_is_used_where_there_is_one(header, tmp_path):
    rows = [f"{row},{CLASSES[row % 3]},{'Public' if row < 30 else 'Private'}" for row in range(60)]
    answers = "\n".join([header, *rows])
    key = Assignment.load(write_assignment(tmp_path / "x", answers=answers)).answer_key()
    assert key.public.tolist() == [row < 30 for row in range(60)]
    assert key.labels.tolist() == [row % 3 for row in range(60)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("7,0", "answers.csv:62: id '7' is on line"),
        ("90,3", "answers.csv:62: the label is no class name"),
        ("90,fish", "answers.csv:62: the label is no class name"),
        (",0", "answers.csv:62: an id must be printable text"),
        ("90", "answers.csv:62: has 1 columns where the header has 2"),
    ],
)
def test_wrong_line_of_the_answers_is_named(line, words, folder):
    with (folder / "answers.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(AssignmentError) as caught:
        Assignment.load(folder)
    assert words in caught.value.problems[0]
    assert "fish" not in str(caught.value)


def test_class_without_images_in_a_split_is_an_error_unless_allowed(tmp_path):
    answers = "id,label\n" + "".join(f"{row},{row % 2}\n" for row in range(60))
    with pytest.raises(AssignmentError, match="no image of bird"):
        Assignment.load(write_assignment(tmp_path / "x", answers=answers))
    allowed = SETTINGS.replace("\n[sub", "allow_absent = true\n[sub")
    Assignment.load(write_assignment(tmp_path / "y", allowed, answers=answers))


def test_everything_wrong_with_a_folder_is_reported_together(folder):
    (folder / "README.md").unlink()
    (folder / "sample" / "labels.csv").unlink()
    np.save(folder / "test" / "images.npy", np.zeros((60, 4, 4), dtype=np.float32))
    with pytest.raises(AssignmentError) as caught:
        load_to_publish(folder)
    text = "\n".join(caught.value.problems)
    assert "README.md" in text
    assert "sample/labels.csv" in text
    assert "test/images.npy: is float32 of shape (60, 4, 4); expected uint8" in text


def test_missing_folder_and_too_few_images_are_errors(folder, tmp_path):
    with pytest.raises(AssignmentError, match="is missing"):
        load_to_publish(tmp_path / "nowhere")
    np.save(folder / "test" / "images.npy", np.zeros((59, 4, 4), dtype=np.uint8))
    with pytest.raises(AssignmentError, match="59 images where 60 ids"):
        load_to_publish(folder)


def test_pickled_images_are_refused(folder):
    np.save(folder / "test" / "images.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(AssignmentError, match="can't be read"):
        load_to_publish(folder)


def test_folders_of_image_files_are_read_by_id(folder):
    assignment = Assignment.load(folder)
    array = np.asarray(assignment.test_images())
    (folder / "test" / "images.npy").unlink()
    (folder / "test" / "images").mkdir()
    for name, image in zip(assignment.ids(), array, strict=True):
        Image.fromarray(image).save(folder / "test" / "images" / f"{name}.png")
    assert (Assignment.load(folder).test_images() == array).all()
    Image.new("L", (5, 4)).save(folder / "test" / "images" / "7.png")
    assert load_to_publish(folder).test_images().shape == array.shape
    (folder / "test" / "images" / "7.png").unlink()
    with pytest.raises(AssignmentError, match="no image file for id '7'"):
        load_to_publish(folder)


def everything_in(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_public_pack_is_the_same_whatever_the_answers_are(folder, tmp_path):
    """No answer, split, seed or order of answers.csv can be in it: they change and it does not."""
    write_public_pack(Assignment.load(folder), tmp_path / "pack")
    lines = (folder / "answers.csv").read_text().splitlines()
    rng = np.random.default_rng(9)
    names = [line.split(",")[0] for line in lines[1:]]
    order = rng.permutation(60)
    labels = rng.permutation(np.arange(60) % 3)
    other = "\n".join(
        ["id,label", *(f"{names[row]},{label}" for row, label in zip(order, labels, strict=True))]
    )
    images = np.load(folder / "test" / "images.npy")[order]
    settings = SETTINGS + "[split]\nseed = 99\npublic_fraction = 0.5\n"
    changed = write_assignment(tmp_path / "changed", settings, answers=other)
    np.save(changed / "test" / "images.npy", images)
    write_public_pack(Assignment.load(changed), tmp_path / "other pack")
    assert everything_in(tmp_path / "pack") == everything_in(tmp_path / "other pack")


def test_public_pack_holds_what_students_need_and_nothing_else(folder, tmp_path):
    (folder / "train" / "cat").mkdir(parents=True)
    (folder / "train" / "cat" / "1.png").write_bytes(b"picture")
    (folder / "train" / "answers").symlink_to(folder / "answers.csv")
    assignment = Assignment.load(folder)
    write_public_pack(assignment, tmp_path / "pack")
    assert set(everything_in(tmp_path / "pack")) == {
        "README.md",
        "assignment.json",
        "ids.csv",
        "sample/images.npy",
        "sample/labels.csv",
        "sample_submission.csv",
        "test/images.npy",
        "train/cat/1.png",
    }
    pack = Pack.load(tmp_path / "pack")
    assert pack.expected() == assignment.expected()
    assert (pack.slug, pack.title, pack.classes) == ("pets", "Pets", CLASSES)
    assert (pack.limits, pack.sample_limits) == (assignment.limits, assignment.sample_limits)
    assert (pack.sample()[0] == assignment.sample()[0]).all()
    images = np.load(tmp_path / "pack" / "test" / "images.npy")
    assert [str(image[0, 0]) for image in images] == list(pack.expected().ids)
    about = json.loads((tmp_path / "pack" / "assignment.json").read_text())
    assert not {"split", "seed", "public_fraction", "grading", "anchors"} & set(about)


def test_sample_submission_is_valid_and_scores_its_known_value(folder, tmp_path):
    assignment = Assignment.load(folder)
    write_public_pack(assignment, tmp_path / "pack")
    content = (tmp_path / "pack" / "sample_submission.csv").read_bytes()
    predictions = parse_predictions(content, Pack.load(tmp_path / "pack").expected())
    both = score(predictions, assignment.answer_key())
    assert both.public.accuracy == pytest.approx(1 / 3)
    assert both.private.accuracy == pytest.approx(1 / 3)


def test_the_answers_of_an_assignment_score_one(folder):
    assignment = Assignment.load(folder)
    key = assignment.answer_key()
    both = score(Predictions(key.ids, key.labels), key)
    assert both.public.accuracy == both.private.macro_f1 == 1.0


def test_hidden_test_images_stay_out_of_the_pack(tmp_path):
    settings = SETTINGS.replace('["csv", "code"]', '["code"]\n[data]\ntest_images = "hidden"')
    folder = write_assignment(tmp_path / "x", settings)
    write_public_pack(Assignment.load(folder), tmp_path / "pack")
    assert not (tmp_path / "pack" / "test").exists()


def test_pack_is_not_written_over_anything(folder, tmp_path):
    with pytest.raises(FileExistsError):
        write_public_pack(Assignment.load(folder), folder)


def test_damaged_pack_is_an_error_that_names_the_file(folder, tmp_path):
    write_public_pack(Assignment.load(folder), tmp_path / "pack")
    (tmp_path / "pack" / "ids.csv").write_text("id\n1,2\n")
    with pytest.raises(AssignmentError, match=r"ids\.csv"):
        Pack.load(tmp_path / "pack").expected()
    (tmp_path / "pack" / "assignment.json").write_text("{}")
    with pytest.raises(AssignmentError, match=r"assignment\.json"):
        Pack.load(tmp_path / "pack")
    with pytest.raises(AssignmentError, match="no public pack"):
        Pack.load(tmp_path)


def test_representations_show_no_answer(folder):
    assignment = Assignment.load(folder)
    key = assignment.answer_key()
    assert repr(key) == "AnswerKey(num_classes=3)"
    assert "labels" not in repr(assignment)
    with pytest.raises(ValueError, match="read-only"):
        key.labels[0] = 1
