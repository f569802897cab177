"""Assignments that are parts of one piece of work."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from small_site import Site, write_assignment

from leaderboard.models import Assignment


def _part(folder: Path, slug: str, group: str) -> Path:
    write_assignment(folder, slug=slug)
    settings = folder / "assignment.toml"
    settings.write_text(f'group = "{group}"\n{settings.read_text()}')
    return folder


def test_parts_of_one_piece_of_work_are_published_into_its_group(
    site: Site, tmp_path: Path
) -> None:
    for slug in ("coarse", "fine"):
        site.publish(_part(tmp_path / slug, slug, "homework-2"))
    site.publish(_part(tmp_path / "other", "other", "homework-3"))

    with site.state.database.reading() as session:
        found = session.scalars(sa.select(Assignment).order_by(Assignment.id))
        groups = {each.slug: each.group and each.group.slug for each in found}
    assert groups == {
        "animals": None,
        "coarse": "homework-2",
        "fine": "homework-2",
        "other": "homework-3",
    }
