"""Backup while the server works; restore on an empty machine; everything as it was promised."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import local_s3
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from databases import NEEDS_POSTGRESQL
from needs import NEEDS_SANDBOX
from small_site import (
    Site,
    bundle_zip,
    initialised_site,
    make_site,
    predictions_csv,
    write_assignment,
)

from leaderboard import receipts
from leaderboard.cli import main
from leaderboard.config import load_settings
from leaderboard.models import Evaluation, SplitScore, Submission, SubmissionStatus
from leaderboard.operations import backup, restore, verification
from leaderboard.operations.backup import BackupRefused
from leaderboard.state import State, open_state


def silent(*_: Any) -> None:
    pass


def run(state_dir: Path, *arguments: str, code: int = 0, **environment: str) -> Result:
    result = CliRunner().invoke(
        main, ["--state", str(state_dir), *arguments], env={**os.environ, **environment}
    )
    assert result.exit_code == code, result.output
    return result


def facts_of(state: State) -> dict[str, Any]:
    """What a backup must bring back, in the database's own figures."""
    with state.database.reading() as session:
        return {
            "submissions": session.execute(
                sa.select(Submission.public_id, Submission.content_sha256, Submission.verdict)
                .where(Submission.status == SubmissionStatus.FINISHED)
                .order_by(Submission.public_id)
            ).all(),
            "scores": session.execute(
                sa.select(
                    SplitScore.evaluation_id,
                    SplitScore.split,
                    SplitScore.primary,
                    SplitScore.accuracy,
                    SplitScore.macro_f1,
                ).order_by(SplitScore.id)
            ).all(),
        }


def receipts_of(state: State) -> dict[str, dict[str, Any]]:
    with state.database.reading() as session:
        rows = session.execute(sa.select(Submission.public_id, Submission.receipt)).all()
    return dict(map(tuple, rows))


class Load:
    """Students who hand in, and a worker that scores, until they are stopped."""

    def __init__(self, site: Site) -> None:
        self.site, self.stop = site, threading.Event()
        self.handed_in: list[str] = []
        self.failures: list[BaseException] = []
        for name in ("ann", "bob"):
            site.person(name)
        self.threads = [
            threading.Thread(target=self._hand_in, args=(name, seed))
            for seed, name in enumerate(("ann", "bob"))
        ]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert self.failures == []

    def _hand_in(self, name: str, seed: int) -> None:
        number = 0
        try:
            while not self.stop.is_set() or number < 3:
                number += 1
                content = predictions_csv(self.site.folder, wrong=number % 60, seed=seed)
                public_id = self.site.hand_in(name, content)
                self.handed_in.append(public_id)
                if number % 3:  # the others wait for their worker
                    self.site.score(public_id)
        except BaseException as error:
            self.failures.append(error)


def check_restored(state: State, before: dict[str, Any], promised: dict[str, Any]) -> None:
    """What was there before the backup is there; all that is there verifies and scores the same."""
    after = facts_of(state)
    assert set(before["submissions"]) <= set(after["submissions"])
    assert set(before["scores"]) <= set(after["scores"])
    now = receipts_of(state)
    for public_id, receipt in promised.items():
        assert now[public_id] == receipt
        assert receipts.verify(receipt, state.receipts.public_key)
    found = verification.verify(state, progress=silent)
    assert found.differences == ()
    assert found.receipts == len(now)
    assert found.scores >= len(before["scores"]) / 2 > 0


def finish_what_waits(state: State, site: Site) -> None:
    """A worker on the new machine ends what was on its way."""
    restored = Site(state=state, course=site.course, folder=site.folder)
    with state.database.reading() as session:
        waiting = session.scalars(
            sa.select(Submission.public_id).where(Submission.status == SubmissionStatus.QUEUED)
        ).all()
    assert waiting
    environment = {"LEADERBOARD_DATABASE_URL": state.settings.database_url}
    with restored.worker(name="new-machine", **environment):
        for public_id in waiting:
            assert restored.wait(public_id).verdict == "OK"


def back_up_under_load(site: Site, dest: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was there before a backup that is made while students hand in and work is running."""
    for wrong in range(4):
        site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=wrong)))
    running = site.hand_in("ann", predictions_csv(site.folder, wrong=9))
    with site.state.database.write() as session:  # a worker has it, and will never come back
        session.execute(
            sa.update(Submission)
            .where(Submission.public_id == running)
            .values(status=SubmissionStatus.RUNNING, claimed_by="gone", phase="checking")
        )
    before, promised = facts_of(site.state), receipts_of(site.state)
    with Load(site) as load:
        backup.make(site.state, dest, progress=silent)
    assert len(load.handed_in) >= 6
    return before, promised


def test_a_backup_under_load_comes_back_on_an_empty_machine(site: Site, tmp_path: Path) -> None:
    before, promised = back_up_under_load(site, tmp_path / "backup")

    done = restore.restore(tmp_path / "backup", tmp_path / "new", {}, progress=silent)

    assert done.requeued >= 1
    state = open_state(done.settings)
    check_restored(state, before, promised)
    finish_what_waits(state, site)
    state.close()
    assert "0 broken links" in run(tmp_path / "new", "audit", "verify").stdout
    assert "0 differ" in run(tmp_path / "new", "verify").stdout


@NEEDS_POSTGRESQL
def test_the_same_on_postgresql_and_an_object_store(
    tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    site = initialised_site(
        tmp_path, write_assignment(tmp_path / "animals"), database_url=new_database()
    )
    before, promised = back_up_under_load(site, tmp_path / "backup")
    site.state.close()

    with local_s3.running() as server:
        environment = {
            "LEADERBOARD_DATABASE_URL": new_database(),
            "LEADERBOARD_BLOBS_URL": server.bucket("restored"),
        }
        done = restore.restore(tmp_path / "backup", tmp_path / "new", environment, progress=silent)
        state = open_state(done.settings)
        check_restored(state, before, promised)
        monkeypatch.setenv("LEADERBOARD_BLOBS_URL", environment["LEADERBOARD_BLOBS_URL"])
        finish_what_waits(state, site)
        state.close()


def test_a_restore_replaces_nothing(site: Site, tmp_path: Path) -> None:
    state = site.settings.state_dir
    run(state, "backup", str(tmp_path / "b"))

    assert "not empty" in run(state, "backup", str(tmp_path / "b"), code=3).stderr
    assert "never replaces" in run(state, "restore", str(tmp_path / "b"), code=3).stderr
    fresh = tmp_path / "fresh"
    other = f"sqlite:///{state / 'leaderboard.sqlite3'}"
    taken = run(
        fresh, "restore", str(tmp_path / "b"), code=3, LEADERBOARD_DATABASE_URL=other
    ).stderr
    assert "database is not empty" in taken


def test_a_backup_that_was_changed_or_cut_off_is_refused(site: Site, tmp_path: Path) -> None:
    site.hand_in("ann", predictions_csv(site.folder))
    made = tmp_path / "b"
    backup.make(site.state, made, progress=silent)

    blob = next(path for path in (made / "blobs").glob("??/*"))
    content = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(content + b"!")
    with pytest.raises(BackupRefused, match="damaged"):
        restore.restore(made, tmp_path / "one", {}, progress=silent)
    blob.unlink()
    with pytest.raises(BackupRefused, match="of its"):
        restore.restore(made, tmp_path / "two", {}, progress=silent)
    with (made / "database.sqlite3").open("ab") as file:
        file.write(b"!")
    with pytest.raises(BackupRefused, match="changed since"):
        restore.restore(made, tmp_path / "three", {}, progress=silent)
    (made / "manifest.json").unlink()
    with pytest.raises(BackupRefused, match="cut off"):
        restore.restore(made, tmp_path / "four", {}, progress=silent)
    # nothing that could be started was left by any of them
    assert not any((tmp_path / name / "leaderboard.sqlite3").exists() for name in ("one", "two"))


def test_a_manifest_is_signed_and_a_restore_says_by_whom_and_what_it_would_run(
    site: Site, tmp_path: Path
) -> None:
    with (site.settings.state_dir / "settings.env").open("a") as file:
        file.write("LEADERBOARD_NIGHTLY_COMMAND=/bin/evil --now\nLEADERBOARD_PORT=8123\n")
    made = backup.make(site.state, tmp_path / "b", progress=silent)

    said = run(tmp_path / "new", "restore", str(tmp_path / "b")).stderr

    assert made.key_id == site.state.receipts.key_id
    assert f"Signed by the server with key {made.key_id}" in said
    assert "LEADERBOARD_NIGHTLY_COMMAND=/bin/evil --now" in said
    assert "LEADERBOARD_PORT" not in said  # of the settings, what it would run


def test_settings_that_were_laid_beside_a_signed_backup_are_not_taken(
    site: Site, tmp_path: Path
) -> None:
    settings = site.settings.state_dir / "settings.env"
    settings.rename(tmp_path / "kept")  # those of a server may come from its environment alone
    backup.make(site.state, tmp_path / "b", progress=silent)
    (tmp_path / "b" / "settings.env").write_text("LEADERBOARD_NIGHTLY_COMMAND=/bin/evil\n")

    with pytest.raises(BackupRefused, match=r"settings\.env was added"):
        restore.restore(tmp_path / "b", tmp_path / "new", {}, progress=silent)

    assert not (tmp_path / "new").exists()
    (tmp_path / "kept").rename(settings)


def test_a_manifest_that_was_written_anew_is_refused(site: Site, tmp_path: Path) -> None:
    backup.make(site.state, tmp_path / "b", progress=silent)
    path = tmp_path / "b" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["blobs"] += 1
    path.write_text(json.dumps(manifest))

    with pytest.raises(BackupRefused, match="not signed by the key of its backup"):
        restore.restore(tmp_path / "b", tmp_path / "new", {}, progress=silent)


def test_a_manifest_whose_signature_was_taken_off_is_refused_unless_one_insists(
    site: Site, tmp_path: Path
) -> None:
    backup.make(site.state, tmp_path / "b", progress=silent)
    path = tmp_path / "b" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "signature": "", "key_id": ""}))

    said = run(tmp_path / "new", "restore", str(tmp_path / "b"), code=3).stderr

    assert "somebody took the signature off" in said
    assert "--unsigned" in said
    assert not (tmp_path / "new").exists()
    taken = run(tmp_path / "new", "restore", "--unsigned", str(tmp_path / "b")).stderr
    assert "Not signed" in taken


def test_a_backup_is_for_its_owner_only_and_says_what_the_store_had_lost(
    site: Site, tmp_path: Path
) -> None:
    lost = site.submission(site.hand_in("ann", predictions_csv(site.folder))).content_sha256
    site.state.blobs.remove(lost, min_age_seconds=0)
    made = tmp_path / "b"

    said = run(site.settings.state_dir, "backup", str(made), code=4)

    assert lost in said.stderr
    assert json.loads((made / "manifest.json").read_text())["bad"] == [lost]
    assert made.stat().st_mode & 0o077 == 0
    assert (made / "receipt_key.pem").stat().st_mode & 0o077 == 0
    run(tmp_path / "new", "restore", str(made))


def test_a_restore_keeps_settings_but_not_the_places_of_the_old_machine(
    tmp_path: Path,
) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    with (site.settings.state_dir / "settings.env").open("a") as file:
        file.write(f"LEADERBOARD_PORT=8123\nLEADERBOARD_BLOBS_URL={site.settings.blobs_url}\n")
    backup.make(site.state, tmp_path / "b", progress=silent)
    site.state.close()

    restore.restore(tmp_path / "b", tmp_path / "new", {}, progress=silent)

    settings = load_settings(tmp_path / "new", {})
    assert (settings.port, settings.secret_key) == (8123, site.settings.secret_key)
    assert settings.blobs_url == (tmp_path / "new" / "blobs").as_uri()


def test_verify_finds_a_score_that_was_changed(site: Site) -> None:
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=5)))
    assert "0 differ" in run(site.settings.state_dir, "verify").stdout
    with site.state.database.write() as session:
        session.execute(sa.text("DROP TRIGGER split_score_no_update"))
        session.execute(sa.update(SplitScore).values(primary=1.0))

    assert "ranking score" in run(site.settings.state_dir, "verify", code=3).stderr


def test_verify_scores_old_versions_with_their_own_answers(site: Site) -> None:
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=5)))
    path = site.folder / "answers.csv"
    lines = path.read_text().splitlines()
    name, label = lines[1].split(",")
    lines[1] = f"{name},{(int(label) + 1) % 4}"
    path.write_text("\n".join(lines) + "\n")
    site.publish(site.folder)
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=5)))

    found = verification.verify(site.state, progress=silent)

    assert found.differences == ()
    with site.state.database.reading() as session:
        assert len(set(session.scalars(sa.select(Evaluation.answers_sha256)))) == 2


@NEEDS_SANDBOX
def test_code_that_runs_while_the_backup_is_made_runs_again_elsewhere(
    site: Site, tmp_path: Path
) -> None:
    with site.worker(name="old-machine") as worker:
        public_id = site.hand_in("ann", bundle_zip(pause=1), filename="bundle.zip")
        site.wait_for(public_id, lambda found: found.status is SubmissionStatus.RUNNING)
        backup.make(site.state, tmp_path / "b", progress=silent)
        worker.kill()
        worker.wait()

    done = restore.restore(tmp_path / "b", tmp_path / "new", {}, progress=silent)

    assert done.requeued == 1
    state = open_state(done.settings)
    finish_what_waits(state, site)
    with state.database.reading() as session:
        assert session.scalars(sa.select(Evaluation.verdict)).all() == ["OK"]
    state.close()
