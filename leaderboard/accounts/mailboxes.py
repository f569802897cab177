"""Addresses that lead to one mailbox are one person's: `mei@…`, `Mei@…`, `mei+2@…`."""

from __future__ import annotations

from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.models import User


def user_of_person(session: Session, email: str) -> User | None:
    """The account of an address, or of another that leads to the same mailbox (`mei+2@…`)."""
    wanted = email.strip().lower()
    local, _, domain = wanted.rpartition("@")
    mailbox = local.partition("+")[0]
    if not mailbox:
        return session.scalars(sa.select(User).where(User.email == wanted)).first()
    found = session.scalars(
        sa.select(User)
        .where(
            sa.or_(
                *(
                    sa.or_(
                        User.email == f"{mailbox}@{each}",
                        sa.and_(
                            User.email.startswith(f"{mailbox}+", autoescape=True),
                            User.email.endswith(f"@{each}", autoescape=True),
                        ),
                    )
                    for each in _written(domain)
                )
            )
        )
        .order_by(User.email != wanted, User.id)
    )
    return found.first()


def _written(domain: str) -> list[str]:
    """A domain as people and as mail servers write it (IDNA).

    >>> _written("bücher.example"), _written("example.edu")
    (['bücher.example', 'xn--bcher-kva.example'], ['example.edu'])
    """
    found = {domain}
    with suppress(UnicodeError):
        found.add(domain.encode("idna").decode())
    with suppress(UnicodeError):
        found.add(domain.encode("ascii").decode("idna"))
    return sorted(found)
