"""The command `reference assignment`. Libraries are imported when it runs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from reference.errors import Refused


@click.command("assignment")
@click.argument("image_set", metavar="SET")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Orders and splits the test set. Default: a secret one.",
)
@click.option("--force", is_flag=True, help="Replace an assignment folder that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def assignment_command(
    image_set: str, folder: Path, seed: int | None, force: bool, as_json: bool
) -> None:
    """Write the assignment folder of image set SET (fashion-mnist or digits).

    \b
    Example: reference assignment fashion-mnist assignments/fashion-mnist
    """
    import secrets

    from reference import data as sets
    from reference.submitting import assignments

    if image_set in sets.names() and image_set not in assignments.ABOUT:
        raise Refused(f"no assignment is made of {image_set}: {' or '.join(assignments.ABOUT)}")
    images = sets.load(image_set)
    # a seed that can be read in public code would tell which rows are private
    seed = secrets.randbelow(2**31) if seed is None else seed
    written = assignments.write_assignment(images, folder, seed=seed, force=force)
    click.echo(f"{images.title} from {written.origin}", err=True)
    click.echo(f"Warning: {written.warning}", err=True)
    described = {"folder": str(folder), "slug": written.slug, "origin": written.origin}
    click.echo(json.dumps(described) if as_json else str(folder))
