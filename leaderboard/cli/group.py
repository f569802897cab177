"""The command itself."""

from __future__ import annotations

import atexit
import gc
from pathlib import Path

import click

from leaderboard.cli.common import Refusals

# What is left at the end goes with the process: to look through all of it for garbage first takes
# a fifth of a short command's time.
atexit.register(gc.freeze)


@click.group(cls=Refusals, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--state",
    "state_dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="State folder (default: $LEADERBOARD_STATE_DIR or ./leaderboard-state).",
)
@click.version_option(package_name="gradewright", prog_name="leaderboard")
@click.pass_context
def main(ctx: click.Context, state_dir: Path | None) -> None:
    """Run a grading server and look after its courses.

    \b
    leaderboard init
    leaderboard create-user --admin --email ada@example.edu --name "Ada"
    leaderboard create-course dl-2026 --title "Deep Learning" --time-zone Asia/Shanghai
    leaderboard publish assignments/fashion_mnist --course dl-2026
    leaderboard serve
    """
    ctx.obj = state_dir
