"""What a hand-in declares: by `--declare`, or asked for on a terminal where the rules want it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click

from grader.cli.chinese.messages import tr
from grader.client.client import Client
from grader.errors import ApiError, Owner

NOTHING = "none"
QUESTIONS = {
    "pretrained": "Did pretrained weights go into it?",
    "external_data": "Did data from elsewhere go into it?",
}
CHOICES = (NOTHING, *QUESTIONS)
_ASKED = ("forbidden", "own track")


def declaration(
    client: Client, slug: str, course: str | None, chosen: Sequence[str]
) -> tuple[str, ...] | None:
    """What was used of what the rules forbid or keep in a track of its own; None: not said.

    Raises:
        click.UsageError: `none` stands beside something.
        ApiError: what is answered on the terminal is against the rules: before anything is sent.
    """
    if NOTHING in chosen and len(set(chosen)) > 1:
        raise click.UsageError(tr("--declare none stands alone"))
    if chosen:
        return tuple(name for name in QUESTIONS if name in chosen)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return _ask(client.assignment(slug, course=course).rules)


def _ask(rules: Mapping[str, str]) -> tuple[str, ...] | None:
    asked = [name for name in QUESTIONS if rules.get(name) in _ASKED]
    used = [name for name in asked if click.confirm(tr(QUESTIONS[name]), err=True)]
    if any(rules[name] == "forbidden" for name in used):
        detail = tr("the rules of this assignment forbid that; nothing was sent")
        raise ApiError("against_the_rules", detail, owner=Owner.STUDENT, status=422)
    return tuple(used) if asked else None
