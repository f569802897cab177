"""Values that no browser sends, names that routes were seen to read, and requests made of them."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from flask import Flask, has_request_context, request
from werkzeug.datastructures import ImmutableMultiDict

import leaderboard

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
# what people write there: with all but one of these a request gets far
_LIKELY = {
    "action": ("write", "cancel", "rerun", "rescore"),
    "after": ("1",),
    "assignment": ("animals",),
    "cause": ("rescore", "rerun"),
    "dry_run": ("true", "false"),
    "due_at": ("2027-01-01T12:00",),
    "email": ("other@example.edu", "mate@example.edu"),
    "hours": ("24",),
    "kind": ("excused", "override", "factor", "withdrawn", "auditing"),
    "order": ("newest", "private", "public"),
    "outcome": ("changed", "unchanged"),
    "owner": ("1", "instructor@example.edu"),
    "page": ("1", "2"),
    "reason": ("Ill.", "illness"),
    "score_from": ("0.5",),
    "section": ("", "A"),
    "show": ("yes", "no"),
    "since": ("2026-11-01", "2026-11-01T12:00"),
    "split": ("public", "private"),
    "step": ("ask", "sign", "withdraw", "download", "changed"),
    "text": ("Why is it so?",),
    "title": ("Of a kind",),
    "track": ("all", "scratch"),
    "until": ("2026-12-01", "2026-12-01T12:00"),
    "value": ("1.0", "2"),
    "whom": ("user:2", "team:1", "other@example.edu"),
}
GRADEBOOK = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Tiny animals (7)\n"
    '    Points Possible,,,,,10\n"Mate, M",1,77,mate@example.edu,A,\n'
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
    *("0001-01-01", "0001-01-01T00:00", "9999-12-31", "2026-03-29T02:30", "2026-11-01T00:00+23:59"),
    *("next", "public", "private", "student", "s_0123456789", "xn--a", "a" * 300 + "@b.example"),
)


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


class Noted(ImmutableMultiDict[str, Any]):
    """A query or a form that notes which of its values the route reads."""

    names: ClassVar[defaultdict[tuple[str, str], set[str]]] = defaultdict(set)

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def get(self, key: str, *arguments: Any, **options: Any) -> Any:
        self._note(key)
        return super().get(key, *arguments, **options)

    def getlist(self, key: str, *arguments: Any, **options: Any) -> list[Any]:
        self._note(key)
        return super().getlist(key, *arguments, **options)

    def _note(self, key: str) -> None:
        if has_request_context():
            Noted.names[str(request.endpoint), "pairs"].add(key)


class NotedMembers(dict[str, Any]):
    """The same of an object of JSON."""

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def get(self, key: str, *arguments: Any) -> Any:
        self._note(key)
        return super().get(key, *arguments)

    def _note(self, key: str) -> None:
        if has_request_context():
            Noted.names[str(request.endpoint), "json"].add(key)


def note_what_is_read(app: Flask) -> None:
    """From now on it is known of each route what it reads."""
    Noted.names.clear()
    app.request_class = type("R", (app.request_class,), {"parameter_storage_class": Noted})
    loads = app.json.loads

    def noting(s: str | bytes, **options: Any) -> Any:
        found = loads(s, **options)
        return NotedMembers(found) if isinstance(found, dict) else found

    app.json.loads = noting  # type: ignore[method-assign]


def pairs(draw: Draw, names: Iterable[str]) -> str:
    chosen = [name for name in names if draw.random() < 0.25] + draw.choices(["x", text(draw)])
    return "&".join(f"{quote(raw(name))}={quote(raw(text(draw)))}" for name in chosen)


def _likely(draw: Draw, name: str) -> str:
    return draw.choice(_LIKELY.get(name, ("Ada", "1", "2026-12-01T12:00", "mate@example.edu")))


def nearly(draw: Draw, names: Iterable[str]) -> dict[str, str]:
    """Values as people write them, but for one or none."""
    found = {name: _likely(draw, name) for name in sorted(names) if draw.random() < 0.9}
    if found and draw.random() < 0.8:
        found[draw.choice(sorted(found))] = text(draw)
    return found


def json_body(draw: Draw, known: Iterable[str] = ()) -> bytes:
    """A body: an object with the members that the API reads, or what is no object at all."""
    if known and draw.random() < 0.6:
        members: dict[str, Any] = dict(nearly(draw, known))
        if draw.random() < 0.5 and members:
            odd: list[Any] = [None, True, -1, 1, 10**17, 1e308, [], {}, [[]], [1], ["x" * 99]]
            members[draw.choice(sorted(members))] = draw.choice(odd)
        return json.dumps(members).encode()
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


def written(fields: dict[str, str]) -> str:
    return "&".join(f"{quote(raw(name))}={quote(raw(value))}" for name, value in fields.items())


def with_a_file(fields: dict[str, str], content: bytes) -> tuple[bytes, str]:
    """A form as a browser sends it."""
    body = b""
    for name, value in fields.items():
        about = b'Content-Disposition: form-data; name="' + raw(name) + b'"\r\n\r\n'
        body += b"--BB\r\n" + about + raw(value) + b"\r\n"
    about = b'Content-Disposition: form-data; name="file"; filename="grades.csv"\r\n\r\n'
    return body + b"--BB\r\n" + about + content + b"\r\n--BB--\r\n", (
        "multipart/form-data; boundary=BB"
    )


def multipart(draw: Draw, files: Callable[[Draw], bytes]) -> tuple[bytes, str]:
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


def headers(draw: Draw) -> dict[str, str]:
    chosen = {}
    for name in draw.sample(HEADER_NAMES, k=draw.choice([0, 0, 1, 2])):
        value = draw.choice([text(draw), "Bearer " + text(draw), "a=" + text(draw), "bytes=0-,,"])
        # what a server hands on is Latin-1 and holds no end of a line
        chosen[name] = re.sub(r"[\r\n\0]", "", raw(value).decode("latin-1"))[:8000]
    return chosen
