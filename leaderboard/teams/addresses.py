"""A user's own e-mail address, changed by a link that is mailed to the new one. No Flask here.

Nothing is kept until the link is followed (then the old address is: class lists may still have
it), and nobody learns whether the new address belongs to an
account: whoever reads its mail is told, and nobody else.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import accounts, former_addresses, mailboxes, throttle
from leaderboard.accounts.links import Links
from leaderboard.accounts.throttle import Key
from leaderboard.db import writing
from leaderboard.errors import BadRequest, LinkInvalid
from leaderboard.messages import mail
from leaderboard.models import Letter, User

_TAKEN = said("account.link_too_old")


def ask(
    session: Session,
    user: User,
    *,
    email: str,
    password: str,
    address: str,
    locale: str,
    now: datetime,
) -> str:
    """Mail a link to the address that the user wants to have; the address as it would be kept.

    Opens its own write transactions. The same happens whether or not it belongs to an account,
    whose owner is told in place of the link.

    Args:
        address: of the user on the network, for throttling.

    Raises:
        SignInRefused: the password is wrong.
        TooManyTries: it was tried too often.
        BadRequest: the address is malformed.
        TooManyRequests: mails were asked for too often.
    """
    accounts.check_password(session, email=user.email, password=password, address=address, now=now)
    email = accounts.email_address(email)
    if email == user.email:
        raise BadRequest(said("account.own_address"))
    keys = [
        Key(rule=throttle.NEW_ADDRESS_ACCOUNT, who=str(user.id)),
        Key(rule=throttle.SIGN_UP_EMAIL, who=email),
    ]
    with writing(session):
        throttle.take(session, keys, now)
        owner = accounts.user_of_email(session, email)
        mail.post(
            session,
            Letter.ADDRESS_TAKEN if owner else Letter.NEW_ADDRESS,
            dedupe_key=f"new-address:{user.id}:{now.timestamp()}",
            user=owner,
            address=email,
            locale="" if owner else locale,
            details={"user": user.id},
        )
    return email


def change(session: Session, links: Links, user: User, secret: str, now: datetime) -> None:
    """Give the user the address that a link proves, and end every session of theirs.

    The old address is told. API tokens go on: they were made by the same person, are listed and
    can be revoked one by one. Opens its own write transaction.

    Raises:
        LinkInvalid: it is none; also where the address has become another account's meanwhile.
    """
    email = links.address(user, secret)
    old = user.email
    try:
        with writing(session):
            if mailboxes.user_of_person(session, email) not in (None, user):
                raise LinkInvalid(_TAKEN)
            former_addresses.take(session, email)
            former_addresses.leave(session, user, now)
            user.email, user.email_verified_at = email, now
            accounts.end_sessions(session, user, now)
            audit.record(session, action="user.email", subject=f"user:{user.id}", actor=user)
            mail.post(
                session,
                Letter.ADDRESS_CHANGED,
                dedupe_key=f"address-changed:{user.id}:{now.timestamp()}",
                address=old,
                locale=user.locale,
            )
    except IntegrityError:  # two at once on PostgreSQL: the schema lets one have it
        raise LinkInvalid(_TAKEN) from None
