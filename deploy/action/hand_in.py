"""What the GitHub Action runs: one hand-in, under the commit as its key.

Exit codes are those of `grader`: 0 accepted, 2 wrong usage, 3 rejected, 4 the server's fault,
5 network or token. It does not wait for the score: its token may read nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# `pull_request_target` and `workflow_run` run with the secrets of the repository on what anybody
# proposed to it: with a token here, strangers would hand in for the team
REFUSED = ("pull_request_target", "workflow_run")
USAGE = 2


def main() -> int:
    """Hand in; with `--may-run`, only say whether this event may."""
    event = os.environ.get("GITHUB_EVENT_NAME", "")
    if event in REFUSED:
        return _fail(f"nothing is handed in on {event}: use `on: push`", USAGE)
    if "--may-run" in sys.argv[1:]:
        return 0
    wanted = ("GRADER_SERVER", "GRADER_COURSE", "GRADER_TOKEN", "HAND_IN_ASSIGNMENT")
    for name in (*wanted, "HAND_IN_PATH", "GITHUB_SHA"):
        if not os.environ.get(name):
            return _fail(f"{name} is empty: is the input given, and the secret there?", USAGE)
    print(f"::add-mask::{os.environ['GRADER_TOKEN']}")
    return _hand_in(os.environ["GITHUB_SHA"])


def _hand_in(commit: str) -> int:
    from grader import Client, GraderError, InvalidSubmission
    from grader.cli.terminal.base import exit_code_of

    path = Path(os.environ["HAND_IN_PATH"])
    if not path.exists():
        return _fail(f"{path} does not exist: does an earlier step write it?", USAGE)
    try:
        with Client() as client:
            report = client.submit(
                path,
                os.environ["HAND_IN_ASSIGNMENT"],
                message=os.environ.get("HAND_IN_MESSAGE") or f"commit {commit[:10]}",
                wait=False,
                idempotency_key=commit,
            )
    except InvalidSubmission as error:
        return _fail("; ".join(map(str, error.problems)), exit_code_of(error))
    except GraderError as error:
        return _fail(str(error), exit_code_of(error))
    if report.verdict == "REJ":
        return _fail("; ".join(str(each.get("message")) for each in report.problems), 3)
    _tell(report.id, report.receipt.accepted_at if report.receipt else "")
    return 0


def _tell(submission: str, accepted_at: str) -> None:
    """Say what was accepted: in the log, to later steps, and on the run's page."""
    print(f"Submission {submission} was accepted at {accepted_at}.")
    line = f"Submission `{submission}` was accepted at {accepted_at}.\n"
    for name, text in (
        ("GITHUB_OUTPUT", f"submission={submission}\n"),
        ("GITHUB_STEP_SUMMARY", line),
    ):
        if os.environ.get(name):
            with Path(os.environ[name]).open("a", encoding="utf-8") as file:
                file.write(text)


def _fail(reason: str, code: int) -> int:
    """Show an error on the run's page, on one line as its format wants."""
    escaped = reason.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error title=Not handed in::{escaped}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
