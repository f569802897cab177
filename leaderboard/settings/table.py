"""Every setting of the server, in one table: name, default, help, how its value is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboard.settings.values import (
    blobs_url,
    choice,
    command,
    cron,
    database_url,
    integer,
    lanes,
    optional_integer,
    optional_path,
    public_url,
    seconds,
    smtp_url,
    text,
)
from sandbox import confining_backends

PREFIX = "LEADERBOARD_"

SETTINGS_FILE = "settings.env"

DEVELOPMENT_SECRET = "development-only-not-a-secret"  # noqa: S105 - refused outside development


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One line of the table. `parse` raises ValueError with what is wrong with a value."""

    name: str
    default: str
    help: str
    parse: Callable[[str], Any]
    is_secret: bool = False  # its value is in no message
    is_trusted: bool = False  # it runs commands, or says who is believed: told at a restore

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
        parse=choice("production", "development"),
    ),
    Setting(
        name="secret_key",
        default="",
        help="Signs cookies and forms; at least 32 characters. `leaderboard init` makes one.",
        parse=text,
        is_secret=True,
    ),
    Setting(
        name="database_url",
        default="",
        help="sqlite:///FILE or postgresql://…; empty: leaderboard.sqlite3 in the state folder.",
        parse=database_url,
        is_secret=True,  # it may hold a password
    ),
    Setting(
        name="blobs_url",
        default="",
        help="Where uploads are kept: file:///FOLDER or s3://BUCKET/PLACE?endpoint=URL&region=NAME "
        "(with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY); empty: blobs in the state folder.",
        parse=blobs_url,
    ),
    Setting(
        name="blob_cache_mb",
        default="10240",
        help="How much of an object store a machine keeps on its disk, to read it once (MiB).",
        parse=integer(0, 1 << 30),
    ),
    Setting(
        name="host",
        default="127.0.0.1",
        help="Address to listen on.",
        parse=text,
    ),
    Setting(
        name="port",
        default="8000",
        help="Port to listen on.",
        parse=integer(0, 65535),
    ),
    Setting(
        name="public_url",
        default="",
        help="Address that users see, for links; https makes cookies secure. Empty: as requested.",
        parse=public_url,
        is_trusted=True,
    ),
    Setting(
        name="trusted_proxies",
        default="0",
        help="How many reverse proxies in front set X-Forwarded-*; 0: none is believed.",
        parse=integer(0, 10),
        is_trusted=True,
    ),
    Setting(
        name="web_processes",
        default="1",
        help="Web processes; with one for each processor a rush of hand-ins is answered sooner.",
        parse=integer(1, 64),
    ),
    Setting(
        name="web_threads",
        default="64",
        help="Requests that each web process answers at once.",
        parse=integer(2, 1024),
    ),
    Setting(
        name="web_streams",
        default="500",
        help="Live pages that each web process keeps up to date at once; others ask now and then.",
        parse=integer(1, 10_000),
    ),
    Setting(
        name="max_upload_mb",
        default="1024",
        help="No upload may be larger, whatever an assignment says (MiB).",
        parse=integer(1, 1 << 20),
    ),
    Setting(
        name="content_days",
        default="0",
        help="`leaderboard retention` removes the files of hand-ins that are no final pick and "
        "stand on no board so many days after the release; scores and predictions stay. 0: never.",
        parse=integer(0, 36500),
    ),
    Setting(
        name="min_free_mb",
        default="512",
        help="Uploads are refused while less than this is free on the disk (MiB).",
        parse=integer(0, 1 << 30),
    ),
    Setting(
        name="worker_concurrency",
        default="1",
        help="Evaluations a worker runs at once.",
        parse=integer(1, 64),
    ),
    Setting(
        name="warm_sandboxes",
        default="",
        help="Sandboxes a worker keeps ready (200 MB each); empty: two an evaluation at once.",
        parse=optional_integer(0, 64),
    ),
    Setting(
        name="hold_runner_files",
        default="yes",
        help="Keep the files of the runner in memory, so that no run can tell what another has "
        "read of them (1 GB a machine, 5 GB with CUDA); no: on a machine without that much.",
        parse=choice("yes", "no"),
    ),
    Setting(
        name="run_logs",
        default="shown",
        help="hidden: for exams. Students see nothing that a program says, of the sample run "
        "either, so that no run can pass on what it learned of hidden images.",
        parse=choice("shown", "hidden"),
    ),
    Setting(
        name="code_runs_on",
        default="workers",
        help="agents: workers run no code themselves, and offer it to `grader agent` on other "
        "machines; then a worker may run as many at once as there are agents.",
        parse=choice("workers", "agents"),
        is_trusted=True,
    ),
    Setting(
        name="worker_poll_seconds",
        default="0.2",
        help="How often a worker looks for new work.",
        parse=seconds(0.01, 60),
    ),
    Setting(
        name="heartbeat_seconds",
        default="2",
        help="How often a worker says that it lives.",
        parse=seconds(0.1, 300),
    ),
    Setting(
        name="dead_after_seconds",
        default="15",
        help="A worker silent for so long is dead, and others take over its work.",
        parse=seconds(0.5, 3600),
    ),
    Setting(
        name="retry_seconds",
        default="5",
        help="Pause before a failure of ours is retried; doubles each time.",
        parse=seconds(0, 3600),
    ),
    Setting(
        name="worker_lanes",
        default="",
        help="Which work a worker takes: some of csv, code, gpu; empty: whatever it can do.",
        parse=lanes,
    ),
    Setting(
        name="runner_env",
        default="",
        help="Environment that student code runs in; empty: .runner beside the installation.",
        parse=optional_path,
        is_trusted=True,
    ),
    Setting(
        name="sandbox_backend",
        default="",
        help=f"{' or '.join(confining_backends())}; empty: the first that works here.",
        parse=choice("", *confining_backends()),
        is_trusted=True,
    ),
    Setting(
        name="metrics_token",
        default="",
        help="Bearer token that /metrics asks for; empty: it answers this machine alone.",
        parse=text,
        is_secret=True,
    ),
    Setting(
        name="nightly_cron",
        default="0 3 * * *",
        help="When the baselines are handed in again (five-field cron, UTC); empty: never.",
        parse=cron,
    ),
    Setting(
        name="nightly_command",
        default="",
        help="Command that hands the baselines in again, such as `reference rerun --server URL`.",
        parse=command,
        is_trusted=True,
    ),
    Setting(
        name="session_days",
        default="14",
        help="A browser stays signed in for so many days.",
        parse=integer(1, 365),
    ),
    Setting(
        name="token_days",
        default="180",
        help="API tokens made by `grader login` expire after so many days.",
        parse=integer(1, 3650),
    ),
    Setting(
        name="default_locale",
        default="en",
        help="Language where neither account nor browser asks for one we have.",
        parse=choice("en", "zh"),
    ),
    Setting(
        name="api_requests_per_minute",
        default="600",
        help="Requests to the API by one token, or by one address without a token, in a minute.",
        parse=integer(1, 1 << 20),
    ),
    Setting(
        name="uploads_per_minute",
        default="60",
        help="Uploads by one person in a minute.",
        parse=integer(1, 1 << 20),
    ),
    Setting(
        name="smtp_url",
        default="",
        help="Mail server: smtp://USER:PASSWORD@HOST:PORT, smtps://… for TLS from the start. "
        "Empty or none: no mail; in development mails are printed.",
        parse=smtp_url,
        is_secret=True,
        is_trusted=True,
    ),
    Setting(
        name="mail_from",
        default="",
        help="Sender of mails, such as Deep Learning <course@example.edu>; needed with smtp_url.",
        parse=text,
    ),
    Setting(
        name="oidc_issuer",
        default="",
        help="Single sign-on: address of the OpenID Connect provider; empty: none.",
        parse=public_url,
        is_trusted=True,
    ),
    Setting(
        name="oidc_client_id",
        default="",
        help="What the provider calls this server.",
        parse=text,
        is_trusted=True,
    ),
    Setting(
        name="oidc_client_secret",
        default="",
        help="What the provider knows this server by.",
        parse=text,
        is_secret=True,
    ),
    Setting(
        name="oidc_name",
        default="",
        help="What students call the provider, on the button; empty: single sign-on.",
        parse=text,
    ),
)
