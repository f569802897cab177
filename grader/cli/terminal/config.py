"""Where the command line finds its server and token: flag, then environment, then file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from grader.cli.chinese.messages import language
from grader.client.config import KEYS, Config, ConfigDamaged, config_path, of_environment, of_file
from grader.words.message import in_language


def load_config(flags: Config) -> Config:
    """The flags, filled up from GRADER_SERVER, GRADER_TOKEN, GRADER_COURSE and the file.

    A token belongs to its server: it is not sent to another one.

    Raises:
        click.UsageError: the file isn't valid.
    """
    try:
        stored = of_file(config_path())
    except ConfigDamaged as error:
        raise click.UsageError(in_language(error.said, language())) from error
    return flags.or_else(of_environment()).or_else(stored)


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
