"""The starting kits work as they are, and the commands import no more than they need."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grader import Assignment, write_public_pack

FASHION = Path("/usr/share/datasets/fashion-mnist")


def train(folder, pack):
    return subprocess.run(
        [sys.executable, folder / "train.py", pack],
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=250,
    )


def test_the_csv_kit_trains_and_its_predictions_pass_and_score(
    run, pack, assignment_folder, tmp_path
):
    work = tmp_path / "work"
    run("init", "--kind", "csv", work)

    train(work, pack)

    assert run("check", work / "predictions.csv", "-a", pack).exit_code == 0
    scored = run("score", assignment_folder, work / "predictions.csv", "--json")
    assert json.loads(scored.stdout)["private"]["accuracy"] > 0.9


def test_the_csv_kit_imports_numpy_only(run, pack, tmp_path):
    run("init", tmp_path / "work")
    program = (
        "import runpy, sys; sys.argv = ['train.py', sys.argv[2]]; "
        f"runpy.run_path({str(tmp_path / 'work' / 'train.py')!r}, run_name='__main__'); "
        "print(sorted({'torch', 'sklearn', 'scipy', 'pandas', 'grader'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, "train.py", pack],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_the_csv_kit_learns_from_the_sample_where_the_pack_has_no_training_set(run, pack, tmp_path):
    for path in (pack / "train").iterdir():
        path.unlink()
    run("init", tmp_path / "work")

    assert "few samples" in train(tmp_path / "work", pack).stdout


@pytest.mark.parametrize("colour", [False, True])
def test_the_code_kit_trains_and_its_bundle_runs(run, pack, assignment_folder, tmp_path, colour):
    if colour:
        add_channels(assignment_folder)
        write_public_pack(Assignment.load(assignment_folder), tmp_path / "colour")
        pack = tmp_path / "colour"
    work = tmp_path / "work"
    run("init", "--kind", "code", work)

    said = train(work, pack).stdout
    result = run("check", work / "bundle", "-a", pack, "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["verdict"] == "OK"
    assert report["hints"] == []
    assert report["sample"]["accuracy"] > 0.8
    assert "108 images to train on, 12 held out; 100 epochs of batches of 64" in said


def test_the_code_kit_shifts_each_image_and_flips_half_of_them(run, tmp_path):
    run("init", "--kind", "code", tmp_path / "work")
    program = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import train
torch.manual_seed(0)
images = torch.zeros(400, 2, 9, 11, dtype=torch.uint8)
images[:, :, 4, 2] = torch.tensor([7, 200], dtype=torch.uint8)
changed = train.augmented(images)
assert changed.shape == images.shape and changed.dtype == torch.uint8
assert torch.equal(changed[:, 0] == 7, changed[:, 1] == 200)
places = {tuple(map(int, (image == 7).nonzero()[0])) for image in changed[:, 0]}
expected = {(y, x) for y in range(2, 7) for x in (*range(0, 5), *range(6, 11))}
assert places == expected, places
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "work")], check=True)


@pytest.mark.long
def test_the_code_kit_is_right_for_four_fifths_of_fashion_mnist_from_a_thousand_images(
    run, tmp_path
):
    if not FASHION.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not here")
    pack, work = tmp_path / "pack", tmp_path / "work"
    (pack / "train").mkdir(parents=True)
    np.save(
        pack / "train" / "images.npy", fashion("train-images-idx3", 16).reshape(-1, 28, 28)[:1000]
    )
    labels = fashion("train-labels-idx1", 8)[:1000]
    (pack / "train" / "labels.csv").write_text("label\n" + "\n".join(map(str, labels)) + "\n")
    (pack / "assignment.json").write_text(json.dumps({"classes": [f"c{n}" for n in range(10)]}))
    run("init", "--kind", "code", work)

    said = train(work, pack).stdout

    # of 100 held-out images; of the 10,000 test images .827 were right
    assert float(said.splitlines()[-2].split("images ")[1].split(",")[0]) >= 0.78


def fashion(name, header):
    return np.frombuffer(
        gzip.decompress((FASHION / f"{name}-ubyte.gz").read_bytes())[header:], "u1"
    )


def add_channels(folder):
    for name in ("test", "sample", "train"):
        path = folder / name / "images.npy"
        np.save(path, np.repeat(np.load(path)[..., None], 3, axis=3))


def imported_by(*arguments):
    """The modules that a command imports."""
    program = (
        "import atexit, json, sys; "
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr)); "
        "from grader.cli import cli; cli(sys.argv[1:], prog_name='grader')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_imports_neither_numpy_nor_an_http_library():
    assert not imported_by("--help") & {"numpy", "httpx", "rich", "torch", "platformdirs"}


def test_handing_in_imports_no_training_library(signed_in, right_answers):
    modules = imported_by("submit", right_answers, "-a", "shapes", "--wait")

    assert "httpx" in modules
    assert not modules & {"torch", "torchvision", "sklearn", "pandas", "scipy", "flask", "sandbox"}
    assert len(signed_in.submissions) == 1


def test_checking_a_csv_imports_no_http_library(pack, right_answers):
    assert not imported_by("check", right_answers, "-a", pack) & {"torch", "httpx", "sandbox"}


def without(library, *arguments):
    """Run a command where a library is not installed."""
    program = (
        f"import sys; sys.modules[{library!r}] = None; "
        "from grader.cli import cli; cli(sys.argv[1:], prog_name='grader')"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "SANDBOX_RUNNER_ENV": "/nonexistent"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_checking_a_bundle_without_torch_and_sandbox_says_what_to_install(run, pack, tmp_path):
    run("init", "--kind", "code", tmp_path / "work")
    model = tmp_path / "work" / "bundle" / "model.py"
    model.write_text(model.read_text() + "\n\nbackbone = resnet18(pretrained=True)\n")

    result = without("torch", "check", tmp_path / "work" / "bundle", "-a", pack)

    assert result.returncode == 2
    assert "pip install torch" in result.stderr
    assert "no network" in result.stdout, "what can be said without torch is said"


def test_making_an_assignment_without_pillow_says_what_to_install(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.png").write_bytes(name.encode())

    result = without("PIL", "new", tmp_path / "x", "--from", tmp_path / "photos")

    assert result.returncode == 2
    assert "install the package pillow" in result.stderr
