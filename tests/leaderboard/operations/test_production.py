"""`leaderboard doctor --production` insists on what students' work relies on; says what to do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from commands import run
from small_site import Site, make_site, write_assignment

from leaderboard.db import utcnow
from leaderboard.operations import backup, doctor
from leaderboard.operations.production import facing, keeping, machine
from leaderboard.queue import workers
from leaderboard.state import State


@contextmanager
def listening(*, patient: bool) -> Iterator[int]:
    """A server that waits for the rest of a request for ever, or cuts it off; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            client, _ = server.accept()
            taken.append(client)
            if not patient:
                client.recv(100)
                client.close()

        thread = threading.Thread(target=take)
        thread.start()
        yield server.getsockname()[1]
        thread.join()
        for client in taken:
            client.close()


def with_settings(site: Site, **settings: Any) -> State:
    return replace(site.state, settings=replace(site.settings, **settings))


def a_worker(site: Site, **facts: Any) -> None:
    with site.state.database.write() as session:
        workers.announce(
            session,
            executor_id="host:1",
            incarnation="x",
            concurrency=1,
            facts=facts,
            now=utcnow(),
        )


def test_a_new_server_fails_for_reasons_that_can_be_mended_and_then_it_does_not(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the sandbox's own checks take their time and have their own tests
    monkeypatch.setenv("LEADERBOARD_RUNNER_ENV", str(tmp_path / "nowhere"))
    monkeypatch.setenv("LEADERBOARD_SANDBOX_BACKEND", "bubblewrap")
    monkeypatch.setattr(facing, "_PATIENCE_SECONDS", 0.2)
    state = site.settings.state_dir
    monkeypatch.setenv("LEADERBOARD_PORT", "1")

    said = run(state, "doctor", "--production", code=4).stdout
    failed = {line[5:].partition(":")[0] for line in said.splitlines() if line.startswith("fail")}

    assert failed == {"address", "mail", "confinement", "backup"}
    assert "set LEADERBOARD_PUBLIC_URL=https://…" in said
    assert "warn slow senders: not tried" in said
    monkeypatch.setenv("LEADERBOARD_PUBLIC_URL", "https://grader.example.edu")
    assert "fail proxies" in run(state, "doctor", "--production", code=4).stdout
    monkeypatch.setenv("LEADERBOARD_TRUSTED_PROXIES", "1")
    monkeypatch.setenv("LEADERBOARD_SMTP_URL", "none")
    a_worker(site, sandbox="bubblewrap", sandbox_facts={"open": ""})
    run(state, "backup", str(tmp_path / "copy"))
    with listening(patient=False) as port:
        monkeypatch.setenv("LEADERBOARD_PORT", str(port))
        found = json.loads(run(state, "doctor", "--production", "--json").stdout)
    levels = {each["name"]: each["level"] for each in found}
    assert {levels[name] for name in (*failed, "proxies", "slow senders", "audit log")} == {"ok"}
    assert all(each["action"] or each["level"] == "ok" for each in found if each["name"] in failed)


@pytest.mark.parametrize(("patient", "level"), [(True, "fail"), (False, "ok")])
def test_a_server_that_waits_for_half_a_request_is_told_from_one_that_does_not(
    site: Site, patient: bool, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facing, "_PATIENCE_SECONDS", 0.2 if patient else 5.0)

    with listening(patient=patient) as port:
        found = facing.slow_senders(with_settings(site, port=port))

    assert found.level == level, found.sentence


def test_keys_that_others_can_read_are_named_with_the_command_that_mends_it(site: Site) -> None:
    key = site.settings.receipt_key_file
    key.chmod(0o644)

    found = machine.secrets(site.state)

    assert (found.level, found.action) == ("fail", f"chmod 600 {key}")
    key.chmod(0o600)
    assert machine.secrets(site.state).level == "ok"


def test_a_proxy_that_can_be_passed_by_is_a_warning(site: Site) -> None:
    behind = {"public_url": "https://grader.example.edu", "trusted_proxies": 1}
    assert facing.proxies(with_settings(site, **behind)).level == "ok"
    assert facing.proxies(with_settings(site, **behind, host="0.0.0.0")).level == "warn"


def test_development_is_no_production(site: Site) -> None:
    assert machine.environment(with_settings(site, environment="development")).level == "fail"


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({"sandbox": "unconfined"}, "fail"),
        ({"sandbox": ""}, "fail"),  # the assignment asks for code
        ({"sandbox": "bubblewrap", "sandbox_facts": {"open": "which files were read"}}, "warn"),
        ({"sandbox": "bubblewrap", "sandbox_facts": {"open": ""}}, "ok"),
    ],
)
def test_what_workers_say_of_their_walls_decides(
    site: Site, facts: dict[str, Any], level: str
) -> None:
    a_worker(site, **facts)

    assert machine.confinement(site.state).level == level


def test_hidden_images_and_shown_logs_are_told_before_an_exam(tmp_path: Path) -> None:
    folder = write_assignment(tmp_path / "exam", submission='kinds = ["code"]')
    text = (folder / "assignment.toml").read_text()
    (folder / "assignment.toml").write_text(text.replace('"public"', '"hidden"'))
    site = make_site(tmp_path, folder)

    shown = machine.run_logs(site.state)
    hidden = machine.run_logs(with_settings(site, run_logs="hidden"))

    assert (shown.level, hidden.level) == ("warn", "ok")
    assert "animals" in shown.sentence
    site.state.close()


def test_a_backup_that_is_old_or_lacked_files_is_as_good_as_none(
    site: Site, tmp_path: Path
) -> None:
    assert keeping.backup(site.state, days=2).sentence == "none was made on this machine"
    backup.make(site.state, tmp_path / "copy", progress=lambda *_: None)
    assert keeping.backup(site.state, days=2).level == "ok"

    record = site.settings.state_dir / backup.LAST_FILE
    made = json.loads(record.read_text())
    old = (utcnow() - timedelta(days=3)).isoformat()
    for wrong in ({"made_at": old}, {"bad": 1}):
        record.write_text(json.dumps(made | wrong))
        assert keeping.backup(site.state, days=2).level == "fail"
    record.write_text("{")
    found = doctor.guarded("backup", site.state, partial(keeping.backup, days=2))
    assert found.sentence.startswith("cannot be read")
