"""The build step that pyproject.toml can't state: translations are compiled into the package."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).resolve().parent))

from leaderboard.messages.catalogues import compile_all

compile_all()  # before any command collects files: wheel, source archive and editable install alike
setup()
