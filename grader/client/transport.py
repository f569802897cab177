"""Requests that survive outages: one HTTP exchange with a grading server.

What is sent again: a request that may be repeated, when the server can't be reached, when a proxy
answers in its place (502, 504), and when the server asks for it by `Retry-After` (503, or 429 with
a short wait). Any other refusal is final. httpx is imported at the first request.
"""

from __future__ import annotations

import errno
import hashlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from grader.client.config import LOOPBACK
from grader.errors import ApiError, AuthError, ClientError, NetworkError, NotConnected, Owner
from grader.words.message import Message, said, with_data

if TYPE_CHECKING:
    import httpx

API = "/api/v1"
_PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 206, 416
LONGEST_PAUSE_SECONDS = 60.0
"""A server that asks for a longer wait is not waited for: the user decides."""

_SYSTEM_ERRORS: Final = {
    errno.ECONNREFUSED: "exchange.refused",
    errno.EHOSTUNREACH: "exchange.no_route",
    socket.EAI_NONAME: "exchange.no_such_host",
}

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all (0 where that is unknown)."""

T = TypeVar("T")


class Transport:
    """The connection to one server, as one user.

    Raises:
        NetworkError: (every method) the server can't be reached or its reply can't be read.
        AuthError: (every method) 401.
        ApiError: (every method) every other refusal.
    """

    def __init__(
        self,
        server: str,
        token: str | None,
        *,
        language: str,
        attempts: int,
        timeout_seconds: float,
        longest_pause_seconds: float,
        on_retry: Callable[[str, float], None] | None,
        api: str = API,
    ) -> None:
        self.server = server.rstrip("/")
        self._api = api
        self.token = token
        self._language = language
        self._attempts = attempts
        self._timeout_seconds = timeout_seconds
        self._longest_pause = longest_pause_seconds
        self._on_retry = on_retry

    def json(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        repeatable: bool | None = None,
        key: str | None = None,
    ) -> Any:
        """The JSON reply to one request; a GET is repeatable by nature. key: of its idempotency."""

        headers = {**self._authorization(), **({"Idempotency-Key": key} if key else {})}

        def once() -> Any:
            response = self._http.request(
                method, self._url(path), json=body, params=params, headers=headers
            )
            return _decoded(_accepted(response))

        return self._through_outages(once, method == "GET" if repeatable is None else repeatable)

    def send_content(self, path: str, content: bytes, *, headers: Mapping[str, str]) -> None:
        """Send bytes that the server takes once, however often they come."""
        kind = {"Content-Type": "application/octet-stream"}

        def once() -> None:
            all_headers = {**self._authorization(), **kind, **headers}
            _accepted(self._http.post(self._url(path), content=content, headers=all_headers))

        self._through_outages(once, repeatable=True)

    def fetch_content(self, path: str) -> bytes:
        """The bytes of a reply, held in memory alone."""

        def once() -> bytes:
            return _accepted(self._http.get(self._url(path))).content

        return self._through_outages(once, repeatable=True)

    def send_file(
        self,
        path: str,
        file: Path,
        *,
        fields: Mapping[str, str],
        key: str,
        on_progress: Progress | None,
    ) -> Any:
        """The JSON reply to a streamed multipart upload under one idempotency key."""

        def once() -> Any:
            with file.open("rb") as stream:
                response = self._http.post(
                    self._url(path),
                    data=dict(fields),
                    files={"file": (file.name, cast(IO[bytes], _Counted(stream, on_progress)))},
                    headers={**self._authorization(), "Idempotency-Key": key},
                )
            return _decoded(_accepted(response))

        return self._through_outages(once, repeatable=True)

    def send_part(
        self, path: str, file: Path, offset: int, size: int, *, on_progress: Progress | None
    ) -> Any:
        """The JSON reply to the bytes of a file from `offset` on, at most `size` of them.

        Not repeated by itself: what arrived of it before an outage is asked for first.
        """

        def once() -> Any:
            with file.open("rb") as stream:
                stream.seek(offset)
                content = stream.read(size)
            response = self._http.patch(
                self._url(path),
                content=content,
                headers={
                    **self._authorization(),
                    "Upload-Offset": str(offset),
                    "Content-Type": "application/octet-stream",
                },
            )
            if on_progress:
                on_progress(offset + len(content), file.stat().st_size)
            return _decoded(_accepted(response))

        return self._through_outages(once, repeatable=False)

    def fetch_file(
        self, path: str, into: Path, *, sha256: str = "", on_progress: Progress | None
    ) -> str:
        """Stream a download to the file `into`; returns its SHA-256, equal to the promised one.

        What `into` holds of an earlier attempt is kept and the rest asked for; where it turns out
        to be the start of something else, the file is fetched anew. `path` may be a whole URL of
        another host, which gets no token.
        """
        is_ours = "://" not in path
        url = self._url(path) if is_ours else path

        def once() -> tuple[str, str]:
            there = into.stat().st_size if into.exists() else 0
            headers = {**(self._authorization() if is_ours else {}), "Accept-Encoding": "identity"}
            if there:
                headers["Range"] = f"bytes={there}-"
            with self._http.stream(
                "GET", url, headers=headers, follow_redirects=not is_ours
            ) as response:
                if there and response.status_code == _RANGE_NOT_SATISFIABLE:
                    into.unlink()  # of another file, or whole already: the sum would tell too late
                    raise _Outage(said("exchange.no_rest"))
                if response.is_error:
                    response.read()
                _accepted(response)
                _write_body(response, into, on_progress)
            return _sha256_of(into), response.headers.get("X-Content-SHA256", "")

        was_there = into.exists()
        found, promised = self._through_outages(once, repeatable=True)
        if found == (sha256 or promised or found):
            return found
        into.unlink()
        if was_there:
            return self.fetch_file(path, into, sha256=sha256, on_progress=on_progress)
        raise NetworkError(
            said("exchange.download_differs", sha256=found, promised=sha256 or promised)
        )

    def events(self, path: str) -> Iterator[str]:
        """The data of each server-sent event; ends quietly where the stream can't be had."""
        import httpx

        headers = {**self._authorization(), "Accept": "text/event-stream"}
        try:
            with self._http.stream("GET", self._url(path), headers=headers) as response:
                if response.status_code != httpx.codes.OK:
                    return
                for line in response.iter_lines():
                    if line.startswith("data:"):
                        yield line.removeprefix("data:").strip()
        except httpx.TransportError:
            return

    def read(self, parse: Callable[[Any], T], reply: Any) -> T:
        """`parse(reply)`; a reply without its essential members is reported as what it is."""
        try:
            return parse(reply)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise NetworkError(
                said("exchange.unreadable_reply", server=self.server, error=repr(error))
            ) from error

    def close(self) -> None:
        """Close the connections."""
        if "_http" in self.__dict__:
            self._http.close()

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx

        return httpx.Client(
            headers={"Accept-Language": self._language, "User-Agent": "gradewright"},
            timeout=httpx.Timeout(self._timeout_seconds, connect=10.0),
            # A proxy named by the environment can't reach this machine's own loopback.
            trust_env=self._hostname() not in LOOPBACK,
        )

    def _hostname(self) -> str | None:
        try:
            return urlsplit(self.server).hostname
        except ValueError as error:
            raise self._bad_address(str(error)) from error

    def _bad_address(self, reason: str) -> NotConnected:
        return NotConnected(said("exchange.bad_address", server=repr(self.server), reason=reason))

    def _url(self, path: str) -> str:
        return self.server + self._api + path

    def _authorization(self) -> dict[str, str]:
        if not self.token:
            return {}
        if not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise AuthError(said("exchange.bad_token"))
        return {"Authorization": f"Bearer {self.token}"}

    def _through_outages(self, once: Callable[[], T], repeatable: bool) -> T:
        import httpx

        attempt = 1
        was_connected = False
        while True:
            try:
                return once()
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise self._bad_address(_unusable(self.server, error)) from error
            except (httpx.TransportError, _Outage) as error:
                outage = error if isinstance(error, _Outage) else _Outage(_sentence(error))
                was_connected |= not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                unreachable = NetworkError if was_connected else NotConnected
                failure = outage.refusal or unreachable(
                    said("exchange.unreachable", server=self.server, reason=outage.reason)
                )
                pause = outage.retry_after or float(min(2 ** (attempt - 1), 20))
                if not repeatable or attempt >= self._attempts or pause > self._longest_pause:
                    raise failure from error
            if self._on_retry:
                self._on_retry(outage.reason, pause)
            time.sleep(pause)
            attempt += 1


class _Outage(Exception):
    """The server is away for the moment; the same request may succeed later."""

    def __init__(
        self, reason: str, retry_after: float | None = None, refusal: ClientError | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.refusal = refusal


class _Counted:
    """A binary file that reports how much of it was read, from the start again after a rewind."""

    def __init__(self, stream: IO[bytes], on_progress: Progress | None) -> None:
        self._stream = stream
        self._on_progress = on_progress
        self._size = Path(stream.name).stat().st_size

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        if self._on_progress and chunk:
            self._on_progress(self._stream.tell(), self._size)
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def fileno(self) -> int:
        return self._stream.fileno()


def _accepted(response: httpx.Response) -> httpx.Response:
    """The response, where it is a success; else the error that it stands for."""
    status = response.status_code
    if response.is_success:
        return response
    if response.is_redirect:
        target = response.headers.get("Location", "elsewhere")
        raise NetworkError(said("exchange.moved", target=target))
    refusal = _refusal(response)
    retry_after = _retry_after_seconds(response)
    if status in (502, 504) or (status in (429, 503) and retry_after is not None):
        raise _Outage(
            said("exchange.answered_why", status=status, reason=refusal.said), retry_after, refusal
        )
    raise refusal


def _refusal(response: httpx.Response) -> ClientError:
    """The error that a reply outside 2xx stands for (problem+json, RFC 9457)."""
    status = response.status_code
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, Mapping):
        problem = {}
    detail = with_data(
        str(problem.get("detail") or problem.get("title") or response.reason_phrase),
        problem.get("detail_said"),
    )
    if status == 401:
        return AuthError(detail)
    if not problem and status >= 500:
        return NetworkError(said("exchange.answered", status=f"{status} {response.reason_phrase}"))
    if not problem and status in (404, 405):
        return NetworkError(said("exchange.not_a_server", server=_origin(response), status=status))
    default_owner = Owner.PLATFORM if status >= 500 else Owner.STUDENT
    return ApiError(
        str(problem.get("code") or f"http_{status}"),
        detail,
        tuple(problem.get("errors") or ()),
        owner=Owner(problem.get("owner") or default_owner),
        status=status,
    )


def _origin(response: httpx.Response) -> str:
    """The address that was asked, without what the API adds to it."""
    return str(response.request.url).partition("/api/")[0]


def _decoded(response: httpx.Response) -> Any:
    if response.status_code == 204:
        return None
    try:
        return response.json()
    except ValueError as error:
        kind = response.headers.get("Content-Type", "no content type")
        raise NetworkError(said("exchange.not_json", type=kind)) from error


def _retry_after_seconds(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _write_body(response: httpx.Response, into: Path, on_progress: Progress | None) -> None:
    """Append the part that was asked for; write over where the server sent the whole."""
    is_rest = response.status_code == _PARTIAL_CONTENT
    done = into.stat().st_size if is_rest else 0
    total = done + int(response.headers.get("Content-Length") or 0)
    # each piece as it comes, and unbuffered: what was received survives being killed
    with into.open("ab" if is_rest else "wb", buffering=0) as file:
        for chunk in response.iter_raw():
            file.write(chunk)
            done += len(chunk)
            if on_progress:
                on_progress(done, total)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sentence(error: Exception) -> str:
    """What the network says, with a code where the kind of failure is known."""
    import httpx

    text = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return Message(text, "exchange.timed_out", {})
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLError):
            return said("exchange.no_tls", reason=cause.reason or text)
        if isinstance(cause, OSError) and cause.errno in _SYSTEM_ERRORS:
            return Message(text, _SYSTEM_ERRORS[cause.errno], {"errno": cause.errno})
    return text


def _unusable(server: str, error: Exception) -> str:
    """What is wrong with an address that can't be asked."""
    import httpx

    if not isinstance(error, httpx.UnsupportedProtocol):
        return str(error)
    protocol, mark, _ = server.partition("://")
    if not mark:
        return Message(str(error), "exchange.no_protocol", {})
    return Message(str(error), "exchange.protocol", {"protocol": repr(f"{protocol}://")})


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
