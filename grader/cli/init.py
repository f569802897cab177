"""`grader init`: a starting kit that trains and hands in as it is."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from grader.cli.chinese.messages import language, tr
from grader.cli.terminal.base import TranslatedCommand
from grader.cli.terminal.console import show, talk

TRANSLATED = ".zh.md"  # README.zh.md is README.md for Chinese readers
NEXT_STEPS = {
    "csv": (
        "grader data SLUG {folder}/pack",
        "python {folder}/train.py {folder}/pack",
        "grader check {folder}/predictions.csv -a {folder}/pack",
        "grader submit {folder}/predictions.csv -a SLUG -m 'first try' --wait",
    ),
    "notebook": ("jupyter lab {folder}/hand_in.ipynb     # or upload it to Colab or Kaggle",),
    "code": (
        "grader data SLUG {folder}/pack",
        "python {folder}/train.py {folder}/pack",
        "grader check {folder}/bundle -a {folder}/pack",
        "grader submit {folder}/bundle -a SLUG -m 'first try' --wait",
    ),
}


@click.command("init", cls=TranslatedCommand)
@click.option(
    "--kind",
    type=click.Choice(["csv", "code", "notebook"]),
    default="csv",
    show_default=True,
    help="csv: predictions in a file, with NumPy alone. code: a PyTorch model. "
    "notebook: for Colab, Kaggle and Jupyter.",
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init_command(kind: str, folder: Path) -> None:
    """Write a starting kit that works into FOLDER.

    \b
    Example: grader init --kind csv my-work
    """
    kit = files("grader") / "kits" / kind
    targets = dict(_files_of(kit, folder))
    existing = next((target for target in targets if target.exists()), None)
    if existing:
        raise click.UsageError(tr("{path} is there already; nothing was written", path=existing))
    for target, source in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        show(str(target))
    talk(tr("Next:"))
    for step in NEXT_STEPS[kind]:
        talk("  " + step.format(folder=folder))


def _files_of(kit: Traversable, folder: Path) -> list[tuple[Path, Traversable]]:
    found: list[tuple[Path, Traversable]] = []
    for entry in sorted(kit.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            if entry.name != "__pycache__":
                found += _files_of(entry, folder / entry.name)
        elif not entry.name.endswith(TRANSLATED):
            found.append((folder / entry.name, _in_readers_language(kit, entry)))
    return found


def _in_readers_language(kit: Traversable, entry: Traversable) -> Traversable:
    translated = kit / (entry.name.removesuffix(".md") + TRANSLATED)
    return translated if language() == "zh" and translated.is_file() else entry
