"""What a course remembers. `create_app` is the only wiring; everything else is imported by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from leaderboard.config import Settings
    from leaderboard.state import State

__all__ = ["create_app"]


def create_app(settings: Settings | None = None, *, state: State | None = None) -> Flask:
    """The web application: settings from the environment unless given; `state` is for tests.

    Raises:
        ConfigError: a setting is wrong.
        FileNotFoundError: `leaderboard init` was never run.
    """
    from leaderboard.web.app import build_app

    return build_app(settings, state)
