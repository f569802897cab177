"""What may be read from a request: nothing that would break whoever reads it on.

JSON is a program for its parser (depth, digits), text may hold what no database keeps (NUL, lone
surrogates), a number more digits than a column, an address a way to another host. Werkzeug decodes
the rest of a request so that it holds no lone surrogate.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

from flask import Flask, Response, request, url_for
from flask.json.provider import DefaultJSONProvider
from werkzeug.datastructures import MultiDict
from werkzeug.routing import IntegerConverter

from grader.words.message import said
from leaderboard.errors import BadRequest
from leaderboard.submissions.uploads import UploadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_DEPTH: Final = 16
_DIGITS: Final = 18
_LARGEST_ROW: Final = 2**31 - 1
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
_LABEL: Final = "[A-Za-z0-9_-]{1,63}"
_HOST: Final = re.compile(rf"(?:(?:{_LABEL}\.)*{_LABEL}\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_PATH: Final = re.compile(r"/[^/\\\x00-\x20\x7f][^\\\x00-\x20\x7f]*|/")


class BoundedJson(DefaultJSONProvider):
    """JSON of strangers is held to limits; our own is written in the order the code gives, which
    is the order people read it in."""

    sort_keys = False

    def loads(self, s: str | bytes, **options: Any) -> Any:
        """Read a document.

        Raises:
            ValueError: it is no JSON in UTF-8, nested too deeply, or holds a number or a text that
                nothing here could keep.
        """
        content = s if isinstance(s, str) else s.decode("utf-8")
        _check_depth(content)
        found = json.loads(
            content,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_no_number,
            **options,
        )
        if not all(map(is_text, _texts(found))):
            raise ValueError("a text with characters that can't be kept")
        return found


class RowNumber(IntegerConverter):
    """A row's number in a path: what no column could hold leads nowhere, as any other wrong one."""

    regex = "[0-9]{1,10}"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"max": _LARGEST_ROW, **options})


class CheckedRequest(UploadRequest):
    """A request whose form and files' names are checked as they are read."""

    def _load_form_data(self) -> None:
        is_new = "form" not in self.__dict__
        super()._load_form_data()
        if is_new:
            _check_pairs(self.form)
            for name, file in self.files.items(multi=True):
                _check(name)
                _check(file.filename or "")


class _KnownHost:
    """Answers a request whose Host is no name of a host: no address could be made from it, not even
    those of the page that says so."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start: StartResponse, /) -> Iterable[bytes]:
        if _is_host(environ.get("HTTP_HOST", "localhost")):
            return self._app(environ, start)
        refusal = Response("The request's Host is no name of a host.\n", 400, mimetype="text/plain")
        return refusal(environ, start)


def _is_host(named: str) -> bool:
    """Whether it is a name of a host, in letters of any script once its punycode is read.

    >>> _is_host("localhost:8000"), _is_host("xn--bcher-kva.example"), _is_host("xn--a")
    (True, True, False)
    """
    if not _HOST.fullmatch(named):
        return False
    try:
        named.partition(":")[0].encode("ascii").decode("idna")
    except UnicodeError:
        return named.startswith("[")  # an IPv6 address
    return True


def init_reading(app: Flask) -> None:
    """Bound what the application reads. Call it before the first route is registered."""
    app.request_class = CheckedRequest
    checked: Any = _KnownHost(app.wsgi_app)
    app.wsgi_app = checked  # type: ignore[method-assign] # Flask documents this assignment
    app.json = BoundedJson(app)
    app.url_map.converters["int"] = RowNumber
    app.before_request(_check_address)


def whole(text: str) -> int:
    """A whole number of a form or a query, for `type=`.

    Raises:
        ValueError: it is none that a column holds.
    """
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise ValueError("no whole number, or one that is far too large")
    return int(text)


def is_text(text: str) -> bool:
    r"""Whether every database and file can hold it.

    >>> is_text("schön"), is_text("a\0b"), is_text("\ud800")
    (True, False, False)
    """
    if "\0" in text:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def local(target: str | None) -> str:
    """A path on this server to go to; never another host's, and fit for a header."""
    if target and _PATH.fullmatch(target) and not urlsplit(target).netloc:
        return target
    return url_for("student.home")


def _check_address() -> None:
    _check(request.path)
    _check_pairs(request.args)


def _check_pairs(pairs: MultiDict[str, str]) -> None:
    for name, value in pairs.items(multi=True):
        _check(name)
        _check(value)


def _check(text: str | None) -> None:
    if text is None:  # a part of a form without a name, or with one in no known encoding
        raise BadRequest(said("request.no_part_name"))
    if not is_text(text):
        raise BadRequest(said("request.nul"))


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth += 1
            if depth > _DEPTH:
                raise ValueError(f"nested more than {_DEPTH} deep")
        elif mark in "]}":
            depth -= 1


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"a number of more than {_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number beyond all bounds")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _texts(value: Any) -> Iterator[str]:
    """Every text in a document, names of members included."""
    left = [value]
    while left:
        match left.pop():
            case str(text):
                yield text
            case list(items):
                left.extend(items)
            case dict(members):
                left.extend(members)
                left.extend(members.values())
