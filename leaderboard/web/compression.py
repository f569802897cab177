"""Static files go out compressed; pages and the API's answers do not.

Whoever can make a reader's browser ask for a page that holds a secret beside words of the
attacker's choice, and sees how long the encrypted answers are, learns the secret letter by letter
where they are compressed (BREACH, https://breachattack.com, 2013). Every page here holds the token
of its forms and the reader's name, and some repeat what was searched for: they stay as they are,
and a proxy in front should leave them so. Style sheets and scripts are the same for everyone.
"""

from __future__ import annotations

import gzip
from functools import lru_cache

from flask import Flask, Response, request

_TEXTS = frozenset({"text/css", "text/javascript", "application/javascript", "image/svg+xml"})


def init_compression(app: Flask) -> None:
    """Compress what may be for whoever takes gzip."""
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    if request.endpoint != "static" or response.mimetype not in _TEXTS:
        return response
    response.vary.add("Accept-Encoding")
    if response.status_code != 200 or not request.accept_encodings["gzip"]:
        return response
    response.direct_passthrough = False
    response.set_data(_gzipped(response.get_data()))
    response.headers["Content-Encoding"] = "gzip"
    etag, _ = response.get_etag()
    if etag is not None:
        response.set_etag(etag, weak=True)  # other bytes, the same file
    return response


@lru_cache(maxsize=32)
def _gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
