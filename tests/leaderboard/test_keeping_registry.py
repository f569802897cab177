"""What becomes of each table's rows is said once, beside its model; whoever acts on it reads that.

A new model without an entry cannot even be imported with the server: `keeping.registry` says how.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_site import Site, predictions_csv

from leaderboard.db import UtcDateTime, utcnow
from leaderboard.models import Attempt, LiveLog, Submission, Team, User
from leaderboard.models.keeping import Erasure, Keeping, models_where, name_of, registry
from leaderboard.operations import backup, privacy, retention, snapshots, verification

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "deploy" / "README.md"
# hashes that name no file of the store, or one that another column answers for
NO_FILES = {
    "agent.token_sha256",
    "agent_run.folder_sha256",  # of the assignment, whose file it is
    "agent_run.lease_sha256",
    "api_token.token_sha256",
    "assignment.answers_sha256",
    "assignment.images_sha256",
    "assignment.measure_sha256",
    "attempt.key_sha256",
    "case_entry.text_sha256",
    "evaluation.answers_sha256",
    "evaluation.content_sha256",
    "evaluation.images_sha256",
    "evaluation.labels_sha256",
    "evaluation.measure_sha256",
    "heat_maps.images_sha256",
    "login_session.secret_sha256",
    "upload.content_sha256",
    "user_account.code_sha256",
}


def test_a_model_without_an_entry_is_refused_with_what_it_must_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(Team, "keeping")

    with pytest.raises(TypeError, match=r"Team does not say .* `keeping = Keeping\(audited="):
        registry()


def test_what_is_a_persons_is_shown_to_them_and_goes_with_them() -> None:
    for model, keeping in registry().items():
        of_a_person = "user_id" in model.__table__.columns
        if of_a_person and not model.__table__.columns["user_id"].nullable:
            assert keeping.told_as, name_of(model)
        if of_a_person:
            assert keeping.erasure is not Erasure.NONE, name_of(model)
        if keeping.erasure is Erasure.DELETED:
            assert of_a_person, name_of(model)


def test_a_persons_record_has_the_parts_that_the_models_name(site: Site) -> None:
    ann = site.person("ann")
    with site.state.database.reading() as session:
        record = privacy.record_of(session, session.get_one(User, ann.id))

    assert set(record) == {keeping.told_as for keeping in registry().values()} - {""}


def test_an_erasure_leaves_no_row_of_the_tables_that_name_it(site: Site) -> None:
    ann = site.person("ann")
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=4)))
    site.token("ann")
    before = _rows_of(site, ann.id)

    with site.state.database.session() as session:
        privacy.erase(session, site.state, session.get_one(User, ann.id))

    assert {"api_token", "enrolment", "notification", "team_member"} <= set(before)
    assert _rows_of(site, ann.id) == []


def _rows_of(site: Site, user_id: int) -> list[str]:
    """The tables to be emptied of a person that hold a row of theirs."""
    with site.state.database.reading() as session:
        return [
            name_of(model)
            for model in models_where(lambda keeping: keeping.erasure is Erasure.DELETED)
            if session.execute(
                sa.select(sa.literal(1)).where(model.__table__.c.user_id == user_id)
            ).first()
        ]


def test_rows_are_forgotten_by_moments_that_they_have(site: Site) -> None:
    for model in models_where(lambda keeping: keeping.forgotten):
        forgotten = registry()[model].forgotten
        assert forgotten is not None
        assert forgotten.lifetime > timedelta(0)
        for name in forgotten.after:
            assert isinstance(model.__table__.columns[name].type, UtcDateTime), name_of(model)
    now = utcnow()
    with site.state.database.write() as session:
        session.add(Attempt(key_sha256="a" * 64, at=now - timedelta(minutes=61)))
        session.add(Attempt(key_sha256="b" * 64, at=now - timedelta(minutes=59)))

    with site.state.database.write() as session:
        retention.forget(session, now)

    with site.state.database.reading() as session:
        assert session.scalars(sa.select(Attempt.key_sha256)).all() == ["b" * 64]


def test_each_hash_of_a_table_names_a_file_that_is_kept_or_is_known_not_to() -> None:
    hashes = {
        f"{name_of(model)}.{column.name}"
        for model in registry()
        for column in model.__table__.columns
        if column.name.endswith("_sha256")
    }
    kept = {
        f"{name_of(model)}.{name}"
        for model, keeping in registry().items()
        for name in keeping.files
    }

    assert kept <= hashes
    assert hashes - kept == NO_FILES


def test_verify_takes_the_steps_that_the_models_name(site: Site) -> None:
    taken: set[str] = set()
    verification.verify(site.state, progress=lambda name, *_: taken.add(name))

    assert taken == {keeping.verified for keeping in registry().values()} - {""} | {"files", "rows"}


def test_a_backup_holds_all_but_what_is_of_use_for_the_moment(site: Site, tmp_path: Path) -> None:
    site.hand_in("ann", predictions_csv(site.folder))
    with site.state.database.write() as session:
        session.add(Attempt(key_sha256="a" * 64, at=utcnow()))
        session.add(
            LiveLog(submission_id=session.scalars(sa.select(Submission.id)).one(), text="x")
        )

    made = backup.make(site.state, tmp_path / "copy", progress=lambda *_: None)

    with snapshots.opened(tmp_path / "copy" / snapshots.FILE_NAME) as copy:
        for model, keeping in registry().items():
            table = name_of(model)
            there = copy.execute(sa.select(sa.func.count()).select_from(model)).scalar_one()
            with site.state.database.reading() as session:
                here = session.scalar(sa.select(sa.func.count()).select_from(model))
            assert there == made.rows[table] == (here if keeping.backed_up else 0), table
    assert {name_of(model) for model in models_where(lambda each: not each.backed_up)} == {
        "agent_run",
        "attempt",
        "heat_maps",
        "live_log",
        "upload",
    }


def test_the_models_name_every_word_of_the_audit_log() -> None:
    words = {word for keeping in registry().values() for word in keeping.audited}

    assert set(_first_words_of_actions()) == words


def _first_words_of_actions() -> Iterator[str]:
    """Of all that is recorded: `action=`, or what a module's own function is given for it."""
    for path in (ROOT / "leaderboard").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "audit.record(" not in source:
            continue
        for call in ast.walk(ast.parse(source)):
            if not isinstance(call, ast.Call):
                continue
            said = [each.value for each in call.keywords if each.arg == "action"]
            if isinstance(call.func, ast.Name) and call.func.id.startswith("_"):
                said += call.args[1:2]
            for value in said:
                first = value.values[0] if isinstance(value, ast.JoinedStr) else value
                found = re.match(r"([a-z]+)\.", str(getattr(first, "value", "")))
                if found:
                    yield found[1]


def test_the_guide_for_operators_shows_what_becomes_of_every_table() -> None:
    guide = GUIDE.read_text(encoding="utf-8")

    for line in overview():
        assert f"{line}\n" in guide, f"deploy/README.md must hold:\n{chr(10).join(overview())}"


def overview() -> list[str]:
    """The table of deploy/README.md."""
    head = ("table", "audit log", "`verify`", "a person's record", "erasure", "forgotten", "backup")
    rows = [_row(name_of(model), keeping) for model, keeping in registry().items()]
    return [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]


def _row(name: str, keeping: Keeping) -> tuple[str, ...]:
    steps = [keeping.verified] * bool(keeping.verified) + ["files"] * bool(keeping.files)
    steps += ["rows"] * bool(keeping.guarded)
    forgotten = keeping.forgotten
    cells = (
        ", ".join(f"{word}.*" for word in keeping.audited),
        ", ".join(steps),
        keeping.told_as,
        "" if keeping.erasure is Erasure.NONE else keeping.erasure.value,
        f"{_words(forgotten.lifetime)} after {', '.join(forgotten.after)}" if forgotten else "",
        "yes" if keeping.backed_up else "no",
    )
    name = f"`{name}`" + (" (append-only)" if keeping.append_only else "")
    return (name, *(cell or "–" for cell in cells))


def _words(lifetime: timedelta) -> str:
    return f"{lifetime.days} d" if lifetime.days else f"{lifetime.seconds // 3600} h"
