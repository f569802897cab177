"""Signatures that grow old, by the clock that all machines share.

What one machine stamps another reads: a link in a mail, a form, a cookie. By two machines' own
clocks, what was stamped by the one that is ahead would be from the future to the other, and refused
until that is the present.
"""

from __future__ import annotations

from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from leaderboard.db import utcnow


class SharedTimeSigner(TimestampSigner):
    """Stamps with the database's time."""

    def get_timestamp(self) -> int:
        return int(utcnow().timestamp())


def timed(secret_key: str, *, salt: str) -> URLSafeTimedSerializer:
    """Signs and reads values that are good for a while."""
    return URLSafeTimedSerializer(secret_key, salt=salt, signer=SharedTimeSigner)


def use_shared_time() -> None:
    """Have cookies (Flask) and forms (Flask-WTF) stamped so too: both take the default signer and
    let nobody choose another."""
    URLSafeTimedSerializer.default_signer = SharedTimeSigner
