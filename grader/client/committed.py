"""Handing in a large file: hash and size first, which fixes the moment that counts, then its parts.

A line that breaks off, or a server that is away, costs what of one part was on its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from grader.client.transport import Progress, Transport
from grader.errors import ApiError, NetworkError

PART_BYTES: Final = 4 * 2**20
_UNKNOWN: Final = (404, 405)
_CLOSED: Final = 409
_PASSING: Final = (409, 429, 502, 503, 504)
_PAUSES_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)


def send(
    transport: Transport,
    uploads: str,
    file: Path,
    wanted: Mapping[str, str | int],
    *,
    key: str,
    on_committed: Callable[[], None] | None,
    on_progress: Progress | None,
) -> Any:
    """The JSON of the submission; None where the server knows no such way, or lost its place.

    uploads: the route to commit at. wanted: the hash, the size and what comes with the file.

    Raises:
        ApiError: the server refuses the file.
        NetworkError: the server stayed away.
    """
    try:
        made = transport.json("POST", uploads, body=wanted, repeatable=True, key=key)
    except ApiError as error:
        if error.status in _UNKNOWN:
            return None
        raise
    if on_committed:
        on_committed()
    path, pauses = f"/uploads/{made['id']}", iter(_PAUSES_SECONDS)
    while True:
        try:
            at = made["received"]
            reply = transport.send_part(path, file, at, PART_BYTES, on_progress=on_progress)
            if "received" not in reply:
                return reply
            made, pauses = reply, iter(_PAUSES_SECONDS)
        except (NetworkError, ApiError) as error:
            pause = next(pauses, None) if _is_passing(error) else None
            if pause is None:
                raise
            time.sleep(pause)
            found = _where(transport, path)
            if found is None:
                return None
            made = found


def _is_passing(error: NetworkError | ApiError) -> bool:
    """Whether the same may succeed later, from where the server is then."""
    return isinstance(error, NetworkError) or error.status in _PASSING


def _where(transport: Transport, path: str) -> Any:
    """The upload as it stands; None where it is closed: its submission is found by its key."""
    try:
        return transport.json("GET", path)
    except ApiError as error:
        if error.status == _CLOSED:
            return None
        raise
