"""The console command, as operators run it; and the server that it starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from commands import eventually, run, serving
from small_site import PASSWORD, Site, bundle_zip, predictions_csv, write_assignment

from leaderboard.cli import main
from leaderboard.db import utcnow
from leaderboard.models import Submission, Worker
from leaderboard.queue import workers


def test_a_course_is_set_up_by_commands_alone(tmp_path: Path) -> None:
    state, folder = tmp_path / "state", write_assignment(tmp_path / "animals")
    roster = tmp_path / "roster.csv"
    roster.write_text("email,name\nbob@example.edu,Bob\n")

    run(state, "init")
    run(state, "create-user", "--email", "ada@example.edu", "--password", PASSWORD)
    run(state, "create-course", "dl-1", "--title", "Deep Learning")
    run(state, "enrol", "dl-1", "ada@example.edu", "--role", "instructor")
    shown = run(state, "import-roster", "dl-1", str(roster), "--dry-run")
    passwords = run(state, "import-roster", "dl-1", str(roster)).stdout
    published = run(state, "publish", str(folder), "--course", "dl-1").stdout
    token = run(state, "create-token", "ada@example.edu", "--staff").stdout
    grades = run(state, "export-grades", "dl-1", "animals").stdout
    run(state, "release", "dl-1", "animals")
    run(state, "release", "dl-1", "animals", "--undo")
    verified = run(state, "audit", "verify").stdout

    assert shown.stdout == "bob@example.edu\t\tBob\t\t\t\n"
    assert "1 new accounts, 0 known; nothing was written" in shown.stderr
    assert passwords.startswith("bob@example.edu,")
    assert published.strip() == "dl-1/animals"
    assert token.startswith("gw_")
    assert "bob@example.edu" in grades
    assert "0 broken links" in verified


def test_what_is_refused_is_said_in_a_sentence(site: Site, tmp_path: Path) -> None:
    state = site.settings.state_dir

    taken = run(state, "create-course", "dl-1", "--title", "Again", code=3)
    nobody = run(state, "enrol", "dl-1", "no@example.edu", code=3)
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    unpublished = run(state, "publish", str(wrong), "--course", "dl-1", code=3)
    uninitialised = run(tmp_path / "nowhere", "create-course", "x", "--title", "x", code=4)

    assert "already" in taken.stderr
    assert "no account" in nobody.stderr
    assert "assignment.toml" in unpublished.stderr
    assert "leaderboard init" in uninitialised.stderr


def test_publishing_says_at_once_all_that_students_would_lack(site: Site, tmp_path: Path) -> None:
    folder = write_assignment(tmp_path / "another")
    (folder / "README.md").unlink()
    for name in ("test", "sample"):
        shutil.rmtree(folder / name)

    refused = run(site.settings.state_dir, "publish", str(folder), "--course", "dl-1", code=3)

    lines = refused.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["README.md", "test", "sample"]


def test_a_broken_audit_chain_is_found_by_command(site: Site) -> None:
    site.person("ann")
    with site.state.database.write() as session:
        session.execute(sa.text("DROP TRIGGER audit_event_no_update"))
        session.execute(sa.text("UPDATE audit_event SET action = 'nothing' WHERE number = 1"))

    assert "was changed" in run(site.settings.state_dir, "audit", "verify", code=3).stderr


def test_another_machine_needs_the_servers_own_key(site: Site, tmp_path: Path) -> None:
    new = tmp_path / "machine-2"
    url = {"LEADERBOARD_DATABASE_URL": site.settings.database_url}
    arguments = ["--state", str(new), "init"]

    refused = CliRunner().invoke(main, arguments, env=url)
    assert (refused.exit_code, "receipt_key.pem" in refused.output) == (4, True)
    assert not (new / "receipt_key.pem").exists()
    shutil.copy(site.settings.receipt_key_file, new)
    assert CliRunner().invoke(main, arguments, env=url).exit_code == 0


def test_doctor_looks_at_everything_and_its_exit_code_tells(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the sandbox's own checks take their time and have their own tests
    monkeypatch.setenv("LEADERBOARD_RUNNER_ENV", str(tmp_path / "nowhere"))
    monkeypatch.setenv("LEADERBOARD_SANDBOX_BACKEND", "bubblewrap")
    site.hand_in("ann", predictions_csv(site.folder))

    found = json.loads(run(site.settings.state_dir, "doctor", "--json").stdout)
    names = [finding["name"] for finding in found]
    assert names[:10] == [
        "database",
        "files",
        "queue",
        "workers",
        "nightly rerun",
        "clock",
        "workers' clocks",
        "mail",
        "audit log",
        "disk",
    ]
    assert any(name.startswith("sandbox") for name in names)
    assert names[-2:] == ["trial: CSV", "trial: code"]
    assert found[-1]["sentence"].startswith("not tried, and no code is scored on this machine")
    assert all(finding["ok"] for finding in found if finding["required"])

    with site.state.database.reading() as session:
        pack = site.assignment(session).pack_sha256
    (site.state.blobs.folder / pack[:2] / pack[2:]).unlink()
    assert "BAD  files" in run(site.settings.state_dir, "doctor", code=4).stdout


def test_doctor_sees_a_clock_that_went_back_and_a_worker_that_fell_silent(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADERBOARD_RUNNER_ENV", str(tmp_path / "nowhere"))
    monkeypatch.setenv("LEADERBOARD_SANDBOX_BACKEND", "bubblewrap")
    monkeypatch.setenv("LEADERBOARD_SMTP_URL", "smtp://127.0.0.1:1")
    monkeypatch.setenv("LEADERBOARD_MAIL_FROM", "course@example.edu")
    monkeypatch.setenv("LEADERBOARD_PUBLIC_URL", "http://grader.example.edu")
    site.hand_in("ann", predictions_csv(site.folder))
    with site.state.database.write() as session:
        session.execute(sa.update(Submission).values(accepted_at=utcnow() + timedelta(hours=1)))
        workers.announce(
            session,
            executor_id="far:1",
            incarnation="x",
            concurrency=1,
            facts={},
            now=utcnow() - timedelta(hours=1),
        )

    said = run(site.settings.state_dir, "doctor", code=4).stdout

    assert "BAD  clock" in said
    assert "silent: far:1" in said
    assert "BAD  mail: cannot be read" in said


def test_help_is_fast_and_imports_no_server() -> None:
    code = (
        "import sys; from leaderboard.cli import main; "
        "sys.exit(bool({'flask', 'sqlalchemy', 'dbos', 'numpy', 'torch'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_neither_server_nor_worker_imports_torch() -> None:
    code = (
        "import sys; import leaderboard.web.app, leaderboard.worker, leaderboard.server; "
        "sys.exit(bool({'torch', 'pandas', 'sklearn', 'reference'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_command_says_what_it_does() -> None:
    for name, command in main.commands.items():
        assert command.help, name


@pytest.mark.alone
def test_serve_answers_scores_and_restarts_a_killed_worker(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.token('ann')}"}
    api = "/api/v1/courses/dl-1/assignments/animals"
    with (
        serving(site) as (_, address),
        httpx.Client(base_url=address, headers=headers, timeout=60) as http,
    ):
        upload = {"file": ("p.csv", predictions_csv(site.folder))}
        first = http.post(f"{api}/submissions", files=upload)
        assert first.status_code == 201
        site.wait(first.json()["id"])
        began = time.monotonic()
        second = http.post(
            f"{api}/submissions", files={"file": ("p.csv", predictions_csv(site.folder, wrong=3))}
        )
        with http.stream("GET", f"/api/v1/submissions/{second.json()['id']}/events") as events:
            reports = [
                json.loads(line.removeprefix("data: "))
                for line in events.iter_lines()
                if line.startswith("data: ")
            ]
        assert reports[-1]["verdict"] == "OK"
        assert time.monotonic() - began < 10

        pid = _worker_pid(site)
        os.kill(pid, signal.SIGKILL)
        for _ in eventually():
            if _worker_pid(site) != pid:
                break
        third = http.post(
            f"{api}/submissions", files={"file": ("p.csv", predictions_csv(site.folder, wrong=4))}
        )
        assert site.wait(third.json()["id"]).verdict == "OK"


def test_a_large_upload_that_is_refused_early_still_gets_its_answer(site: Site) -> None:
    big = b"0" * (24 << 20)
    with (
        serving(site, "--no-worker") as (_, address),
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        reply = http.post(
            "/api/v1/courses/dl-1/assignments/animals/submissions", files={"file": ("p.csv", big)}
        )
    assert reply.status_code == 401
    assert reply.json()["code"] == "sign_in_required"


def test_nothing_outlives_a_killed_server(site: Site) -> None:
    site.hand_in("ann", bundle_zip(), filename="b.zip")
    with serving(site) as (process, _):
        for _ in eventually():
            if _worker_pid(site):
                break
        children = _children(process.pid)
        assert len(children) == 2
        process.kill()
        process.wait()
        for _ in eventually():
            if not any(Path(f"/proc/{child}").exists() for child in children):
                break


def _worker_pid(site: Site) -> int:
    with site.state.database.reading() as session:
        worker = session.scalars(sa.select(Worker)).first()
        return int(worker.facts["pid"]) if worker else 0


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
