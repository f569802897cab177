"""`grader`: check, hand in and follow assignments from a terminal.

Each command lives in its own module, which is imported when the command is called.
"""

from __future__ import annotations

import click

from grader.cli.terminal.base import LazyGroup, run

COMMANDS = {
    "init": ("grader.cli.init", "init_command", "Write a starting kit that works."),
    "data": ("grader.cli.data", "data_command", "Download an assignment's public pack."),
    "check": ("grader.cli.check", "check_command", "Check a hand-in offline, as the server would."),
    "login": ("grader.cli.login", "login_command", "Sign in to a server and keep the token."),
    "submit": ("grader.cli.submit", "submit_command", "Hand in a CSV or a code bundle."),
    "status": ("grader.cli.status", "status_command", "Show a submission, or where you stand."),
    "submissions": ("grader.cli.status", "submissions_command", "List your team's submissions."),
    "cancel": ("grader.cli.status", "cancel_command", "Withdraw a submission that waits or runs."),
    "leaderboard": ("grader.cli.board", "leaderboard_command", "Show the leaderboard."),
    "quota": ("grader.cli.board", "quota_command", "Show how many submissions are left today."),
    "pick": ("grader.cli.board", "pick_command", "Pick the submissions that count in the end."),
    "receipt": ("grader.cli.receipt", "receipt_command", "Verify a signed receipt offline."),
    "claims": ("grader.cli.claims", "claims_command", "Check a report's figures for consistency."),
    "score": ("grader.cli.score", "score_command", "Score a hand-in here, with no server (staff)."),
    "grade": ("grader.cli.grade", "grade_command", "Say what grade a score is, and why (staff)."),
    "keys": ("grader.cli.keys", "keys_command", "Explain the keys of assignment.toml (staff)."),
    "agent": ("grader.cli.agent", "agent_command", "Run students' code for a server (staff)."),
    "new": ("grader.cli.new", "new_command", "Make an assignment from images (staff)."),
}


@click.group(
    "grader",
    cls=LazyGroup,
    commands_table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="gradewright")
def cli() -> None:
    """Check, hand in and follow assignments of a deep-learning course.

    \b
    A first hand-in:
      grader init --kind csv my-work
      grader login https://grader.example.edu
      grader data fashion-mnist my-work/pack
      grader submit my-work/predictions.csv -a fashion-mnist -m "first try" --wait

    \b
    Exit codes: 0 scored or accepted, 2 wrong usage or a missing extra,
    3 rejected or a failed program, 4 a fault of ours, 5 network or sign-in,
    130 interrupted.

    Messages come in English or Chinese, as GRADER_LANG or the locale says. Completion of
    commands for bash: eval "$(_GRADER_COMPLETE=bash_source grader)", likewise zsh and fish.
    """


def main() -> None:
    """The console script `grader`."""
    run(cli, "grader")
