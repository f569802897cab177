"""The settings of the server, as read.

A setting comes from the environment (`LEADERBOARD_<NAME>`), else from `settings.env` in the state
folder (written by `leaderboard init`, mode 0600), else from its default. A value that cannot be
read stops the start, and so does a missing secret: there is no default one outside development.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from leaderboard.models.kinds import Lane
from leaderboard.settings.table import (
    DEVELOPMENT_SECRET,
    PREFIX,
    SETTINGS,
    SETTINGS_FILE,
)
from leaderboard.settings.values import NO_MAIL

_MIN_SECRET_LENGTH = 32


class ConfigError(Exception):
    """The settings are wrong; each problem names its setting. Nothing was started."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings as read; one attribute a line of SETTINGS, plus what follows from them."""

    state_dir: Path
    environment: str
    secret_key: str
    database_url: str
    blobs_url: str
    blob_cache_mb: int
    host: str
    port: int
    public_url: str
    trusted_proxies: int
    web_processes: int
    web_threads: int
    web_streams: int
    max_upload_mb: int
    content_days: int
    min_free_mb: int
    worker_concurrency: int
    warm_sandboxes: int
    hold_runner_files: str
    run_logs: str
    code_runs_on: str
    worker_poll_seconds: float
    heartbeat_seconds: float
    dead_after_seconds: float
    retry_seconds: float
    worker_lanes: tuple[Lane, ...]
    runner_env: Path | None
    sandbox_backend: str
    metrics_token: str
    nightly_cron: str
    nightly_command: tuple[str, ...]
    session_days: int
    token_days: int
    default_locale: str
    api_requests_per_minute: int
    uploads_per_minute: int
    smtp_url: str
    mail_from: str
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str
    oidc_name: str

    @property
    def is_development(self) -> bool:
        return self.environment == "development"

    @property
    def sends_mail(self) -> bool:
        """Whether a mail reaches somebody: by SMTP, or in development the terminal."""
        return bool(self.mail_server) or self.is_development

    @property
    def mail_server(self) -> str:
        """The URL of the mail server; "" where there is none."""
        return "" if self.smtp_url == NO_MAIL else self.smtp_url

    @property
    def base_url(self) -> str:
        """Where links in mails lead. A request's own idea of the host is not to be trusted."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def uploads_dir(self) -> Path:
        """Where uploads are streamed to on their way to an object store."""
        return self.state_dir / "uploads"

    @property
    def cache_dir(self) -> Path:
        """Unpacked assignments, files of an object store; may be deleted at any time."""
        return self.state_dir / "cache"

    @property
    def receipt_key_file(self) -> Path:
        """The private key (Ed25519, PEM) that signs receipts."""
        return self.state_dir / "receipt_key.pem"

    def __repr__(self) -> str:
        return f"Settings(state_dir={str(self.state_dir)!r}, environment={self.environment!r})"


def load_settings(
    state_dir: Path | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """The settings of this process: environment over the state folder's file over defaults.

    `state_dir` (the command line's `--state`) wins over LEADERBOARD_STATE_DIR.

    Raises:
        ConfigError: with every problem found.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    if state_dir is not None:
        given[PREFIX + "STATE_DIR"] = str(state_dir)
    problems = _unknown(given, "the environment")
    folder = Path(given.get(PREFIX + "STATE_DIR", SETTINGS[0].default)).expanduser().absolute()
    kept = read_settings_file(folder / SETTINGS_FILE)
    problems += _unknown(kept, str(folder / SETTINGS_FILE))
    values = _parse({**kept, **given, PREFIX + "STATE_DIR": str(folder)}, problems)
    if not problems:
        problems += _check_together(values)
    if problems:
        raise ConfigError(problems)
    return Settings(**_with_defaults(values))


def read_settings_file(path: Path) -> dict[str, str]:
    """NAME=VALUE lines; `#` starts a comment line. An absent file holds no settings.

    Raises:
        ConfigError: a line is neither.
    """
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise ConfigError([f"{path}:{number}: expected NAME=VALUE"])
        found[name.strip()] = value.strip()
    return found


def _unknown(given: Mapping[str, str], where: str) -> list[str]:
    known = {setting.variable for setting in SETTINGS}
    return [f"{name} in {where} is no setting" for name in sorted(given) if name not in known]


def _parse(given: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = given.get(setting.variable, setting.default)
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            # a secret must not reach a log by way of its error
            shown = "" if setting.is_secret else f" {text!r}"
            problems.append(f"{setting.variable}{shown}: {error}")
    return values


def _check_together(values: dict[str, Any]) -> list[str]:
    problems = []
    secret = values["secret_key"]
    if values["environment"] == "production":
        if not secret:
            problems.append(
                f"{PREFIX}SECRET_KEY is not set: run `leaderboard init`, "
                "which makes one in the state folder"
            )
        elif secret == DEVELOPMENT_SECRET or len(secret) < _MIN_SECRET_LENGTH:
            problems.append(
                f"{PREFIX}SECRET_KEY is a default or shorter than {_MIN_SECRET_LENGTH} characters"
            )
    if values["smtp_url"] not in ("", NO_MAIL) and not (
        values["mail_from"] and values["public_url"]
    ):
        problems.append(f"{PREFIX}SMTP_URL needs {PREFIX}MAIL_FROM and {PREFIX}PUBLIC_URL")
    if values["oidc_issuer"] and not (values["oidc_client_id"] and values["oidc_client_secret"]):
        problems.append(
            f"{PREFIX}OIDC_ISSUER needs {PREFIX}OIDC_CLIENT_ID and {PREFIX}OIDC_CLIENT_SECRET"
        )
    if values["dead_after_seconds"] < 2 * values["heartbeat_seconds"]:
        problems.append(
            f"{PREFIX}DEAD_AFTER_SECONDS must be at least twice {PREFIX}HEARTBEAT_SECONDS"
        )
    return problems


def _with_defaults(values: dict[str, Any]) -> dict[str, Any]:
    folder: Path = values["state_dir"]
    warm = values["warm_sandboxes"]
    return {
        **values,
        "warm_sandboxes": 2 * values["worker_concurrency"] if warm is None else warm,
        "secret_key": values["secret_key"] or DEVELOPMENT_SECRET,
        "database_url": values["database_url"] or f"sqlite:///{folder / 'leaderboard.sqlite3'}",
        "blobs_url": values["blobs_url"] or (folder / "blobs").as_uri(),
    }


assert [field.name for field in fields(Settings)] == [setting.name for setting in SETTINGS]
