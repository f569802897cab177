"""What `deploy/` holds is what the programs take."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_site import Site, predictions_csv

from leaderboard import backup
from leaderboard.cli import main
from leaderboard.config import SETTINGS

DEPLOY = Path(__file__).parents[2] / "deploy"
_SECRETS = {"POSTGRES_PASSWORD": "a-password", "S3_SECRET": "a-secret-of-tests"}


def has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


def test_the_nightly_script_keeps_whole_backups_and_drops_the_oldest(
    site: Site, tmp_path: Path
) -> None:
    site.hand_in("ann", predictions_csv(site.folder))
    folder = tmp_path / "backups"
    for name in ("2026-01-01T000000Z", "2026-01-02T000000Z"):
        backup.make(site.state, folder / name, progress=lambda *_: None)
    (folder / "2026-01-03T000000Z").mkdir()  # one that was cut off

    subprocess.run(
        [DEPLOY / "backup.sh", folder, "2"],
        check=True,
        capture_output=True,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "LEADERBOARD_STATE_DIR": str(site.settings.state_dir),
        },
    )

    whole = sorted(path.parent.name for path in folder.glob("*/manifest.json"))
    assert len(whole) == 2
    assert whole[0] == "2026-01-02T000000Z"
    assert backup.read(folder / whole[1]).blobs > 0


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed here")
def test_the_compose_file_is_valid_and_wants_its_secrets() -> None:
    command = ["docker", "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}

    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    taken = subprocess.run(
        command, env={**environment, **_SECRETS}, capture_output=True, text=True, check=False
    )

    assert refused.returncode != 0
    assert "set it" in refused.stderr
    assert taken.returncode == 0, taken.stderr


def test_every_setting_in_deploy_is_one() -> None:
    texts = [path.read_text() for path in (DEPLOY / "systemd").iterdir()]
    texts += [(DEPLOY / name).read_text() for name in ("compose.yaml", "Dockerfile", "README.md")]
    named = {name for text in texts for name in re.findall(r"LEADERBOARD_[A-Z_]+[A-Z]", text)}

    assert {"LEADERBOARD_DATABASE_URL", "LEADERBOARD_BLOBS_URL"} <= named
    assert named <= {setting.variable for setting in SETTINGS}


def test_the_urls_of_the_compose_file_are_read_as_settings() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    urls = dict(re.findall(r"(LEADERBOARD_(?:DATABASE|BLOBS)_URL): (\S+)", text))

    read = {setting.variable: setting.parse for setting in SETTINGS}
    filled = {name: re.sub(r"\$\{[^}]*\}.*?(?=@)", "pw", url) for name, url in urls.items()}
    assert all(read[name](url) for name, url in filled.items())
    assert len(urls) == 2


def test_every_command_of_the_units_and_the_compose_file_exists() -> None:
    texts = [path.read_text() for path in (DEPLOY / "systemd").iterdir()]
    texts += [(DEPLOY / name).read_text() for name in ("compose.yaml", "backup.sh")]
    called = {
        words[1]
        for text in texts
        for line in text.splitlines()
        if not line.lstrip().startswith("#")
        for part in (line.partition("leaderboard ")[1:],)
        if part[0] and (words := ["leaderboard", *part[1].split()]) and words[1].isalpha()
    }

    assert {"serve", "worker", "init", "backup", "retention"} <= called
    for name in called & {"serve", "worker", "init", "backup", "retention"}:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        # the programs are not installed where the units look for them
        text = unit.read_text().replace("/opt/gradewright/.venv/bin/leaderboard", "/bin/true")
        text = text.replace("/opt/gradewright/deploy/backup.sh", "/bin/true")
        (tmp_path / unit.name.replace("@.", "@1.")).write_text(text)
    units = sorted(str(path) for path in tmp_path.iterdir())

    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
