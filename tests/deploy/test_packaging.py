"""What a wheel and a source archive of this checkout hold, built without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from grader import unpack_archive

ROOT = Path(__file__).parents[2]
PACKAGES = ("grader", "leaderboard", "reference", "sandbox")
COMPILED = "leaderboard/translations/zh/LC_MESSAGES/messages.mo"
BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, f"build_{sys.argv[1]}")(sys.argv[2]))
"""


def build(kind: str, sources: Path, into: Path) -> Path:
    command = [sys.executable, "-c", BUILD, kind, str(into)]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def source_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a copy of this checkout in which no translation was compiled."""
    sources = tmp_path_factory.mktemp("sources")
    left_out = shutil.ignore_patterns("__pycache__", "*.mo")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, sources / name, ignore=left_out)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md"):
        shutil.copy(ROOT / name, sources / name)
    return build("sdist", sources, tmp_path_factory.mktemp("archive"))


def test_a_source_archive_holds_translations_and_their_texts(source_archive: Path) -> None:
    with tarfile.open(source_archive) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {COMPILED, COMPILED.replace(".mo", ".po"), "setup.py"} <= names


def test_a_wheel_from_it_holds_translations_and_speaks_chinese(
    source_archive: Path, tmp_path: Path
) -> None:
    unpack_archive(source_archive, tmp_path / "unpacked")
    (sources,) = (tmp_path / "unpacked").iterdir()
    (sources / COMPILED).unlink()
    wheel = build("wheel", sources, tmp_path)
    with zipfile.ZipFile(wheel) as packed:
        assert COMPILED in packed.namelist()
        assert not [name for name in packed.namelist() if name.endswith((".po", ".cfg"))]
        packed.extractall(tmp_path / "installed")

    program = (
        "from flask import Flask\nfrom flask_babel import gettext\nimport leaderboard\n"
        "from leaderboard.messages.language import init_languages\n"
        "app = Flask('leaderboard', root_path=leaderboard.__path__[0])\n"
        "init_languages(app, default='zh')\n"
        "with app.test_request_context():\n    print(leaderboard.__path__[0], gettext('Submit'))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path / "installed",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    assert said.split() == [str(tmp_path / "installed/leaderboard"), "提交"]
