"""A public scanner walks the real server with a student's and with staff's cookie: no answer may be
a failure of ours, and the web process must not grow. Installed into a folder of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import needs
import pytest
from commands import serving
from flask.sessions import SecureCookieSessionInterface
from hostile_requests import LIMITED, UNLIMITED
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.accounts import accounts
from leaderboard.db import utcnow
from leaderboard.models import Role, User

ROOT = Path(__file__).parents[3]
VERSION = "3.2.3"
MODULES = "exec,file,crlf,redirect,sql,xss,permanentxss,methods,csrf,upload,ldap,xxe"
ATTACK_SECONDS = int(os.environ.get("WAPITI_SECONDS", "40"))  # of each module
MOST_GROWTH_MB = 80


@pytest.fixture(scope="module")
def wapiti() -> Path:
    """The scanner's command; put into build/wapiti where it is missing."""
    folder = ROOT / "build" / "wapiti"
    command = folder / "bin" / "wapiti"
    if not command.exists():
        install = [folder / "bin" / "pip", "install", "-q", f"wapiti3=={VERSION}"]
        try:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run(install, check=True, timeout=600)
        except (subprocess.SubprocessError, OSError) as error:
            needs.missing(f"wapiti can't be installed here: {error}")
    return command


def cookie_of(site: Site, name: str) -> str:
    with site.state.database.session() as session:
        user = session.get_one(User, site.person(name).id)
        begun = accounts.begin(
            session, user, user_agent="", now=utcnow(), lifetime=timedelta(days=1)
        )
    signing = SecureCookieSessionInterface().get_signing_serializer(create_app(state=site.state))
    assert signing is not None
    return signing.dumps({"login": begun.secret})


def web_mb(server: subprocess.Popen[str]) -> float:
    """What the web processes hold in memory."""
    return sum(_kilobytes(pid) for pid in _below(server.pid)) / 1024


def _below(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, listed) for each in (child, *_below(child))]


def _kilobytes(pid: int) -> int:
    held = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(held[1]) if held else 0


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("limits", [UNLIMITED, LIMITED], ids=["unlimited", "limited"])
@pytest.mark.parametrize("name", ["mate", "instructor"])
def test_a_public_scanner_finds_no_failure_of_the_server(tmp_path, wapiti, name, limits):
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"), **limits)
    site.person("instructor", Role.INSTRUCTOR)
    site.score(site.hand_in("mate", predictions_csv(site.folder)))
    settings = {f"LEADERBOARD_{key.upper()}": value for key, value in limits.items()}
    with (
        pytest.MonkeyPatch.context() as patch,
        (tmp_path / "said").open("w") as said,
    ):
        for key, value in settings.items():
            patch.setenv(key, value)
        with serving(site, "--no-worker") as (server, url):
            scan = [wapiti, "-u", f"{url}/", "-C", f"leaderboard={cookie_of(site, name)}"]
            scan += ["-m", MODULES, "-x", f"{url}/sign-out"]
            scan += ["-x", f"{url}/account/devices/sign-out"]
            scan += ["--max-scan-time", "120", "--max-attack-time", str(ATTACK_SECONDS)]
            scan += ["--flush-session", "--store-session", tmp_path / "session"]
            scan += ["--no-bugreport", "-f", "json", "-o", tmp_path / "report.json", "-v", "0"]
            for _ in range(20):
                assert httpx.get(f"{url}/sign-in", timeout=60).status_code == 200
            before = web_mb(server)
            subprocess.run(scan, check=True, stdout=said, stderr=said)
            after = web_mb(server)
    site.state.close()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["infos"]["crawled_pages_nbr"] >= 8, (tmp_path / "said").read_text()
    failures = {
        re.sub(r"=[^&]*", "=…", f"{each['method']} {each['path']}")
        for each in report["anomalies"]["Internal Server Error"]
    }
    assert failures == set()
    print(f"{name}: {report['infos']['crawled_pages_nbr']} pages, {before:.0f} → {after:.0f} MB")
    assert after - before < MOST_GROWTH_MB
