"""Which code made a result."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version


@cache
def code_version() -> str:
    """The version of this distribution."""
    return version("gradewright")
