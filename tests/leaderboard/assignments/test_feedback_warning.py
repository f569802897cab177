"""Who publishes hidden images with more than aggregate feedback reads what that lets out."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from signing_in import signed_in
from small_site import make_site, write_assignment

from leaderboard import create_app
from leaderboard.cli import main
from leaderboard.models import Role

HIDDEN = "The test images are hidden, and students see more than the aggregate score."


def folder_of(tmp_path, *, images: str, feedback: str):
    folder = write_assignment(
        tmp_path / "animals",
        submission='kinds = ["code"]',
        scoring=f'feedback = "{feedback}"',
    )
    settings = folder / "assignment.toml"
    settings.write_text(settings.read_text().replace('"public"', f'"{images}"'))
    return folder


@pytest.mark.parametrize(
    ("images", "feedback", "warned"),
    [("hidden", "confusion", True), ("hidden", "aggregate", False), ("public", "confusion", False)],
)
def test_staff_read_it_on_the_page_and_at_publishing(images, feedback, warned, tmp_path):
    folder = folder_of(tmp_path, images=images, feedback=feedback)
    site = make_site(tmp_path, folder)
    try:
        app = create_app(state=site.state)
        app.testing = True
        site.person("ta", Role.ASSISTANT)
        page = signed_in(app, "ta").get("/staff/c/dl-1/a/animals/").text
        assert (HIDDEN in page) == warned
        publish = ["--state", str(site.settings.state_dir), "publish", str(folder)]
        said = CliRunner().invoke(main, [*publish, "--course", "dl-1"])
        assert said.exit_code == 0, said.output
        assert ("bits of them out" in said.stderr) == warned
    finally:
        site.state.close()
