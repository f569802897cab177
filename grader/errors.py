"""Every error of this package, and whose it is.

::

    GraderError                     owner, code
    ├── AssignmentError             course: the assignment folder is wrong; file, line, nearest key
    ├── InvalidSubmission           student: what was handed in can't be graded; carries problems
    │   ├── InvalidPredictions      a CSV
    │   └── InvalidBundle           a code bundle
    ├── MetricUnavailable           student: the metric needs score columns that are not there
    ├── ClientError                 between the command line and the server
    │   ├── NetworkError            the server can't be reached
    │   ├── AuthError               not signed in, or not allowed
    │   └── ApiError                the server said no, and why
    ├── RunnerUnavailable           platform: this machine has no sandbox
    └── PlatformFault               platform: ours, and retried
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from grader.words.message import Message, data_of


class Owner(StrEnum):
    """Who can put a failure right."""

    STUDENT = "student"
    COURSE = "course"
    PLATFORM = "platform"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One kind of problem in a file: how often it occurs and where first.

    `line` counts from 1; it is None where the problem has no place (a whole archive).
    """

    kind: str
    message: Message
    line: int | None = None
    column: str | None = None
    count: int = 1
    hint: Message | Literal[""] = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON form; `message_said` and `hint_said` are codes and values of the two."""
        return {
            "kind": self.kind,
            "line": self.line,
            "column": self.column,
            "count": self.count,
            "message": self.message,
            "hint": self.hint,
            "message_said": data_of(self.message),
            "hint_said": data_of(self.hint),
        }

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line is not None else ""
        if self.column:
            place = f"{place}, column {self.column}" if place else f"column {self.column}"
        times = f" ({self.count:,} in all, the first here)" if self.count > 1 else ""
        hint = f" Hint: {self.hint}" if self.hint else ""
        return f"{place}{': ' if place else ''}{self.message}{times}{hint}"


class GraderError(Exception):
    """Anything that this package refuses to do, and who can put it right."""

    owner: Owner = Owner.PLATFORM
    code: str = "grader_error"

    @property
    def said(self) -> str:
        """Its text, a `Message` where it has a code: `str(error)` is English and no more."""
        return str(self) if not self.args or not isinstance(self.args[0], str) else self.args[0]


class AssignmentError(GraderError):
    """The assignment folder is wrong: `problems` name the file, the line and what is expected."""

    owner = Owner.COURSE
    code = "assignment_invalid"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class InvalidSubmission(GraderError):
    """What was handed in can't be graded; `problems` say why, each with its place."""

    owner = Owner.STUDENT
    code = "submission_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidPredictions(InvalidSubmission):
    """A prediction CSV that can't be scored."""

    code = "predictions_invalid"


class InvalidBundle(InvalidSubmission):
    """A code bundle that can't be unpacked safely or lacks a part of the contract."""

    code = "bundle_invalid"


class MetricUnavailable(GraderError):
    """The metric needs class scores, or probabilities, that the predictions do not hold."""

    owner = Owner.STUDENT
    code = "metric_unavailable"


class ClientError(GraderError):
    """The exchange between the command line and a server failed."""

    code = "client_error"


class NetworkError(ClientError):
    """The server could not be reached."""

    code = "network"


class NotConnected(NetworkError):
    """No connection came about at all, so nothing was sent."""


class AuthError(ClientError):
    """Not signed in, or not allowed."""

    owner = Owner.STUDENT
    code = "auth"


class ApiError(ClientError):
    """The server refused: its `code`, `detail` and `errors` as it gave them (RFC 9457)."""

    def __init__(
        self,
        code: str,
        detail: str,
        errors: Sequence[dict[str, object]] = (),
        *,
        status: int = 0,
        owner: Owner = Owner.PLATFORM,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.status = status
        self.owner = owner


class RunnerUnavailable(GraderError):
    """This machine can't run code submissions; the message is one clear sentence."""

    code = "runner_unavailable"


class PlatformFault(GraderError):
    """Something of ours failed; the evaluation is tried again and nobody's quota pays for it."""

    code = "platform_fault"
