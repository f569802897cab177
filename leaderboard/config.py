"""Every setting of the server, in one table: name, default, help, how to read it.

A setting comes from the environment (`LEADERBOARD_<NAME>`), else from `settings.env` in the state
folder (written by `leaderboard init`, mode 0600), else from its default. A value that cannot be
read stops the start, and so does a missing secret: there is no default one outside development.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from leaderboard import settings_values as read
from leaderboard.models.kinds import Lane

PREFIX = "LEADERBOARD_"
SETTINGS_FILE = "settings.env"
DEVELOPMENT_SECRET = "development-only-not-a-secret"  # noqa: S105 - refused outside development
_MIN_SECRET_LENGTH = 32


class ConfigError(Exception):
    """The settings are wrong; each problem names its setting. Nothing was started."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One line of the table. `parse` raises ValueError with what is wrong with a value."""

    name: str
    default: str
    help: str
    parse: Callable[[str], Any]
    is_secret: bool = False  # its value is in no message

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="state_dir",
        default="leaderboard-state",
        help="Folder with everything the server remembers on this machine.",
        parse=lambda value: Path(value).expanduser().absolute(),
    ),
    Setting(
        name="environment",
        default="production",
        help="production, or development: then a missing secret key is tolerated.",
        parse=read.choice("production", "development"),
    ),
    Setting(
        name="secret_key",
        default="",
        help="Signs cookies and forms; at least 32 characters. `leaderboard init` makes one.",
        parse=read.text,
        is_secret=True,
    ),
    Setting(
        name="database_url",
        default="",
        help="sqlite:///FILE or postgresql://…; empty: leaderboard.sqlite3 in the state folder.",
        parse=read.database_url,
    ),
    Setting(
        name="blobs_url",
        default="",
        help="Where uploads are kept: file:///FOLDER or s3://BUCKET/PLACE?endpoint=URL&region=NAME "
        "(with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY); empty: blobs in the state folder.",
        parse=read.blobs_url,
    ),
    Setting(
        name="blob_cache_mb",
        default="10240",
        help="How much of an object store a machine keeps on its disk, to read it once (MiB).",
        parse=read.integer(0, 1 << 30),
    ),
    Setting(
        name="host",
        default="127.0.0.1",
        help="Address to listen on.",
        parse=read.text,
    ),
    Setting(
        name="port",
        default="8000",
        help="Port to listen on.",
        parse=read.integer(0, 65535),
    ),
    Setting(
        name="public_url",
        default="",
        help="Address that users see, for links; https makes cookies secure. Empty: as requested.",
        parse=read.public_url,
    ),
    Setting(
        name="trusted_proxies",
        default="0",
        help="How many reverse proxies in front set X-Forwarded-*; 0: none is believed.",
        parse=read.integer(0, 10),
    ),
    Setting(
        name="web_processes",
        default="1",
        help="Web processes; with one for each processor a rush of hand-ins is answered sooner.",
        parse=read.integer(1, 64),
    ),
    Setting(
        name="web_threads",
        default="64",
        help="Requests that each web process answers at once.",
        parse=read.integer(2, 1024),
    ),
    Setting(
        name="web_streams",
        default="500",
        help="Live pages that each web process keeps up to date at once; others ask now and then.",
        parse=read.integer(1, 10_000),
    ),
    Setting(
        name="max_upload_mb",
        default="1024",
        help="No upload may be larger, whatever an assignment says (MiB).",
        parse=read.integer(1, 1 << 20),
    ),
    Setting(
        name="content_days",
        default="0",
        help="`leaderboard retention` removes the files of hand-ins that are no final pick and "
        "stand on no board so many days after the release; scores and predictions stay. 0: never.",
        parse=read.integer(0, 36500),
    ),
    Setting(
        name="min_free_mb",
        default="512",
        help="Uploads are refused while less than this is free on the disk (MiB).",
        parse=read.integer(0, 1 << 30),
    ),
    Setting(
        name="worker_concurrency",
        default="1",
        help="Evaluations a worker runs at once.",
        parse=read.integer(1, 64),
    ),
    Setting(
        name="warm_sandboxes",
        default="",
        help="Sandboxes a worker keeps ready (200 MB each); empty: two an evaluation at once.",
        parse=read.optional_integer(0, 64),
    ),
    Setting(
        name="worker_poll_seconds",
        default="0.2",
        help="How often a worker looks for new work.",
        parse=read.seconds(0.01, 60),
    ),
    Setting(
        name="heartbeat_seconds",
        default="2",
        help="How often a worker says that it lives.",
        parse=read.seconds(0.1, 300),
    ),
    Setting(
        name="dead_after_seconds",
        default="15",
        help="A worker silent for so long is dead, and others take over its work.",
        parse=read.seconds(0.5, 3600),
    ),
    Setting(
        name="retry_seconds",
        default="5",
        help="Pause before a failure of ours is retried; doubles each time.",
        parse=read.seconds(0, 3600),
    ),
    Setting(
        name="worker_lanes",
        default="",
        help="Which work a worker takes: some of csv, code, gpu; empty: whatever it can do.",
        parse=read.lanes,
    ),
    Setting(
        name="runner_env",
        default="",
        help="Environment that student code runs in; empty: .runner beside the installation.",
        parse=read.optional_path,
    ),
    Setting(
        name="sandbox_backend",
        default="",
        help="bubblewrap or docker; empty: the first that works here.",
        parse=read.choice("", "bubblewrap", "docker"),
    ),
    Setting(
        name="nightly_cron",
        default="0 3 * * *",
        help="When the baselines are handed in again (five-field cron, UTC); empty: never.",
        parse=read.cron,
    ),
    Setting(
        name="nightly_command",
        default="",
        help="Command that hands the baselines in again, such as `reference rerun --server URL`.",
        parse=read.command,
    ),
    Setting(
        name="session_days",
        default="14",
        help="A browser stays signed in for so many days.",
        parse=read.integer(1, 365),
    ),
    Setting(
        name="token_days",
        default="180",
        help="API tokens made by `grader login` expire after so many days.",
        parse=read.integer(1, 3650),
    ),
    Setting(
        name="default_locale",
        default="en",
        help="Language where neither account nor browser asks for one we have.",
        parse=read.choice("en", "zh"),
    ),
    Setting(
        name="api_requests_per_minute",
        default="600",
        help="Requests to the API by one token, or by one address without a token, in a minute.",
        parse=read.integer(1, 1 << 20),
    ),
    Setting(
        name="uploads_per_minute",
        default="60",
        help="Uploads by one person in a minute.",
        parse=read.integer(1, 1 << 20),
    ),
    Setting(
        name="smtp_url",
        default="",
        help="Mail server: smtp://USER:PASSWORD@HOST:PORT, smtps://… for TLS from the start. "
        "Empty: no mail; in development mails are printed.",
        parse=read.smtp_url,
        is_secret=True,
    ),
    Setting(
        name="mail_from",
        default="",
        help="Sender of mails, such as Deep Learning <course@example.edu>; needed with smtp_url.",
        parse=read.text,
    ),
    Setting(
        name="oidc_issuer",
        default="",
        help="Single sign-on: address of the OpenID Connect provider; empty: none.",
        parse=read.public_url,
    ),
    Setting(
        name="oidc_client_id",
        default="",
        help="What the provider calls this server.",
        parse=read.text,
    ),
    Setting(
        name="oidc_client_secret",
        default="",
        help="What the provider knows this server by.",
        parse=read.text,
        is_secret=True,
    ),
    Setting(
        name="oidc_name",
        default="",
        help="What students call the provider, on the button; empty: single sign-on.",
        parse=read.text,
    ),
)


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
    worker_poll_seconds: float
    heartbeat_seconds: float
    dead_after_seconds: float
    retry_seconds: float
    worker_lanes: tuple[Lane, ...]
    runner_env: Path | None
    sandbox_backend: str
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
        return bool(self.smtp_url) or self.is_development

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

    Raises: ConfigError, with every problem found.
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

    Raises: ConfigError for a line that is neither.
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
    if values["smtp_url"] and not (values["mail_from"] and values["public_url"]):
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
