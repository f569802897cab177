"""What `deploy/` holds is what the programs take."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import confined
import httpx
import pytest
from click.testing import CliRunner
from ports import held_port
from small_site import PASSWORD, Site, has_sandbox, predictions_csv

from leaderboard.cli import main
from leaderboard.operations import backup
from leaderboard.settings.table import SETTINGS

DEPLOY = Path(__file__).parents[3] / "deploy"
_SECRETS = {"POSTGRES_PASSWORD": "a-password", "S3_SECRET": "a-secret-of-tests"}

NEEDS_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not here"
)


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
    for name, days in (("2026-01-03T000000Z", 0), ("2026-01-04T000000Z", 2)):  # cut off
        (folder / name).mkdir()
        os.utime(folder / name, (time.time() - days * 86_400,) * 2)

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
    assert (folder / "2026-01-03T000000Z").exists()  # one may be writing it just now
    assert not (folder / "2026-01-04T000000Z").exists()


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


def test_the_image_gets_what_it_copies_and_nothing_else() -> None:
    copied = {
        source
        for line in (DEPLOY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
        for source in line.split()[1:-1]
    }
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}

    assert "*" in ignored
    assert let_through == copied
    assert all((DEPLOY.parent / source).exists() for source in copied)


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
    assert all(read[name](url) for name, url in urls.items())
    assert len(urls) == 2
    assert "$" not in "".join(urls.values())  # a password could hold what a URL takes for its own


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


@NEEDS_SYSTEMD
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        # the programs are not installed where the units look for them
        text = re.sub(r"/opt/gradewright/.venv/bin/\w+", "/bin/true", unit.read_text())
        text = re.sub(r"/opt/gradewright/deploy/\w+\.sh", "/bin/true", text)
        (tmp_path / unit.name.replace("@.", "@1.")).write_text(text)
    units = sorted(str(path) for path in tmp_path.iterdir())

    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr


@NEEDS_SYSTEMD
def test_the_web_server_is_confined_and_the_others_not_less_than_was_decided(
    tmp_path: Path,
) -> None:
    """systemd's own figure, 0 (confined) to 10; the units say why the workers' is higher."""
    highest = {"leaderboard-web": 4.0, "leaderboard": 6.0, "leaderboard-worker@": 6.0}
    highest |= {"leaderboard-backup": 5.0}
    for name, most in highest.items():
        unit = tmp_path / f"{name.replace('@', '@1')}.service"
        shutil.copy(DEPLOY / "systemd" / f"{name}.service", unit)
        said = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
        assert found is not None, said
        assert float(found.group(1)) <= most, said


def _why_not_confined() -> str:
    if os.geteuid() != 0 or not confined.HEADER.exists():
        return "needs root, x86_64 and the kernel's headers (Debian: linux-libc-dev)"
    missing = [name for name in ("setpriv", "systemd-analyze") if shutil.which(name) is None]
    return f"{missing[0]} is not here" if missing else ""


@pytest.mark.skipif(bool(_why_not_confined()), reason=_why_not_confined() or "possible")
def test_the_web_server_works_with_what_its_unit_leaves_it(site: Site) -> None:
    token, content = site.token("ann"), predictions_csv(site.folder)
    port = held_port()
    url = f"http://127.0.0.1:{port}"
    program = [sys.executable, confined.__file__, DEPLOY / "systemd" / "leaderboard-web.service"]
    serve = [*site.command, "serve", "--no-worker", "--port", str(port)]
    server = subprocess.Popen(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", *program, *serve]
    )
    try:
        page = _once_it_answers(f"{url}/sign-in")
        form = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert form is not None
        fields = {"email": "ann@example.edu", "password": PASSWORD, "csrf_token": form.group(1)}
        with httpx.Client(base_url=url, cookies=page.cookies, timeout=60) as browser:
            assert browser.post("/sign-in", data=fields).status_code == 303
            assert browser.get("/c/dl-1/a/animals/").status_code == 200
        made = httpx.post(
            f"{url}/api/v1/courses/dl-1/assignments/animals/submissions",
            headers={"Authorization": f"Bearer {token}"},
            files={"file": ("p.csv", content)},
            timeout=60,
        )
        assert made.status_code == 201
    finally:
        server.terminate()
        server.wait(60)
    assert server.returncode == 0


def _once_it_answers(url: str) -> httpx.Response:
    end = time.monotonic() + 90
    while True:
        try:
            return httpx.get(url, timeout=60)
        except httpx.TransportError:
            assert time.monotonic() < end, "the web server did not start"
            time.sleep(0.2)


def test_the_units_read_the_keys_end_in_order_and_tell_of_failures() -> None:
    units = {path.name: path.read_text() for path in (DEPLOY / "systemd").glob("*.service")}
    for name, text in units.items():
        # an agent has nothing of the server's
        assert ("EnvironmentFile=-/etc/leaderboard/environment" in text) == ("agent@" not in name)
        assert ("OnFailure=leaderboard-failed@%n.service" in text) == ("failed@" not in name)
    for name in ("leaderboard.service", "leaderboard-web.service", "leaderboard-worker@.service"):
        assert "KillMode=mixed" in units[name]
    for name in ("leaderboard.service", "leaderboard-worker@.service"):
        assert "Delegate=" in units[name]


def test_users_and_folders_of_the_units_are_made() -> None:
    users = (DEPLOY / "sysusers.d" / "leaderboard.conf").read_text()
    folders = (DEPLOY / "tmpfiles.d" / "leaderboard.conf").read_text()
    for path in (DEPLOY / "systemd").glob("*.service"):
        text = path.read_text()
        for user in set(re.findall(r"^User=(\S+)", text, re.MULTILINE)) - {"root"}:
            assert re.search(rf"^u +{user} ", users, re.MULTILINE)
        for listed in re.findall(r"^ReadWritePaths=(.+)", text, re.MULTILINE):
            for folder in listed.split():
                assert re.search(rf"^d +{folder} ", folders, re.MULTILINE)


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd is not here")
def test_systemd_takes_the_users_and_folders(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for program, options, name in (
        ("systemd-sysusers", (), "sysusers.d"),
        ("systemd-tmpfiles", ("--create",), "tmpfiles.d"),
    ):
        file = DEPLOY / name / "leaderboard.conf"
        made = subprocess.run(
            [program, *options, f"--root={tmp_path}", file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        assert "nknown" not in made.stderr
    assert "leaderboard" in (tmp_path / "etc" / "passwd").read_text()
    assert (tmp_path / "srv" / "leaderboard").stat().st_mode & 0o777 == 0o700


def test_the_units_exclude_no_right_that_sandboxes_need() -> None:
    """Programs run in sandboxes under the worker's bounding set of rights and nothing more."""
    text = (DEPLOY / "systemd" / "leaderboard-worker@.service").read_text()
    found = re.search(r"CapabilityBoundingSet=((?:.*\\\n)*.*)", text)
    assert found is not None
    rights = [name.removeprefix("CAP_").lower() for name in found.group(1).split() if name != "\\"]
    if os.geteuid() != 0 or shutil.which("setpriv") is None or not has_sandbox():
        pytest.skip("needs root, setpriv and a sandbox")

    bounding = ",".join(["-all", *(f"+{name}" for name in rights)])
    program = "import sandbox, sys; sys.exit(not sandbox.get_runner('bubblewrap').describe())"
    subprocess.run(
        ["setpriv", "--no-new-privs", f"--bounding-set={bounding}", sys.executable, "-c", program],
        check=True,
    )


@pytest.mark.parametrize("command", [["init"], ["doctor"], ["serve"], ["worker"]])
def test_missing_keys_of_the_object_store_are_one_sentence(site: Site, command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if "AWS_" not in name}
    environment["LEADERBOARD_BLOBS_URL"] = "s3://bucket/files?endpoint=http://127.0.0.1:9"
    said = subprocess.run(
        [*site.command, *command], env=environment, capture_output=True, text=True, check=False
    )

    assert said.returncode == 4
    assert said.stderr.count("\n") == 1
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set" in said.stderr


def test_an_object_store_that_is_away_is_one_sentence(site: Site) -> None:
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    environment["LEADERBOARD_BLOBS_URL"] = "s3://bucket/files?endpoint=http://127.0.0.1:9"
    said = subprocess.run(
        [*site.command, "init"], env=environment, capture_output=True, text=True, check=False
    )

    assert said.returncode == 4
    assert said.stderr.count("\n") == 1
    assert "object store does not answer" in said.stderr


def test_the_version_has_a_section_in_the_changelog() -> None:
    root = DEPLOY.parent
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    sections = re.findall(r"^## (\S+)", (root / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert version in sections[:2]  # after what is not released yet, if there is any
