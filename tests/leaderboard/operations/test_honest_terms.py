"""Whatever people and staff do in a term, `leaderboard verify` accuses nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import NEEDS_POSTGRESQL
from honest_terms import Term
from small_site import Site, initialised_site, make_site, predictions_csv, write_assignment
from tampering import differences

from leaderboard import audit, migrations
from leaderboard.assignments import release
from leaderboard.models import AuditEvent
from leaderboard.operations.installation import initialise
from leaderboard.state import open_state


def term(site: Site, tmp_path: Path, seed: int, steps: int) -> Term:
    """A term of so many steps, at whose end everything is looked at."""
    (tmp_path / "scratch").mkdir()
    made = Term(site, seed, tmp_path / "scratch")
    made.go(steps)
    assert differences(made.site) == (), made.done
    with made.site.state.database.reading() as session:
        assert audit.verify(session, made.site.state.receipts.public_key)[1] == ()
    made.site.state.close()
    return made


@pytest.mark.parametrize("seed", range(2))
def test_an_honest_term_is_accused_of_nothing(tmp_path: Path, seed: int) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))

    made = term(site, tmp_path, seed, 60)

    assert len(made.done) > 12


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_honest_terms_are_accused_of_nothing(tmp_path: Path, seed: int) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))

    made = term(site, tmp_path, seed, 300)

    assert len(made.done) > 20


@NEEDS_POSTGRESQL
def test_an_honest_term_is_accused_of_nothing_on_postgresql(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    folder = write_assignment(tmp_path / "animals")
    site = initialised_site(tmp_path, folder, database_url=new_database())

    term(site, tmp_path, 7, 40)


def test_what_the_first_release_wrote_is_sealed_and_accused_of_nothing(tmp_path: Path) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    for name, wrong in (("ann", 3), ("bob", 9), ("ann", 20)):
        site.score(site.hand_in(name, predictions_csv(site.folder, wrong=wrong)))
    site.token("ann")
    with site.state.database.session() as session:
        release.release(session, site.assignment(session), actor=None)
    settings = site.state.settings
    as_the_first_release(site)
    site.state.close()

    initialise(settings.state_dir, {})

    site.state = open_state(settings)
    assert differences(site) == ()
    site.state.close()


def as_the_first_release(site: Site) -> None:
    """The tables of 0001, and an audit log that holds no hashes of rows."""
    migrations.downgrade(site.state.database, "0001")
    of_events = "FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_event'"
    with site.state.database.write() as session:
        triggers = session.execute(sa.text(f"SELECT name, sql {of_events}")).all()
        for trigger in triggers:
            session.execute(sa.text(f"DROP TRIGGER {trigger.name}"))
        previous: dict[int, str] = {}
        events = sa.select(AuditEvent).order_by(AuditEvent.chain, AuditEvent.number)
        for event in session.scalars(events).all():
            event.details = {key: told for key, told in event.details.items() if key != audit.ROWS}
            event.previous_hash = previous.get(event.chain, "0" * 64)
            event.hash = previous[event.chain] = audit._hash(event)
        session.flush()
        for trigger in triggers:
            session.execute(sa.text(trigger.sql))
