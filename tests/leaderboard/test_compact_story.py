"""What users of the API and of the command line are told changes only where somebody meant it.

`RECORD=1 python -m pytest tests/leaderboard/test_compact_story.py` writes the record anew: look at
its diff before you commit it.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from compact_story import Story, tell
from small_site import make_site, write_assignment

from grader.cli import cli

RECORD = Path(__file__).with_name("compact_story.json")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    assignment = write_assignment(
        folder / "animals", daily_limit=30, schedule="due = 2099-01-01T00:00:00Z"
    )
    site = make_site(folder, assignment)
    yield tell(site, folder)
    site.state.close()


def test_the_story_is_told_as_it_was_recorded(told: Story) -> None:
    if os.environ.get("RECORD"):
        text = json.dumps(told.steps, ensure_ascii=False, indent=1)
        RECORD.write_text(f"{text}\n", encoding="utf-8")
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    changed = [
        _difference(step, recorded.get(step, ""), told.steps.get(step, ""))
        for step in dict.fromkeys([*recorded, *told.steps])
        if recorded.get(step) != told.steps.get(step)
    ]
    assert changed == [], "\n\n".join(changed)


def _difference(step: str, recorded: str, now: str) -> str:
    lines = (recorded.splitlines(), now.splitlines())
    diff = difflib.unified_diff(*lines, "recorded", "now", lineterm="", n=2)
    return "\n".join([f"━━ {step}", *diff])


def test_the_story_calls_every_operation_of_the_api(told: Story) -> None:
    adapter = told.app.url_map.bind("localhost")
    called = {(method, adapter.match(path, method)[0]) for method, path in told.called}
    every = {
        (method, rule.endpoint)
        for rule in told.app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert every - called == set()


def test_the_story_runs_every_command_that_speaks_json(told: Story) -> None:
    context = click.Context(cli)
    every = {
        name
        for name in cli.list_commands(context)
        if any("--json" in option.opts for option in cli.get_command(context, name).params)
    }
    assert every - told.commands == set()
