"""`leaderboard …`: run the server and look after its courses. `leaderboard COMMAND --help`.

Results go to stdout, talk to stderr. Exit codes: 0 done, 2 wrong usage, 3 refused (what was asked
for is not possible), 4 ours (wrong settings, database or files out of reach).
"""

from __future__ import annotations

from leaderboard.cli import (  # they add their commands
    cases,
    copy_course,
    course,
    extend,
    grades,
    people,
    regrades,
    rescore,
    safekeeping,
    server,
)
from leaderboard.cli.group import main
from leaderboard.cli.work import agents, drafts, labels, overview, submissions

__all__ = [
    "agents",
    "cases",
    "copy_course",
    "course",
    "drafts",
    "extend",
    "grades",
    "labels",
    "main",
    "overview",
    "people",
    "regrades",
    "rescore",
    "safekeeping",
    "server",
    "submissions",
]
