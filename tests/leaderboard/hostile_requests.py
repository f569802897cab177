"""Requests that no browser sends, drawn by a seed: every route, every place that a value stands in.

    python tests/leaderboard/hostile_requests.py --count 50000

Paths, queries, forms, JSON, multipart names, file names, headers and cookies, as nobody, as a
student and as staff, with and without the flood limits. No answer may be a failure of the server.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import random
import re
import resource
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import private_postgres
import psycopg
from every_route import leave_traces, requests_of
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from small_site import Site, bundle_zip, initialised_site, predictions_csv, write_assignment
from werkzeug.test import EnvironBuilder, run_wsgi_app

import leaderboard
from leaderboard import create_app
from leaderboard.accounts import accounts
from leaderboard.db import utcnow
from leaderboard.models import Role, User

UNLIMITED = {"api_requests_per_minute": str(1 << 20), "uploads_per_minute": str(1 << 20)}
LIMITED = {"api_requests_per_minute": "30", "uploads_per_minute": "1"}
WHO = ("anonymous", "mate", "instructor")
_RENEWED_AFTER = 150  # requests: one of them may have been to sign out everywhere

Draw = random.Random

_SOURCES = "\n".join(
    path.read_text() for path in Path(leaderboard.__file__).parent.rglob("*.py") if path.is_file()
)
QUERY_NAMES = sorted(set(re.findall(r"""args(?:\.get|\.getlist)?[(\[]["'](\w+)""", _SOURCES)))
FORM_NAMES = sorted(
    {*re.findall(r"""form(?:\.get|\.getlist)?[(\[]["'](\w+)""", _SOURCES), "csrf_token", "file"}
)
JSON_NAMES = sorted(
    {*re.findall(r"""(?:fields|body\(\))(?:\.get\(|, |\[)["'](\w+)""", _SOURCES), "sha256", "size"}
)
HEADER_NAMES = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Type", "Cookie"),
    *("Host", "Idempotency-Key", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range"),
    *("Last-Event-ID", "Origin", "Range", "Content-Range", "Referer", "User-Agent"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Requested-With", "Transfer-Encoding"),
)
_TEXTS = (
    *("", " ", "0", "-1", "1", "9" * 10, "9" * 19, "9" * 30, "9" * 5000, "1e999", "NaN", "0x1"),
    *(
        "\x00",
        "a\x00b",
        "\n",
        "a\r\nSet-Cookie: x=1",
        "\t",
        "\x7f",
        "\u202e",
        "\u200b" * 9,
        "\ufeff",
    ),
    *("\ud800", "a\udfffb", "\U0010ffff", "\u0661", "\u00b2", "é" * 400, "x" * 70_000, "a/b", ".."),
    *("//evil.example", "/\n/evil", "////evil", "/\\evil", "https:evil", "%00", "%", "%zz", "{}"),
    *("' OR 1=1", "{{7*7}}", "<script>", "=cmd|x", "null", "true", "[]", "a,b", "ann@example.edu"),
    *("2026-01-01", "2026-13-99T99:99", "0000-00-00T00:00", "9999-12-31T23:59", "-0001-01-01"),
    *("next", "public", "private", "student", "s_0123456789", "xn--a", "a" * 300 + "@b.example"),
)


def resident_mb() -> float:
    """What this process holds in memory now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def text(draw: Draw) -> str:
    """A value as nobody types it, or as somebody does."""
    found = draw.choice(_TEXTS)
    return found + draw.choice(_TEXTS) if draw.random() < 0.1 else found


def raw(value: str) -> bytes:
    """UTF-8, lone surrogates and all."""
    return value.encode("utf-8", "surrogatepass")


@dataclass(kw_only=True)
class Sent:
    """One request, byte by byte."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""


def _pairs(draw: Draw, names: Iterable[str]) -> str:
    chosen = [name for name in names if draw.random() < 0.25] + draw.choices(["x", text(draw)])
    return "&".join(f"{quote(raw(name))}={quote(raw(text(draw)))}" for name in chosen)


def _json(draw: Draw) -> bytes:
    """A body: an object with the members that the API reads, or what is no object at all."""
    if draw.random() < 0.35:
        depth = draw.choice([50, 5_000, 200_000])
        wild = ["[" * depth, '{"a":' * depth, "[" * depth + "]" * depth, "9" * 50_000, "1e999"]
        wild += ['"\\ud800"', "NaN", "-Infinity", "\ufeff{}", '{"a": 1', "null", "[]", '{"": ""}']
        return draw.choice(wild).encode()
    values: list[Any] = [None, True, -1, 10**30, 1e308, float("inf"), [], {}, [[]], [text(draw)]]
    members = {
        name: draw.choice([text(draw), draw.choice(values)])
        for name in JSON_NAMES
        if draw.random() < 0.5
    }
    return json.dumps(members).encode()


def _multipart(draw: Draw, files: Callable[[Draw], bytes]) -> tuple[bytes, str]:
    """A form with a file in it; names, file names and headers may hold anything but the end."""
    body = b""
    for name in draw.choices([*FORM_NAMES, "file", "file", "message", text(draw)], k=4):
        shown = raw(name).replace(b"\r", b"").replace(b"\n", b"").replace(b'"', b"%22")
        body += b'--BB\r\nContent-Disposition: form-data; name="' + shown + b'"'
        if name == "file" or draw.random() < 0.1:
            called = draw.choice([text(draw), "p.csv", "b.zip", "b.tar.gz"])
            body += b'; filename="' + raw(called).replace(b"\r\n", b"") + b'"\r\n'
            body += b"Content-Type: " + raw(draw.choice(["text/csv", "x", text(draw)]))
            body += b"\r\n\r\n" + files(draw) + b"\r\n"
        else:
            body += b"\r\n\r\n" + raw(text(draw)) + b"\r\n"
    boundary = draw.choice(["BB", "BB", "BB", "", "CC", '"BB"', "B" * 5000])
    end = draw.choice([b"--BB--\r\n", b"--BB--\r\n", b"", b"--BB"])
    return body + end, f"multipart/form-data; boundary={boundary}"


def _headers(draw: Draw) -> dict[str, str]:
    chosen = {}
    for name in draw.sample(HEADER_NAMES, k=draw.choice([0, 0, 1, 2])):
        value = draw.choice([text(draw), "Bearer " + text(draw), "a=" + text(draw), "bytes=0-,,"])
        # what a server hands on is Latin-1 and holds no end of a line
        chosen[name] = re.sub(r"[\r\n\0]", "", raw(value).decode("latin-1"))[:8000]
    return chosen


@dataclass
class Hostile:
    """A populated site and what is sent to it."""

    site: Site
    app: Flask
    seed: int
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    failed: list[tuple[Sent, int]] = field(default_factory=list)
    _base_mb: float = 0.0
    _credentials: dict[str, tuple[str, str]] = field(default_factory=lambda: {WHO[0]: ("", "")})

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        # whoever has a page has its token as well
        self.app.config["WTF_CSRF_ENABLED"] = False
        public_id = self.site.hand_in("mate", predictions_csv(self.site.folder))
        for name, role in (("other", Role.STUDENT), ("instructor", Role.INSTRUCTOR)):
            self.site.person(name, role)
        self.site.score(public_id)
        leave_traces(self.site)
        self._routes = requests_of(self.app, public_id)
        self._posts = [each for each in self._routes if each[1] == "POST"]
        self._files = (
            predictions_csv(self.site.folder),
            bundle_zip(),
            b"id,label\n" + b"9" * 5000 + b",\xff\n",
            b"PK\x05\x06" + bytes(40),
            b"",
        )

    def send(self, count: int, answer: Callable[[Sent], int] | None = None) -> None:
        """Send that many; each route is met about as often as any other."""
        for number in range(count):
            if number % _RENEWED_AFTER == 0:
                self._renew()
            if number == count // 4:
                self._base_mb = resident_mb()
            drawn = self._drawn()
            status = (answer or self._in_process)(drawn)
            self.seen[drawn.method, status] += 1
            if status >= 500:
                self.failed.append((drawn, status))

    @property
    def grown_mb(self) -> float:
        """By how much this process has grown since a quarter of the requests was answered."""
        return resident_mb() - self._base_mb

    def _drawn(self) -> Sent:
        draw = self.draw
        rule, method, url = draw.choice(self._routes if draw.random() < 0.7 else self._posts)
        path, _, _ = url.partition("?")
        if draw.random() < 0.4 and rule.arguments:
            path = re.sub(r"<[^>]+>", lambda _: quote(raw(text(draw)), safe=""), rule.rule)
        sent = Sent(method=method, path=path, query=_pairs(draw, QUERY_NAMES))
        if method == "POST":
            self._fill(sent)
        if draw.random() < 0.05:
            sent.method = draw.choice(["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "BREW"])
        self._sign(sent, is_api=path.startswith("/api/"))
        sent.headers |= _headers(draw)
        sent.content_type = sent.headers.pop("Content-Type", sent.content_type)
        return sent

    def _fill(self, sent: Sent) -> None:
        is_api = sent.path.startswith("/api/")
        kind = self.draw.choice(["json" if is_api else "form", "form", "json", "multipart"])
        if kind == "json":
            sent.body, sent.content_type = _json(self.draw), "application/json"
        elif kind == "form":
            sent.body = _pairs(self.draw, FORM_NAMES).encode()
            sent.content_type = "application/x-www-form-urlencoded"
        else:
            sent.body, sent.content_type = _multipart(
                self.draw, lambda draw: draw.choice(self._files)
            )

    def _sign(self, sent: Sent, *, is_api: bool) -> None:
        cookie, token = self._credentials[self.draw.choice(WHO)]
        if is_api and token:
            sent.headers["Authorization"] = f"Bearer {token}"
        elif cookie:
            sent.headers["Cookie"] = f"leaderboard={cookie}"

    def _renew(self) -> None:
        """Sign everybody in anew, past the page of the password."""
        cookies = SecureCookieSessionInterface().get_signing_serializer(self.app)
        assert cookies is not None
        for name in WHO[1:]:
            with self.site.state.database.session() as session:
                user = session.get_one(User, self.site.person(name).id)
                begun = accounts.begin(
                    session, user, user_agent="", now=utcnow(), lifetime=timedelta(days=1)
                )
            token = self.site.token(name, staff=name != "mate")
            self._credentials[name] = (cookies.dumps({"login": begun.secret}), token)

    def _in_process(self, sent: Sent) -> int:
        environ = EnvironBuilder(method=sent.method).get_environ()
        environ |= {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in sent.headers.items()}
        environ |= {
            "PATH_INFO": unquote_to_bytes(sent.path).decode("latin-1"),
            "QUERY_STRING": sent.query,
            "CONTENT_TYPE": sent.content_type,
            "CONTENT_LENGTH": str(len(sent.body)),
            "wsgi.input": io.BytesIO(sent.body),
            "REMOTE_ADDR": "192.0.2.7",
        }
        chunks, status, headers = run_wsgi_app(self.app, environ)
        if "event-stream" not in headers.get("Content-Type", ""):
            deque(chunks, maxlen=0)
        if hasattr(chunks, "close"):
            chunks.close()
        return int(status.partition(" ")[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--limited", action="store_true", help="with low flood limits")
    asked = parser.parse_args()
    with ExitStack() as opened:
        settings = dict(LIMITED if asked.limited else UNLIMITED)
        if asked.database == "postgresql":
            server = opened.enter_context(private_postgres.running())
            with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
                connection.execute("CREATE DATABASE hostile")
            settings["database_url"] = server.format("hostile")
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        site = initialised_site(folder, write_assignment(folder / "animals"), **settings)
        hostile = Hostile(site, create_app(state=site.state), asked.seed)
        hostile.send(asked.count)
        grown_mb = hostile.grown_mb
        site.state.close()
    for (method, status), times in sorted(hostile.seen.items()):
        print(f"{method:8} {status} {times:7,}")
    for sent, status in hostile.failed[:20]:
        print(status, sent.method, sent.path[:80], sent.query[:80], sent.content_type[:40])
    print(f"{asked.count:,} requests; grown by {grown_mb:.0f} MB in the last three quarters")
    sys.exit(bool(hostile.failed))


if __name__ == "__main__":
    main()
