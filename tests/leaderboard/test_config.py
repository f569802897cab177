"""Settings: one table, read once; a bad value stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from leaderboard.config import ConfigError, load_settings
from leaderboard.operations.installation import initialise
from leaderboard.settings.table import DEVELOPMENT_SECRET, SETTINGS

SECRET = {"LEADERBOARD_SECRET_KEY": "x" * 40}


def load(tmp_path: Path, **given: str) -> object:
    variables = {f"LEADERBOARD_{name.upper()}": value for name, value in given.items()}
    return load_settings(tmp_path, {**SECRET, **variables})


def test_defaults_put_everything_into_the_state_folder(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, SECRET)

    assert settings.database_url == f"sqlite:///{tmp_path}/leaderboard.sqlite3"
    assert settings.blobs_url == (tmp_path / "blobs").as_uri()
    assert settings.worker_poll_seconds == 0.2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "eighty"),
        ("port", "70000"),
        ("max_upload_mb", "0"),
        ("max_upload_mb", "-1"),
        ("worker_poll_seconds", "soon"),
        ("environment", "staging"),
        ("database_url", "mysql://somewhere"),
        ("database_url", "postgresql://somewhere"),
        ("database_url", "postgresql://ann:p@ssword@somewhere:5432/name"),
        ("blobs_url", "ftp://somewhere"),
        ("public_url", "example.edu"),
        ("nightly_cron", "every night"),
        ("nightly_command", "unbalanced 'quote"),
        ("sandbox_backend", "chroot"),
        ("default_locale", "tlh"),
        ("dead_after_seconds", "3"),
    ],
)
def test_a_bad_value_stops_the_start_and_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"LEADERBOARD_{name.upper()}"):
        load(tmp_path, **{name: value})


def test_a_password_in_a_database_url_is_in_no_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, database_url="postgresql://ann:p@secret@somewhere:5432/name")

    assert "secret" not in str(refused.value)
    assert "%40" in str(refused.value)


def test_every_problem_is_reported_at_once_and_a_typo_is_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, port="x", host_name="typo", environment="y")

    assert len(refused.value.problems) == 3


@pytest.mark.parametrize("secret", ["", DEVELOPMENT_SECRET, "short"])
def test_a_default_or_short_secret_is_refused_outside_development(
    tmp_path: Path, secret: str
) -> None:
    with pytest.raises(ConfigError, match="SECRET_KEY") as refused:
        load_settings(tmp_path, {"LEADERBOARD_SECRET_KEY": secret})

    assert "short" not in str(refused.value).replace("shorter", "")
    developing = {"LEADERBOARD_ENVIRONMENT": "development"}
    assert load_settings(tmp_path, developing).secret_key == DEVELOPMENT_SECRET


def test_init_makes_secrets_that_only_the_owner_reads_and_keeps_them(tmp_path: Path) -> None:
    first = initialise(tmp_path / "state")
    second = initialise(tmp_path / "state")

    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 32
    for name in ("settings.env", "receipt_key.pem"):
        assert ((tmp_path / "state" / name).stat().st_mode & 0o777) == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "settings.env").write_text(
        "# a comment\nLEADERBOARD_PORT=8100\nLEADERBOARD_HOST=::1\n"
    )

    settings = load_settings(tmp_path, {**SECRET, "LEADERBOARD_PORT": "8200"})

    assert (settings.port, settings.host) == (8200, "::1")


def test_a_line_that_is_no_setting_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "settings.env").write_text("LEADERBOARD_PORT 8100\n")
    with pytest.raises(ConfigError, match=r"settings\.env:1"):
        load_settings(tmp_path, SECRET)


def test_secrets_are_not_in_the_settings_repr(tmp_path: Path) -> None:
    assert SECRET["LEADERBOARD_SECRET_KEY"] not in repr(load_settings(tmp_path, SECRET))


def test_every_setting_has_a_help_sentence() -> None:
    assert all(len(setting.help) > 10 for setting in SETTINGS)
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
