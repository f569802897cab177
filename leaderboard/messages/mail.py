"""The outbox: mails are rows until an SMTP server has taken them.

At least once, and recognisable: a worker claims a mail for some minutes, sends it and marks it. One
that dies in between leaves the claim to run out, and another sends the mail again with the same
Message-ID, by which mail systems drop the second.
"""

from __future__ import annotations

import hashlib
import logging
import smtplib
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.db import changed_rows, utcnow
from leaderboard.messages import letters
from leaderboard.models import Letter, Notice, OutgoingMail, User, guarding, leads_to_a_mailbox

if TYPE_CHECKING:
    from leaderboard.config import Settings
    from leaderboard.state import State

log = logging.getLogger(__name__)

_CLAIM: Final = timedelta(minutes=3)
_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=6)
_ATTEMPTS: Final = 14  # two days
_TIMEOUT_SECONDS: Final = 20
_NO_SERVER: Final = "no mail server is set (smtp_url)"
_PORTS: Final = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, kw_only=True)
class _Mail:
    """A claimed mail, with all that is needed to send it outside of a transaction."""

    id: int
    attempts: int
    message: EmailMessage
    has_address: bool  # of somebody without an account: it is forgotten with the mail


def post(
    session: Session,
    kind: Notice | Letter,
    *,
    dedupe_key: str,
    user: User | None = None,
    address: str | None = None,
    locale: str = "",
    details: dict[str, Any] | None = None,
    path: str = "",
) -> None:
    """Put a mail into the outbox within the caller's write transaction; one a `dedupe_key`.

    One to nobody, or to who has no address, is written and never sent: time must not tell whether
    there is an account.
    """
    if not posted(session, [dedupe_key]):
        post_new(
            session,
            kind,
            dedupe_key=dedupe_key,
            user=user,
            address=address,
            locale=locale,
            details=details,
            path=path,
        )


def post_new(
    session: Session,
    kind: Notice | Letter,
    *,
    dedupe_key: str,
    user: User | None = None,
    address: str | None = None,
    locale: str = "",
    details: dict[str, Any] | None = None,
    path: str = "",
) -> None:
    """The same for a caller that knows that no such mail was posted."""
    now = utcnow()
    is_to_nobody = not leads_to_a_mailbox(user.email if user else address or "@invalid")
    session.add(
        OutgoingMail(
            dedupe_key=dedupe_key,
            user_id=user.id if user else None,
            address=None if user else address,
            kind=kind.value,
            locale=locale or (user.locale if user else ""),
            details=details or {},
            path=path,
            created_at=now,
            due_at=now,
            gave_up_at=now if is_to_nobody else None,
        )
    )


def posted(session: Session, keys: Sequence[str]) -> set[str]:
    """Which of these mails are in the outbox, sent or not."""
    return set(
        session.scalars(sa.select(OutgoingMail.dedupe_key).where(OutgoingMail.dedupe_key.in_(keys)))
    )


def send_due(state: State, *, now: datetime | None = None) -> int:
    """Send what is due; on how many it tried. A server that is away costs a pause, no mail.

    Where no mails can be sent, what is due is given up at once.
    """
    if not state.settings.sends_mail:
        _give_up_all(state, now or utcnow())
        return 0
    tried = 0
    while mail := _claim(state, now or utcnow()):
        tried += 1
        try:
            _hand_over(state.settings, mail.message)
        except (smtplib.SMTPException, OSError) as error:
            _put_back(state, mail, error, now or utcnow())
        else:
            _mark_sent(state, mail, now or utcnow())
    return tried


def _give_up_all(state: State, now: datetime) -> None:
    due = (
        OutgoingMail.sent_at.is_(None),
        OutgoingMail.gave_up_at.is_(None),
        OutgoingMail.due_at <= now,
    )
    with state.database.reading() as session:
        if session.scalars(sa.select(OutgoingMail.id).where(*due).limit(1)).first() is None:
            return
    given_up = {"gave_up_at": now, "claimed_until": None, "address": None, "error": _NO_SERVER}
    with state.database.write() as session:
        session.execute(sa.update(OutgoingMail).where(*due).values(**given_up))


def _claim(state: State, now: datetime) -> _Mail | None:
    """Take the mail that is due first, so that no other worker does."""
    with state.database.write() as session:
        found = session.scalars(
            sa.select(OutgoingMail)
            .where(
                OutgoingMail.sent_at.is_(None),
                OutgoingMail.gave_up_at.is_(None),
                OutgoingMail.due_at <= now,
                sa.or_(OutgoingMail.claimed_until.is_(None), OutgoingMail.claimed_until < now),
            )
            .order_by(OutgoingMail.due_at, OutgoingMail.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if found is None:
            return None
        found.claimed_until = now + _CLAIM
        found.attempts += 1
        letter = letters.compose(session, state.settings, found)
        message = _message(state.settings, found, letter)
        return _Mail(
            id=found.id,
            attempts=found.attempts,
            message=message,
            has_address=found.address is not None,
        )


def _message(settings: Settings, row: OutgoingMail, letter: letters.Written) -> EmailMessage:
    message = EmailMessage()
    sender = settings.mail_from or "leaderboard@localhost"
    host = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    name = hashlib.sha256(f"{settings.base_url}\n{row.dedupe_key}".encode()).hexdigest()[:32]
    message["From"] = sender
    message["To"] = letter.address
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(row.created_at)
    message["Message-ID"] = f"<{name}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message["Content-Language"] = letter.language
    return message


def _hand_over(settings: Settings, message: EmailMessage) -> None:
    """Give a mail to the server, or show it on the terminal where there is none in development."""
    if not settings.mail_server:
        text = f"\n── mail to {message['To']} ──\n{message['Subject']}\n\n{message.get_content()}\n"
        sys.stderr.write(text)
        sys.stderr.flush()
        return
    with _connect(urlsplit(settings.mail_server)) as server:
        server.send_message(message)


def _connect(url: SplitResult) -> smtplib.SMTP:
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    server: smtplib.SMTP
    if url.scheme == "smtps":
        context = ssl.create_default_context()
        server = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=_TIMEOUT_SECONDS)
        server.ehlo()
        # a password never leaves in the clear
        if url.username or server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
    if url.username:
        server.login(unquote(url.username), unquote(url.password or ""))
    return server


def _mark_sent(state: State, mail: _Mail, now: datetime) -> None:
    _settle(state, mail, sent_at=now, claimed_until=None, address=None, error="")


def _put_back(state: State, mail: _Mail, error: Exception, now: datetime) -> None:
    reason = f"{type(error).__name__}: {_without_addresses(error)}"[:200]
    is_hopeless = isinstance(error, smtplib.SMTPNotSupportedError) or _is_refused_for_good(error)
    if is_hopeless or mail.attempts >= _ATTEMPTS:
        log.error("mail %d is given up: %s", mail.id, reason)
        _settle(state, mail, gave_up_at=now, claimed_until=None, address=None, error=reason)
        return
    pause = min(_FIRST_PAUSE * 2 ** (mail.attempts - 1), _LONGEST_PAUSE)
    log.warning("mail %d is tried again in %s: %s", mail.id, pause, reason)
    _settle(state, mail, due_at=now + pause, claimed_until=None, error=reason)


def _is_refused_for_good(error: Exception) -> bool:
    """Whether every recipient was refused with a permanent code (RFC 5321, 4.2.1)."""
    return isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        code >= 500 for code, _ in error.recipients.values()
    )


def _without_addresses(error: Exception) -> str:
    """What a server said, without whom it said it of: an outbox must not gather addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return ", ".join(str(code) for code, _ in error.recipients.values())
    return str(error)


def _settle(state: State, mail: _Mail, **values: Any) -> None:
    with state.database.write() as session:
        if mail.has_address:
            guarding.touch(session, OutgoingMail, mail.id)
        changed_rows(
            session, sa.update(OutgoingMail).where(OutgoingMail.id == mail.id).values(**values)
        )
