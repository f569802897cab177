"""Where the command line finds its server and token: flag, then environment, then file.

The file is `config.toml` in the user's configuration folder (`GRADER_CONFIG` names another one).
It holds a token, so only its owner may read it.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import click

from grader.cli.messages import tr

KEYS = ("server", "token", "course")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a network command needs to know; None where nothing gave a value."""

    server: str | None = None
    token: str | None = None
    course: str | None = None


def config_path() -> Path:
    """The file that `grader login` writes."""
    override = os.environ.get("GRADER_CONFIG")
    if override:
        return Path(override)
    from platformdirs import user_config_path

    return user_config_path("gradewright") / "config.toml"


def load_config(flags: Config) -> Config:
    """The flags, filled up from GRADER_SERVER, GRADER_TOKEN, GRADER_COURSE and the file.

    The file's token belongs to the file's server: it is not sent to another one.

    Raises: click.UsageError for a file that isn't valid.
    """
    stored = _read(config_path())
    server = flags.server or os.environ.get("GRADER_SERVER") or stored.server
    if server and stored.server and server.rstrip("/") != stored.server.rstrip("/"):
        stored = replace(stored, token=None, course=None)
    return Config(
        server=server,
        token=flags.token or os.environ.get("GRADER_TOKEN") or stored.token,
        course=flags.course or os.environ.get("GRADER_COURSE") or stored.course,
    )


def save_config(config: Config) -> Path:
    """Write the file, readable by its owner only from the first byte; returns its path."""
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key in KEYS
        if (value := getattr(config, key)) is not None
    ]
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(lines)
    part.replace(path)
    return path


def _read(path: Path) -> Config:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(
            tr("{path} is not valid: {error}; grader login writes it anew", path=path, error=error)
        ) from error
    return Config(**{key: str(values[key]) for key in KEYS if key in values})
