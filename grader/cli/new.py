"""`grader new`: an assignment folder from labelled pictures (staff)."""

from __future__ import annotations

import secrets
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import TranslatedCommand, json_option
from grader.cli.terminal.console import clean, in_words, show, show_json, talk

if TYPE_CHECKING:
    from grader.assignments.making import Made
    from grader.words.message import Message


@click.command("new", cls=TranslatedCommand)
@click.argument("assignment_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from",
    "source",
    required=True,
    metavar="SOURCE",
    type=click.Path(path_type=Path, exists=True),
    help="Class folders, with splits or not; a table of files and labels; .npz, .npy, parquet; "
    "a competition's folder.",
)
@click.option(
    "--splits",
    type=click.Choice(["join", "test"]),
    help="Of folders train/, val/, test/: join them, or keep the test part hidden as it is.",
)
@click.option("--slug", help="The short name in addresses; default: the folder's name.")
@click.option("--title", help="The name that people read; default: the slug.")
@click.option(
    "--size",
    metavar="HxW",
    help="The size of all images; default: that of nine in ten of them, else 224x224.",
)
@click.option(
    "--keep",
    type=click.Choice(["together"]),
    help="together: images that look alike come to one side, training or hidden.",
)
@click.option("--grey", is_flag=True, help="Make all images grey.")
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
    source: Path,
    slug: str | None,
    title: str | None,
    splits: str | None,
    size: str | None,
    keep: str | None,
    grey: bool,
    test_fraction: float,
    sample_per_class: int,
    seed: int | None,
    as_json: bool,
) -> None:
    """Make the assignment folder ASSIGNMENT_DIR from images with classes.

    \b
    Example: grader new marine --from photos/ --size 224x224
    """
    if assignment_dir.exists() and any(assignment_dir.iterdir()):
        raise click.UsageError(
            tr("{path} holds other files; name a new folder", path=assignment_dir)
        )
    from grader.assignments.making import Plan, check_parts, make_assignment
    from grader.pictures.sources.recognise import read_source

    slug = slug or _slug_of(assignment_dir.resolve().name)
    plan = Plan(
        slug=slug,
        title=title or slug,
        size=_parsed_size(size),
        grey=grey,
        test_fraction=test_fraction,
        sample_per_class=sample_per_class,
        keep_together=keep == "together",
        # Who knows the seed and has the images could draw the same test set.
        seed=secrets.randbits(62) if seed is None else seed,
    )
    notices: list[Message] = []

    def tell(notice: Message) -> None:
        notices.append(notice)
        talk(clean(in_words(notice)))

    collection = check_parts(read_source(source), wanted=splits)
    made = make_assignment(assignment_dir, collection, plan, watch=_watch, tell=tell)
    _show_made(assignment_dir, made, notices, as_json=as_json)


def _slug_of(name: str) -> str:
    """The short name that a folder's name gives.

    Raises:
        click.UsageError: it has no letter or digit of those that addresses have.
    """
    kept = (each if each.isascii() and each.isalnum() else " " for each in name.lower())
    slug = "-".join("".join(kept).split())
    if not slug:
        raise click.UsageError(tr("the folder's name {name} gives no slug; add --slug", name=name))
    return slug


def _show_made(folder: Path, made: Made, notices: list[Message], *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "folder": str(folder),
                "slug": made.assignment.slug,
                "classes": list(made.assignment.classes),
                "shape": list(made.shape),
                "train": made.train,
                "test": made.test,
                "sample": made.sample,
                "notices": [{"message": notice, **notice.as_data()} for notice in notices],
            }
        )
        return
    show(str(folder))
    talk(
        tr(
            "{train} images to train on, {test} hidden, {classes} classes.",
            train=made.train,
            test=made.test,
            classes=made.assignment.num_classes,
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


def _watch(steps: Iterator[None], count: int) -> None:
    with click.progressbar(steps, length=count, label=tr("Decoding"), file=sys.stderr) as bar:
        deque(bar, maxlen=0)
