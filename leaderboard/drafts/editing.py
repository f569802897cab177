"""Changing what a draft says: its settings and its description."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

import grader
from grader.words.message import said
from leaderboard.drafts import keeping
from leaderboard.errors import BadRequest
from leaderboard.models import AssignmentDraft, User
from leaderboard.rules.plain_folder import link_or_copy
from leaderboard.state import State

LONGEST_README: Final = 200_000


def settings_of(state: State, draft: AssignmentDraft) -> str:
    """The draft's assignment.toml."""
    folder = state.catalog.load_version(draft.folder_sha256).folder
    return (folder / "assignment.toml").read_text(encoding="utf-8-sig")


def save(
    session: Session,
    state: State,
    draft: AssignmentDraft,
    *,
    settings_toml: str,
    readme: str,
    seen: str,
    actor: User | None,
) -> None:
    """Write settings and description. Opens its own write transaction.

    Raises:
        BadRequest: the settings are wrong, or don't go with the answers.
        NotAllowedNow: somebody else changed the draft since its folder was `seen`.
    """
    if len(readme) > LONGEST_README:
        raise BadRequest(said("draft.long_readme", most=LONGEST_README))
    before = state.catalog.load_version(draft.folder_sha256).folder
    with tempfile.TemporaryDirectory(prefix="draft-") as name:
        folder = Path(name) / "assignment"
        shutil.copytree(before, folder, copy_function=link_or_copy, symlinks=True)
        for file, content in (("assignment.toml", settings_toml), ("README.md", readme)):
            (folder / file).unlink(missing_ok=True)  # a second name of the kept file
            (folder / file).write_text(content, encoding="utf-8", newline="")
        try:
            grader.Assignment.load(folder)
        except grader.AssignmentError as error:
            raise BadRequest(said("draft.unfit", problems="; ".join(error.problems))) from error
        keeping.replace(session, state, draft, folder, seen=seen, actor=actor)
