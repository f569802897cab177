"""Requests that no browser sends, drawn by a seed: every route, every place that a value stands in.

    python tests/leaderboard/hostile_requests.py --count 50000

Paths, queries, forms, JSON, multipart names, file names, headers and cookies, as nobody, as a
student and as staff, with and without the flood limits. What a route reads of a request is noted
as it is read, and is what the next request to it holds. No answer may be a failure of the server.
"""

from __future__ import annotations

import argparse
import base64
import gc
import io
import random
import re
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import private_postgres
import psycopg
from every_route import leave_traces, requests_of
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from hostile_values import (
    FORM_NAMES,
    GRADEBOOK,
    QUERY_NAMES,
    Noted,
    Sent,
    headers,
    json_body,
    multipart,
    nearly,
    note_what_is_read,
    pairs,
    raw,
    text,
    with_a_file,
    written,
)
from small_site import Site, bundle_zip, initialised_site, predictions_csv, write_assignment
from werkzeug.test import EnvironBuilder, run_wsgi_app

from leaderboard import create_app
from leaderboard.accounts import accounts
from leaderboard.db import utcnow
from leaderboard.models import Role, User

UNLIMITED = {"api_requests_per_minute": str(1 << 20), "uploads_per_minute": str(1 << 20)}
LIMITED = {"api_requests_per_minute": "30", "uploads_per_minute": "1"}
WHO = ("anonymous", "mate", "instructor")
_RENEWED_AFTER = 150  # requests: one of them may have been to sign out everywhere


def resident_mb() -> float:
    """What this process holds in memory now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@dataclass
class Hostile:
    """A populated site and what is sent to it."""

    site: Site
    app: Flask
    seed: int
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    failed: list[tuple[Sent, int]] = field(default_factory=list)
    slowest: tuple[float, str, str] = (0.0, "", "")  # seconds of this thread's processor time
    _base_mb: float = 0.0
    _credentials: dict[str, tuple[str, str]] = field(default_factory=lambda: {WHO[0]: ("", "")})

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        # whoever has a page has its token as well
        self.app.config["WTF_CSRF_ENABLED"] = False
        note_what_is_read(self.app)
        public_id = self.site.hand_in("mate", predictions_csv(self.site.folder))
        for name, role in (("other", Role.STUDENT), ("instructor", Role.INSTRUCTOR)):
            self.site.person(name, role)
        self.site.score(public_id)
        leave_traces(self.site)
        self._public_id = public_id
        self._routes = requests_of(self.app, public_id)
        self._posts = [each for each in self._routes if each[1] == "POST"]
        self._files = (
            predictions_csv(self.site.folder),
            bundle_zip(),
            b"id,label\n" + b"9" * 5000 + b",\xff\n",
            b"PK\x05\x06" + bytes(40),
            b"",
        )
        self._books = (
            *(
                GRADEBOOK.replace(",", separator).encode(encoding)
                for separator in ",;\t|，"
                for encoding in ("utf-8-sig", "utf-16", "gb18030")
            ),
            b"sep=x\n" + GRADEBOOK.encode(),
            b"email,name,role,section,number\nnew@x.example,New,student,A,77\n",
            b"email," + b"a," * 400_000,
            b'"' * 400_001,
            b'email,"a' + b"\n" * 300_000,
            GRADEBOOK.encode() * 2_000,
        )

    def send(self, count: int, answer: Callable[[Sent], int] | None = None) -> None:
        """Send that many; each route is met about as often as any other."""
        for number in range(count):
            if number % _RENEWED_AFTER == 0:
                self._renew()
            if number == count // 4:
                self._base_mb = resident_mb()
            drawn = self._drawn()
            begun = time.thread_time()
            status = (answer or self._in_process)(drawn)
            self.slowest = max(self.slowest, (time.thread_time() - begun, drawn.method, drawn.path))
            self.seen[drawn.method, status] += 1
            if status >= 500:
                self.failed.append((drawn, status))

    @property
    def read(self) -> dict[tuple[str, str], set[str]]:
        """What each route was seen to read, of its query and form or of its JSON."""
        return dict(Noted.names)

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
        known = Noted.names[rule.endpoint, "pairs"] - {"file"}
        sent = Sent(method=method, path=path, query=pairs(draw, QUERY_NAMES))
        if known and method == "GET" and draw.random() < 0.7:
            sent.query = written(nearly(draw, known))
        if method in ("POST", "DELETE", "PUT", "PATCH"):
            self._fill(sent, rule.endpoint)
        if draw.random() < 0.05:
            sent.method = draw.choice(["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "BREW"])
        self._sign(sent, is_api=path.startswith("/api/"))
        sent.headers |= headers(draw)
        sent.content_type = sent.headers.pop("Content-Type", sent.content_type)
        return sent

    def _fill(self, sent: Sent, endpoint: str) -> None:
        is_api = sent.path.startswith("/api/")
        kind = self.draw.choice(["json" if is_api else "form", "form", "json", "multipart"])
        known, members = Noted.names[endpoint, "pairs"], Noted.names[endpoint, "json"]
        if kind == "json":
            sent.body, sent.content_type = json_body(self.draw, members), "application/json"
        elif kind == "form":
            sent.body = pairs(self.draw, FORM_NAMES).encode()
            if known and self.draw.random() < 0.7:
                sent.body = written(self._with_ids(nearly(self.draw, known))).encode()
            sent.content_type = "application/x-www-form-urlencoded"
        elif "file" in known and self.draw.random() < 0.7:
            content = self.draw.choice(self._books + self._files)
            fields = nearly(self.draw, known - {"file", "held"})
            sent.body, sent.content_type = with_a_file(fields, content)
        else:
            sent.body, sent.content_type = multipart(
                self.draw, lambda draw: draw.choice(self._files)
            )

    def _with_ids(self, fields: dict[str, str]) -> dict[str, str]:
        """A submission's name, and a file that the page of exports held, where they are asked."""
        if "submission" in fields and self.draw.random() < 0.8:
            fields["submission"] = self._public_id
        if "held" in fields and self.draw.random() < 0.8:
            bomb = self.draw.choice([*self._books, bytes(1 << 24)])
            fields["held"] = base64.b64encode(zlib.compress(bomb, 9)).decode()
        return fields

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
    seconds, method, path = hostile.slowest
    print(f"the slowest took {seconds:.2f} s of processor time: {method} {path[:80]}")
    print(f"{asked.count:,} requests; grown by {grown_mb:.0f} MB in the last three quarters")
    sys.exit(bool(hostile.failed))


if __name__ == "__main__":
    main()
