"""A recorded story: everything that users see of a small course, to hold against a later state.

    python tests/recorded_story.py record before.json
    python tests/recorded_story.py replay before.json

The story is told by commands, the API and the pages alone, so that it outlives any change of the
modules behind them. `replay` tells it again, prints what differs and then exits with 1.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from story import commands, files, screens, telling
from story.normalise import rules
from story.site import Site


def tell(site: Site) -> None:
    """The whole story, from an empty folder to an erased person."""
    (site.folder / "home").mkdir()
    files.write_assignments(site.folder / "assignments")
    telling.furnish(site)
    runs_code = commands.sandbox(site)
    commands.helps(site)
    commands.offline(site, runs_code=runs_code)
    telling.begin_by_api(site)
    made = telling.hand_in_by_api(site, runs_code=runs_code)
    commands.online(site, made)
    screens.pages(site, made, "before the release")
    screens.forms(site, made)
    telling.judge_by_api(site, made)
    screens.pages(site, made, "after the release")
    commands.after_the_release(site, made)
    commands.server(site, made)
    site.keep_mails()
    missing = telling.uncalled(site)
    if missing:
        sys.exit(f"operations that the story does not call: {', '.join(missing)}")


def record() -> dict[str, str]:
    """Tell the story in a folder of its own; what was seen, by step."""
    with tempfile.TemporaryDirectory(prefix="story-") as folder:
        site = Site(Path(folder).resolve())
        try:
            tell(site)
        except BaseException:
            for log in (site.log, site.mails):
                print(log.read_text() if log.exists() else "", file=sys.stderr)
            raise
        finally:
            site.stop()
        return site.steps


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """A unified diff of each step that differs, in the order of the story."""
    before, after = _by_rules(before), _by_rules(after)
    found = []
    for step in [*before, *(each for each in after if each not in before)]:
        old, new = before.get(step, ""), after.get(step, "")
        if old != new or (step in before) != (step in after):
            lines = difflib.unified_diff(
                old.splitlines(), new.splitlines(), "before", "after", lineterm="", n=2
            )
            found.append("\n".join([f"━━ {step}", *lines]))
    return found


def _by_rules(steps: dict[str, str]) -> dict[str, str]:
    """A recording by the rules of today, so that a rule more needs no new recording."""
    return {rules(step): rules(text) for step, text in steps.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Record what users see, or compare with it.")
    parser.add_argument("what", choices=("record", "replay"))
    parser.add_argument("file", type=Path)
    wanted = parser.parse_args()
    began = time.monotonic()
    steps = record()
    print(f"{len(steps)} steps in {time.monotonic() - began:.0f} s", file=sys.stderr)
    if wanted.what == "record":
        wanted.file.write_text(json.dumps(steps, ensure_ascii=False, indent=1), encoding="utf-8")
        return
    before = json.loads(wanted.file.read_text(encoding="utf-8"))
    found = differences(before, steps)
    print(*found, sep="\n\n")
    print(f"{len(found)} of {len(before)} steps differ", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
