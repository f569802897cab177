"""HTTP client of a grading server's `/api/v1`: what `grader submit` and its friends speak through.

    with Client("https://grader.example.edu", token="…") as client:
        report = client.send(Path("predictions.csv"), assignment="fashion-mnist")
        print(client.wait(report.id).public["accuracy"])

A hand-in is sent under one `Idempotency-Key` through any number of outages, so that it counts once.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from grader.client import committed
from grader.client.places import lacking, naming_what_there_is, not_enrolled
from grader.client.replies import (
    Account,
    AssignmentEntry,
    Board,
    Picks,
    Quota,
    SubmissionReport,
)
from grader.client.transport import LONGEST_PAUSE_SECONDS, Progress, Transport
from grader.errors import ApiError, NetworkError, Owner
from grader.words.message import said

if TYPE_CHECKING:
    from types import TracebackType

_COMMITTED_BYTES = 256 * 1024  # less comes in one piece within moments


class Client:
    """A user of one grading server: signed in by a token, anonymous without one.

    `attempts` bounds how often a repeatable request is sent, and a server that asks for a longer
    pause than `longest_pause_seconds` is not waited for; `on_retry(reason, seconds)` is called
    before each pause. The server's messages come in `language`.

    Raises:
        NetworkError: (every method) the server can't be reached or its reply can't be read.
        AuthError: (every method) the token is missing, wrong or expired.
        ApiError: (every method) any refusal.
    """

    def __init__(
        self,
        server: str,
        token: str | None = None,
        *,
        language: str = "en",
        attempts: int = 6,
        timeout_seconds: float = 60.0,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
        on_retry: Callable[[str, float], None] | None = None,
    ) -> None:
        self._transport = Transport(
            server,
            token,
            language=language,
            attempts=attempts,
            timeout_seconds=timeout_seconds,
            longest_pause_seconds=longest_pause_seconds,
            on_retry=on_retry,
        )

    @property
    def server(self) -> str:
        """The server's address, without a slash at its end."""
        return self._transport.server

    def login(
        self,
        email: str,
        password: str,
        *,
        name: str = "grader command line",
        scopes: Sequence[str] = ("read", "submit"),
    ) -> str:
        """Exchange e-mail and password for a token, which this client uses from then on."""
        body = {"email": email, "password": password, "name": name, "scopes": list(scopes)}
        reply = self._transport.json("POST", "/tokens", body=body)
        token = self._transport.read(lambda each: str(each["token"]), reply)
        self._transport.token = token
        return token

    def me(self) -> Account:
        """Who the token speaks for, and their courses."""
        return self._transport.read(Account.from_json, self._transport.json("GET", "/me"))

    def assignments(self, course: str | None = None) -> tuple[AssignmentEntry, ...]:
        """The assignments of one course, or of every course of the signed-in person."""
        codes = [course] if course else [each.code for each in self.me().courses]
        return tuple(
            self._transport.read(partial(AssignmentEntry.from_json, course=code), item)
            for code in codes
            for item in self._pages(f"/courses/{_quoted(code)}/assignments")
        )

    def course_of(self, slug: str) -> str:
        """The one course of the signed-in person that has the assignment `slug`."""
        held = self.assignments()
        courses = sorted({each.course for each in held if each.slug == slug})
        courses = courses or self._courses_of_renamed(slug, {each.course for each in held})
        if len(courses) == 1:
            return courses[0]
        if courses:
            detail = said(
                "exchange.several_courses", assignment=repr(slug), courses=", ".join(courses)
            )
            raise ApiError("course_ambiguous", detail, owner=Owner.STUDENT, status=409)
        if not held and not self.me().courses:
            raise not_enrolled("", ())
        raise lacking(slug, [each.slug for each in held])

    def _courses_of_renamed(self, slug: str, courses: Iterable[str]) -> list[str]:
        """Where the server knows an assignment by a slug that no list has any more."""
        found = []
        for course in sorted(courses):
            try:
                self._transport.json("GET", self._path(slug, course))
            except ApiError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
            else:
                found.append(course)
        return found

    @naming_what_there_is
    def assignment(self, slug: str, *, course: str | None = None) -> AssignmentEntry:
        """One assignment: its title, schedule and rules."""
        course = course or self.course_of(slug)
        reply = self._transport.json("GET", self._path(slug, course))
        return self._transport.read(partial(AssignmentEntry.from_json, course=course), reply)

    @naming_what_there_is
    def download_pack(
        self,
        slug: str,
        into: Path,
        *,
        course: str | None = None,
        on_progress: Progress | None = None,
    ) -> str:
        """Write the public pack's zip to the file `into`; returns its SHA-256, checked.

        The file appears under its name only once it is whole; what an interrupted download left
        beside it (`.part`) is gone on with.
        """
        part = into.with_name(into.name + ".part")
        sha256 = self._transport.fetch_file(
            f"{self._path(slug, course)}/pack", part, on_progress=on_progress
        )
        part.replace(into)
        return sha256

    def download_training_data(
        self, url: str, into: Path, *, sha256: str = "", on_progress: Progress | None = None
    ) -> str:
        """Write the file at `url`, on whatever host, to `into`; as `download_pack`. No token is
        sent. Returns its SHA-256: that which was given, where one was."""
        part = into.with_name(into.name + ".part")
        found = self._transport.fetch_file(url, part, sha256=sha256, on_progress=on_progress)
        part.replace(into)
        return found

    @naming_what_there_is
    def send(
        self,
        path: Path,
        *,
        assignment: str,
        message: str = "",
        claims: Mapping[str, str] | None = None,
        declared: Sequence[str] | None = None,
        course: str | None = None,
        idempotency_key: str | None = None,
        on_committed: Callable[[], None] | None = None,
        on_progress: Progress | None = None,
    ) -> SubmissionReport:
        """Hand in a prediction CSV, a bundle archive or a bundle folder (packed on the way).

        The file is streamed, never held in memory. Of a large one the hash is committed first: that
        moment counts, however slow the line is, and `on_committed` is called. One key with one
        content is one submission, however often it is sent. `claims` are figures of a report,
        metric → as printed. `declared` is what was used of what the rules speak of (`pretrained`,
        `external_data`), empty for nothing of it, None where nothing is said. An invalid file comes
        back as a submission with verdict REJ.

        Raises:
            NetworkError: also when the receipt is for other bytes than were sent.
        """
        route = f"{self._path(assignment, course)}/submissions"
        fields = {"message": message, **_claims_field(claims), **_declared_field(declared)}
        key = idempotency_key or str(uuid.uuid4())
        with _as_file(path) as upload:
            sha256 = _sha256_of(upload)
            reply = None
            if upload.stat().st_size >= _COMMITTED_BYTES:
                about: dict[str, str | int] = {"sha256": sha256, "filename": upload.name}
                about["size"] = upload.stat().st_size
                reply = committed.send(
                    self._transport,
                    f"{self._path(assignment, course)}/uploads",
                    upload,
                    {**fields, **about},
                    key=key,
                    on_committed=on_committed,
                    on_progress=on_progress,
                )
            if reply is None:
                reply = self._transport.send_file(
                    route, upload, fields=fields, key=key, on_progress=on_progress
                )
        report = self._transport.read(SubmissionReport.from_json, reply)
        if report.receipt and report.receipt.sha256 != sha256:
            raise NetworkError(
                said("exchange.receipt_differs", receipt=report.receipt.sha256, sent=sha256)
            )
        return report

    def submission(self, submission_id: str) -> SubmissionReport:
        """One submission as it stands now."""
        reply = self._transport.json("GET", f"/submissions/{_quoted(submission_id)}")
        return self._transport.read(SubmissionReport.from_json, reply)

    @naming_what_there_is
    def submissions(self, slug: str, *, course: str | None = None) -> tuple[SubmissionReport, ...]:
        """The team's submissions to one assignment, newest first."""
        items = self._pages(f"{self._path(slug, course)}/submissions")
        return tuple(self._transport.read(SubmissionReport.from_json, item) for item in items)

    def cancel(self, submission_id: str) -> SubmissionReport:
        """Withdraw a submission that waits or runs; one that was withdrawn before stays so.

        Raises:
            ApiError: also (409) when its result was there first.
        """
        path = f"/submissions/{_quoted(submission_id)}/cancel"
        reply = self._transport.json("POST", path, repeatable=True)
        return self._transport.read(SubmissionReport.from_json, reply)

    def wait(
        self,
        submission_id: str,
        *,
        on_event: Callable[[SubmissionReport], None] | None = None,
        timeout_seconds: float | None = None,
        poll_seconds: float = 1.0,
    ) -> SubmissionReport:
        """Follow a submission until it is finished or cancelled; returns it as it then stands.

        Listens to the server's event stream, and asks every `poll_seconds` where that breaks off.

        Raises:
            NetworkError: also after `timeout_seconds` (default: never).
        """
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        reports = self._reports(submission_id, poll_seconds)
        while not (report := next(reports)).is_done:
            if on_event:
                on_event(report)
            if end is not None and time.monotonic() > end:
                raise NetworkError(
                    said(
                        "exchange.unfinished",
                        submission=submission_id,
                        status=report.status,
                        seconds=f"{timeout_seconds:g}",
                    )
                )
        if on_event:
            on_event(report)
        return report

    @naming_what_there_is
    def quota(self, slug: str, *, course: str | None = None) -> Quota:
        """How many submissions the team has left today."""
        reply = self._transport.json("GET", f"{self._path(slug, course)}/quota")
        return self._transport.read(Quota.from_json, reply)

    @naming_what_there_is
    def pick(self, slug: str, submission_ids: Sequence[str], *, course: str | None = None) -> Picks:
        """Make these the team's final picks, in place of the earlier ones."""
        body = {"submissions": list(submission_ids)}
        reply = self._transport.json(
            "POST", f"{self._path(slug, course)}/picks", body=body, repeatable=True
        )
        return self._transport.read(Picks.from_json, reply)

    @naming_what_there_is
    def leaderboard(
        self,
        slug: str,
        *,
        course: str | None = None,
        split: str = "public",
        track: str | None = None,
        page: int = 1,
    ) -> Board:
        """One page of the leaderboard; `split` "private" only after its release; `track` "scratch"
        or "pretrained" where pretrained weights have a track of their own."""
        params: dict[str, str | int] = {"split": split, "page": page}
        if track is not None:
            params["track"] = track
        reply = self._transport.json(
            "GET", f"{self._path(slug, course)}/leaderboard", params=params
        )
        return self._transport.read(Board.from_json, reply)

    def staff_submissions(self, slug: str, *, course: str) -> tuple[SubmissionReport, ...]:
        """Every team's submissions with both scores, newest first (staff)."""
        items = self._pages(f"/staff{self._path(slug, course)}/submissions")
        return tuple(self._transport.read(SubmissionReport.from_json, item) for item in items)

    def rejudge(self, submission_id: str, *, cause: str = "rescore") -> SubmissionReport:
        """Judge again: `rescore` the stored predictions or `rerun` the code (staff)."""
        reply = self._transport.json(
            "POST", f"/staff/submissions/{_quoted(submission_id)}/rejudge", body={"cause": cause}
        )
        return self._transport.read(SubmissionReport.from_json, reply)

    def _path(self, slug: str, course: str | None) -> str:
        return f"/courses/{_quoted(course or self.course_of(slug))}/assignments/{_quoted(slug)}"

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Each item of a list that comes in pages, linked by `next_cursor`."""
        params: dict[str, str | int] = {}
        while True:
            reply = self._transport.json("GET", path, params=params)
            yield from self._transport.read(_items, reply)
            cursor = reply.get("next_cursor") if isinstance(reply, Mapping) else None
            if not cursor:
                return
            params = {"cursor": str(cursor)}

    def _reports(self, submission_id: str, poll_seconds: float) -> Iterator[SubmissionReport]:
        """The submission now, then with each event (which holds the whole report), then by asking.

        Never ends: the caller stops at the report that satisfies it.
        """
        yield self.submission(submission_id)
        for data in self._transport.events(f"/submissions/{_quoted(submission_id)}/events"):
            yield self._transport.read(_report_of_event, data)
        while True:
            yield self.submission(submission_id)
            time.sleep(poll_seconds)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _claims_field(claims: Mapping[str, str] | None) -> dict[str, str]:
    """The form field `claims`: lines of TOML, as in `claims.toml`."""
    lines = [f"{metric} = {json.dumps(text)}" for metric, text in (claims or {}).items()]
    return {"claims": "\n".join(lines)} if lines else {}


def _declared_field(declared: Sequence[str] | None) -> dict[str, str]:
    return {} if declared is None else {"declared": ",".join(declared) or "none"}


@contextmanager
def _as_file(path: Path) -> Iterator[Path]:
    """The file to upload: `path` itself, or a temporary zip of the bundle folder `path`."""
    if not path.is_dir():
        yield path
        return
    from grader.bundles.bundle import pack_bundle

    with tempfile.TemporaryDirectory(prefix="grader-") as folder:
        packed = Path(folder) / f"{path.resolve().name}.zip"
        pack_bundle(path, packed)
        yield packed


def _sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _items(reply: Any) -> Sequence[Mapping[str, Any]]:
    """The items of a list reply: a bare array, or an object with `items`."""
    return [_mapping(item) for item in (reply if isinstance(reply, list) else reply["items"])]


def _report_of_event(data: str) -> SubmissionReport:
    return SubmissionReport.from_json(json.loads(data))


def _mapping(reply: Any) -> Mapping[str, Any]:
    if not isinstance(reply, Mapping):
        raise TypeError("an object was expected")
    return reply


def _quoted(text: str) -> str:
    return quote(text, safe="")
