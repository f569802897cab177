"""Passwords, browser sessions, API tokens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from databases import EACH_DATABASE
from small_site import PASSWORD, Site, initialised_site, write_assignment

from leaderboard.accounts import accounts
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, SignInRefused, TooManyTries
from leaderboard.models import ApiToken, LoginSession, User

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def sign_in(site: Site, password: str = PASSWORD, *, now: datetime = NOW, address: str = "") -> str:
    with site.state.database.session() as session:
        return accounts.sign_in(
            session,
            email="ann@example.edu",
            password=password,
            address=address,
            user_agent="test",
            now=now,
            lifetime=DAY,
        ).secret


def who(site: Site, secret: str, now: datetime = NOW) -> str | None:
    with site.state.database.reading() as session:
        user = accounts.user_of_session(session, secret, now)
        return user.name if user else None


@pytest.fixture(autouse=True)
def ann(site: Site) -> User:
    return site.person("ann")


def test_a_session_begins_with_a_password_and_ends_by_time_or_sign_out(site: Site) -> None:
    secret = sign_in(site)

    assert who(site, secret) == "ann"
    assert who(site, secret, NOW + DAY) is None
    assert who(site, "guess") is None
    with site.state.database.session() as session:
        accounts.sign_out(session, secret, NOW)
    assert who(site, secret) is None


def test_every_sign_in_is_a_new_session(site: Site) -> None:
    assert sign_in(site) != sign_in(site)


def test_no_secret_is_kept(site: Site) -> None:
    secret, token = sign_in(site), site.token("ann")

    with site.state.database.reading() as session:
        kept = [
            *session.scalars(sa.select(LoginSession.secret_sha256)),
            *session.scalars(sa.select(ApiToken.token_sha256)),
            *session.scalars(sa.select(User.password_hash)),
        ]
    assert not any(each in (secret, token, PASSWORD) for each in kept)
    assert kept[-1].startswith("$argon2id$")


def test_a_hash_of_weaker_parameters_is_made_anew_at_the_next_sign_in(
    site: Site, slow_hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = site.person("ann")
    assert "$m=64,t=1," in ann.password_hash
    monkeypatch.setattr(accounts, "_hasher", slow_hasher)
    sign_in(site)
    with site.state.database.reading() as session:
        assert "$m=19456,t=2,p=1$" in session.get_one(User, ann.id).password_hash
    sign_in(site)


def test_a_wrong_password_and_an_unknown_account_are_refused_alike(site: Site) -> None:
    with pytest.raises(SignInRefused) as wrong:
        sign_in(site, "wrong password")
    with site.state.database.session() as session, pytest.raises(SignInRefused) as unknown:
        accounts.check_password(session, email="no@example.edu", password="x", address="", now=NOW)

    assert wrong.value.detail == unknown.value.detail


def test_guessing_is_throttled_by_account_and_eases_with_time(site: Site) -> None:
    for _ in range(10):
        with pytest.raises(SignInRefused):
            sign_in(site, "guess")

    with pytest.raises(TooManyTries) as throttled:
        sign_in(site)  # even the right one
    assert throttled.value.retry_after is not None
    assert throttled.value.retry_after <= 15 * 60 + 1
    later = NOW + timedelta(minutes=16)
    assert who(site, sign_in(site, now=later), later) == "ann"


def test_one_address_cannot_try_every_account(site: Site) -> None:
    for number in range(100):
        with site.state.database.session() as session, pytest.raises(SignInRefused):
            accounts.check_password(
                session, email=f"u{number}@x.edu", password="x", address="10.0.0.9", now=NOW
            )

    with pytest.raises(TooManyTries):
        sign_in(site, address="10.0.0.9")
    sign_in(site, address="10.0.0.10")


def test_a_new_password_ends_every_session(site: Site, ann: User) -> None:
    secret = sign_in(site)

    with site.state.database.session() as session:
        accounts.set_password(session, session.get_one(User, ann.id), "another long one")

    assert who(site, secret) is None
    with pytest.raises(SignInRefused):
        sign_in(site)
    sign_in(site, "another long one")


def test_tokens_expire_are_revoked_and_touched(site: Site, ann: User) -> None:
    with site.state.database.session() as session:
        user = session.get_one(User, ann.id)
        issued = accounts.issue_token(session, user, name="x", now=NOW, lifetime=DAY)
        later = NOW + timedelta(hours=1)
        found = accounts.token_of(session, issued.secret, later)
        assert found is not None
        assert accounts.wants_note(found, later)
        with writing(session):
            accounts.note_uses(session, {found.id: later})
            session.refresh(found)
        assert found.last_used_at == later
        assert not accounts.wants_note(found, later + timedelta(minutes=4))
        assert accounts.token_of(session, issued.secret, NOW + DAY) is None
        assert [each.id for each in accounts.tokens(session, user, NOW)] == [issued.token.id]
        accounts.revoke_token(session, user, issued.token.id, NOW)
        assert accounts.token_of(session, issued.secret, NOW) is None
        assert accounts.tokens(session, user, NOW) == ()


@pytest.mark.parametrize(
    ("email", "password"), [("ann@example.edu", PASSWORD), ("no", PASSWORD), ("x@y", "short")]
)
def test_unfit_accounts_are_refused(site: Site, email: str, password: str) -> None:
    with site.state.database.session() as session, pytest.raises(BadRequest):
        accounts.create_user(session, email=email, name="x", password=password)


def guess(site: Site, address: str) -> bool:
    """Whether a wrong password from there was even looked at."""
    with pytest.raises(SignInRefused) as refused:
        sign_in(site, "guess", address=address)
    return not isinstance(refused.value, TooManyTries)


def test_wrong_guesses_from_elsewhere_lock_nobody_out(site: Site) -> None:
    assert [guess(site, "10.0.0.66") for _ in range(12)].count(True) == 10
    # a household's IPv6 addresses are one place
    assert [guess(site, f"2001:db8::{number}") for number in range(12)].count(True) == 10

    assert who(site, sign_in(site, address="10.0.0.7")) == "ann"
    for number in range(20):  # in the end the account itself is too much guessed at
        for _ in range(10):
            guess(site, f"10.1.0.{number}")
    with pytest.raises(TooManyTries):
        sign_in(site, address="10.0.0.7")


@pytest.mark.parametrize("kind", EACH_DATABASE)
def test_a_hundred_guesses_at_once_are_ten(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, site: Site
) -> None:
    if kind == "postgresql":
        url = request.getfixturevalue("new_database")()
        folder = write_assignment(tmp_path / "other" / "animals")
        site = initialised_site(tmp_path / "other", folder, database_url=url)
        site.person("ann")

    with ThreadPoolExecutor(20) as pool:
        looked_at = list(pool.map(lambda _: guess(site, "10.0.0.66"), range(100)))

    assert looked_at.count(True) == 10
    site.state.close()


def test_a_new_password_and_signing_out_everywhere_end_api_tokens(site: Site, ann: User) -> None:
    def lives(secret: str) -> bool:
        with site.state.database.reading() as session:
            return accounts.token_of(session, secret, utcnow()) is not None

    first, others = site.token("ann"), site.token("bob")
    with site.state.database.session() as session:
        accounts.set_password(session, session.get_one(User, ann.id), "another long one")
    second = site.token("ann")
    assert (lives(first), lives(second)) == (False, True)
    with site.state.database.session() as session:
        accounts.sign_out_everywhere(session, session.get_one(User, ann.id), utcnow())
    assert (lives(second), lives(others)) == (False, True)
