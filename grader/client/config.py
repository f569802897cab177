"""Where a server's address and a token are kept: `config.toml`, which `grader login` writes.

The file lies in the user's configuration folder (`GRADER_CONFIG` names another one). It holds a
token, so only its owner may read it.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from grader.errors import ClientError, Owner
from grader.words.message import said

KEYS: Final = ("server", "token", "course")
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class ConfigDamaged(ClientError):
    """The file is no valid TOML."""

    owner = Owner.STUDENT
    code = "config_damaged"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a network command needs to know; None where nothing gave a value."""

    server: str | None = None
    token: str | None = field(default=None, repr=False)
    course: str | None = None

    def or_else(self, other: Config) -> Config:
        """These values, filled up from others; a token belongs to its own server.

        >>> mine = Config(server="https://a.edu")
        >>> mine.or_else(Config(server="https://b.edu", token="t")).token is None
        True
        """
        if self.server and other.server and not _may_have_token(self.server, other.server):
            other = replace(other, token=None, course=None)
        return Config(
            server=self.server or other.server,
            token=self.token or other.token,
            course=self.course or other.course,
        )


def with_scheme(url: str) -> str:
    """Give an address its scheme where it has none: https, and http on this machine.

    >>> with_scheme("grader.example.edu/"), with_scheme("localhost:8000")
    ('https://grader.example.edu', 'http://localhost:8000')
    """
    bare = url.rstrip("/")
    if "://" in url:
        return bare
    return f"{'http' if bare.partition(':')[0] in LOOPBACK else 'https'}://{bare}"


def _may_have_token(server: str, owner: str) -> bool:
    """Whether it is the server that a token is for, by the same way or by a safer one."""
    way, _, place = with_scheme(server).partition("://")
    owners_way, _, owners_place = with_scheme(owner).partition("://")
    return place == owners_place and way in (owners_way, "https")


def config_path() -> Path:
    """The file that `grader login` writes."""
    override = os.environ.get("GRADER_CONFIG")
    if override:
        return Path(override)
    from platformdirs import user_config_path

    return user_config_path("gradewright") / "config.toml"


def of_environment() -> Config:
    """What GRADER_SERVER, GRADER_TOKEN and GRADER_COURSE say."""
    return Config(**{key: os.environ.get(f"GRADER_{key.upper()}") or None for key in KEYS})


def of_file(path: Path) -> Config:
    """What the file holds; nothing where there is none.

    Raises:
        ConfigDamaged: it is not valid.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Config()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        told = said("exchange.config_damaged", path=str(path), error=str(error))
        raise ConfigDamaged(told) from error
    except OSError as error:
        told = said("exchange.config_unreadable", path=str(path), error=str(error.strerror))
        raise ConfigDamaged(told) from error
    for key in KEYS:
        if not isinstance(values.get(key, ""), str):
            raise ConfigDamaged(said("exchange.config_value", path=str(path), key=key))
    return Config(**{key: values[key] for key in KEYS if key in values})
