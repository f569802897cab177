"""The commands `reference show`, `roc` and `smaller`. Libraries are imported when they run."""

from __future__ import annotations

from pathlib import Path

import click

RUN = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("show")
@click.argument("recipe")
@click.option("--data", metavar="SET", help="Image set. Default: the recipe's own.")
def show(recipe: str, data: str | None) -> None:
    """Print what a run of RECIPE is made of: model, loop, recipe, and what will happen, in order.

    \b
    Example: reference show lenet5 | less
    """
    from reference.inspecting.show import shown

    click.echo(shown(recipe, data=data), nl=False)


@click.command("roc")
@click.argument("run", type=RUN)
def roc(run: Path) -> None:
    """Draw RUN's ROC curves by class, and areas over epochs; print areas and weights made of them.

    \b
    Example: reference roc runs/lenet5-0
    """
    from reference.inspecting import roc as curves

    for path in curves.plot(run):
        click.echo(f"plot: {path}", err=True)
    for each in curves.told(run):
        click.echo(f"{each.area:.4f}  {each.name}  (weight {each.weight:.3f})")


@click.command("smaller")
@click.argument("run", type=RUN)
def smaller(run: Path) -> None:
    """Make RUN's model smaller in several ways, without training: bytes and test accuracy.

    \b
    Example: reference smaller runs/mynet_pro-0
    """
    from reference.inspecting.smaller import smaller as forms

    whole, *others = forms(run)
    for each in (whole, *others):
        share = each.size_bytes / whole.size_bytes
        click.echo(f"{each.how:12} {each.size_bytes:>12,} B {share:5.0%}  {each.accuracy:.4f}")
