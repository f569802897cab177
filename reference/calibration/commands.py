"""The command `reference calibrate`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click


@click.command("calibrate")
@click.argument("assignment", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="All that it may take.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Default: calibrations/FOLDER'S NAME.")
@click.option("--take", is_flag=True, help="Put the proposal into the assignment folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def calibrate_command(
    assignment: Path, minutes: float, out: Path | None, take: bool, as_json: bool
) -> None:
    """Train baselines on ASSIGNMENT's images and propose the anchors of its grades.

    ASSIGNMENT is the folder that staff publish. Says which baselines its test set tells apart and
    how many images would, whether public and private images rank them alike, which labels look
    wrong and what the ceiling seems to be; with cards, scale.json and [grading] to take as they
    are. Started again with the same minutes, it goes on where it was.

    \b
    Example: reference calibrate assignments/fashion-mnist --minutes 10
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # see `reference train`
    from reference.calibration.calibrate import calibrate
    from reference.calibration.calibrate import take as put_in
    from reference.calibration.report import as_table, as_text

    out = out or Path("calibrations") / assignment.resolve().name
    found = calibrate(assignment, out, minutes=minutes, say=_talk)
    click.echo(json.dumps(as_table(found), ensure_ascii=False) if as_json else as_text(found))
    _talk(f"written: {out}")
    if take:
        put_in(found, assignment)
        _talk(f"taken into {assignment}")


def _talk(line: str) -> None:
    click.echo(line, err=True)
