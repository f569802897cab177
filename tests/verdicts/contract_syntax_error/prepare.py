"""The broken program is written here, so that linters need not read it."""

from pathlib import Path

Path("model.py").write_text("def build_model(:\n")
