"""Forms sent as a browser sends them."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient
from small_site import Site
from werkzeug.test import TestResponse

from leaderboard import create_app


def app_of(site: Site) -> Flask:
    app = create_app(state=site.state)
    app.testing = True
    return app


def send(client: FlaskClient, path: str, /, *, form: str | None = None, **fields: str | list[str]):
    """Fill a page's form in, as a browser does."""
    page = client.get(form or path, follow_redirects=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None, page.text
    return client.post(path, data={**fields, "csrf_token": token[1]})


def text_of(page: TestResponse) -> str:
    """The page but for its forms' token, which names the second that it was made in."""
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page.text)


def forged(signed: str) -> str:
    """A signed text with another letter in its signature: not the last one, of which base64 leaves
    some bits unread."""
    other = "A" if signed[-2] != "A" else "B"
    return f"{signed[:-2]}{other}{signed[-1]}"
