"""`grader new`: an assignment folder from a folder of class folders (staff)."""

from __future__ import annotations

import csv
import json
import secrets
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import numpy as np

from grader.cli.base import TranslatedCommand, json_option
from grader.cli.console import show, show_json, talk
from grader.cli.image_folders import Picture, PictureSet, survey, write_images
from grader.cli.messages import tr

FEWEST_OF_A_CLASS = 4
"""One for training, one for each split of the test, and one more to tell chance from skill."""


@click.command("new", cls=TranslatedCommand)
@click.argument("assignment_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from",
    "image_folder",
    required=True,
    metavar="IMAGE_FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder that holds one folder of images for each class.",
)
@click.option("--slug", help="The short name in addresses; default: the folder's name.")
@click.option("--title", help="The name that people read; default: the slug.")
@click.option(
    "--size",
    metavar="HxW",
    help="The size of all images; default: theirs where they agree, else 224x224.",
)
@click.option(
    "--test-fraction",
    type=click.FloatRange(0.01, 0.9),
    default=0.2,
    show_default=True,
    help="The share of each class that is hidden for scoring.",
)
@click.option(
    "--sample-per-class",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Training images of each class that the sample run uses.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Draws the test set; default: drawn anew and kept in assignment.toml.",
)
@json_option
def new_command(
    assignment_dir: Path,
    image_folder: Path,
    slug: str | None,
    title: str | None,
    size: str | None,
    test_fraction: float,
    sample_per_class: int,
    seed: int | None,
    as_json: bool,
) -> None:
    """Make the assignment folder ASSIGNMENT_DIR from a folder of class folders.

    \b
    Example: grader new marine --from photos/ --size 224x224
    """
    if assignment_dir.exists() and any(assignment_dir.iterdir()):
        raise click.UsageError(
            tr("{path} holds other files; name a new folder", path=assignment_dir)
        )
    slug = slug or assignment_dir.resolve().name.lower().replace("_", "-").replace(" ", "-")
    source = survey(image_folder, _parsed_size(size))
    _warn(source)
    # Who knows the seed and has the images could draw the same test set.
    seed = secrets.randbits(62) if seed is None else seed
    train, test = _divided(source, test_fraction, seed)
    sample = _first_of_each(train, sample_per_class)
    _write_texts(assignment_dir, slug, title or slug, seed, source)
    _write_answers(assignment_dir / "answers.csv", test, source)
    _write_pictures(assignment_dir / "test", test, source, labels=False)
    _write_pictures(assignment_dir / "train", train, source, labels=True)
    _write_pictures(assignment_dir / "sample", sample, source, labels=True)
    from grader import Assignment

    assignment = Assignment.load(assignment_dir)
    summary = {
        "folder": str(assignment_dir),
        "slug": assignment.slug,
        "classes": list(source.classes),
        "shape": list(source.shape),
        "train": len(train),
        "test": len(test),
        "sample": len(sample),
    }
    if as_json:
        show_json(summary)
        return
    show(str(assignment_dir))
    talk(
        tr(
            "{train} images to train on, {test} hidden, {classes} classes.",
            train=len(train),
            test=len(test),
            classes=len(source.classes),
        )
    )
    talk(tr("Now write its README.md and look through assignment.toml."))


def _parsed_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and (width or height).isdigit()) or not int(height) * int(width or 1):
        raise click.BadParameter(tr("is HxW in pixels, such as 224x224"), param_hint="--size")
    return int(height), int(width or height)


def _warn(source: PictureSet) -> None:
    if source.resized:
        talk(
            tr(
                "Images of other sizes are scaled to cover {height}x{width} and cut to the centre.",
                height=source.size[0],
                width=source.size[1],
            )
        )
    if source.doubled:
        talk(
            tr(
                "{count} files are copies of others in their class; one of each is kept.",
                count=source.doubled,
            )
        )
    if source.ambiguous:
        talk(
            tr(
                "{count} files lie in several classes with the same content and are left out:",
                count=len(source.ambiguous),
            )
        )
        for path in source.ambiguous[:10]:
            talk(f"  {path}")


def _divided(
    source: PictureSet, test_fraction: float, seed: int
) -> tuple[list[Picture], list[Picture]]:
    """Training and test pictures, stratified by class; the test in an order that tells nothing."""
    rng = np.random.default_rng(seed)
    train: list[Picture] = []
    test: list[Picture] = []
    for label, name in enumerate(source.classes):
        members = [picture for picture in source.pictures if picture.label == label]
        if len(members) < FEWEST_OF_A_CLASS:
            raise click.UsageError(
                tr(
                    "class {name} has {count} images; {fewest} are the fewest that can be split",
                    name=name,
                    count=len(members),
                    fewest=FEWEST_OF_A_CLASS,
                )
            )
        shuffled = [members[place] for place in rng.permutation(len(members))]
        hidden = min(max(round(test_fraction * len(members)), 2), len(members) - 1)
        test += shuffled[:hidden]
        train += shuffled[hidden:]
    train = [train[place] for place in rng.permutation(len(train))]
    return train, [test[place] for place in rng.permutation(len(test))]


def _first_of_each(pictures: Sequence[Picture], count: int) -> list[Picture]:
    taken: dict[int, int] = {}
    chosen = []
    for picture in pictures:
        taken[picture.label] = taken.get(picture.label, 0) + 1
        if taken[picture.label] <= count:
            chosen.append(picture)
    return chosen


def _write_texts(folder: Path, slug: str, title: str, seed: int, source: PictureSet) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ", ".join(json.dumps(name, ensure_ascii=False) for name in source.classes)
    settings = (
        f"slug = {json.dumps(slug)}\n"
        f"title = {json.dumps(title, ensure_ascii=False)}\n"
        f"classes = [{names}]\n\n"
        '[data]\ntest_images = "public"\n\n'
        f"[split]\npublic_fraction = 0.3\nseed = {seed}\n\n"
        '[submission]\nkinds = ["csv", "code"]\ndaily_limit = 5\nfinal_picks = 2\n\n'
        '[scoring]\nmetric = "accuracy"\nfeedback = "per_class"\n'
    )
    (folder / "assignment.toml").write_text(settings, encoding="utf-8")
    height, width = source.size
    channels = "grey" if source.grey else "RGB"
    lines = [f"# {title}", "", f"Tell {len(source.classes)} classes of images apart:", ""]
    lines += [f"{index}. {name}" for index, name in enumerate(source.classes)]
    lines += ["", f"Images are {channels}, {height} × {width} pixels, uint8."]
    if source.resized:
        lines += ["They were scaled to cover that size (bicubic) and cut to the centre, once."]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_answers(path: Path, test: Sequence[Picture], source: PictureSet) -> None:
    rows = ((str(row), source.classes[picture.label]) for row, picture in enumerate(test))
    _write_csv(path, ("id", "label"), rows)


def _write_pictures(
    folder: Path, pictures: Sequence[Picture], source: PictureSet, *, labels: bool
) -> None:
    folder.mkdir()
    label = tr("Decoding {name}", name=folder.name)
    steps = write_images(folder / "images.npy", pictures, source)
    with click.progressbar(steps, length=len(pictures), label=label, file=sys.stderr) as bar:
        for _ in bar:
            pass
    if labels:
        _write_csv(folder / "labels.csv", ("label",), ((str(each.label),) for each in pictures))


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
