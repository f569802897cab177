"""What can be refused, and how it is said. Pages and API render the same exceptions.

RequestError                 code, http_status, owner, detail, problems, retry_after
├── NotFound                 404  nothing here, or not theirs: the two look the same
├── SignInRequired           401  no valid session or token
├── Forbidden                403  theirs, but this token or role may not do it
├── BadRequest               400  the request cannot be read
├── SignInRefused            401/429  wrong password, or too many tries
├── TooManyRequests          429  too often: wait
├── LinkInvalid              410  an invitation or password link that is too old or used
├── NotAllowedNow            409  the state of the thing forbids it
├── OutOfService             503  ours: try again
│   └── DiskFull             503  no room for uploads; everything else goes on
└── AcceptError              a hand-in that was not accepted (nothing is stored)
    ├── AssignmentClosed     403  before it opens or after it closes
    ├── QuotaExceeded        429  the daily limit, or too many rejected uploads
    ├── KindNotAllowed       422  this assignment takes no such file
    ├── IdempotencyConflict  409  the key was used for another file
    ├── TooLarge             413  over the size limit
    ├── EmptyUpload          422  no file, or nothing in it
    └── SandboxMissing       503  code cannot be run on this server
"""

from __future__ import annotations

from collections.abc import Sequence

from grader import Owner, Problem
from grader.words.message import Message, said


class RequestError(Exception):
    """Something asked for is refused; `detail` is one clear sentence for whoever asked, which pages
    and API say in their language."""

    code = "refused"
    http_status = 400
    owner = Owner.STUDENT

    def __init__(
        self,
        detail: Message,
        *,
        problems: Sequence[Problem] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)
        self.retry_after = retry_after  # seconds


class NotFound(RequestError):
    code = "not_found"
    http_status = 404

    def __init__(self, detail: Message | None = None) -> None:
        super().__init__(detail or said("access.nothing_here"))


class SignInRequired(RequestError):
    code = "sign_in_required"
    http_status = 401

    def __init__(self, detail: Message | None = None) -> None:
        super().__init__(detail or said("access.sign_in"))


class Forbidden(RequestError):
    code = "forbidden"
    http_status = 403


class BadRequest(RequestError):
    code = "bad_request"
    http_status = 400


class AccountExists(BadRequest):
    """The address of a new account has one."""


class SignInRefused(RequestError):
    code = "sign_in_refused"
    http_status = 401


class TooManyTries(SignInRefused):
    code = "too_many_tries"
    http_status = 429


class TooManyRequests(RequestError):
    code = "too_many_requests"
    http_status = 429


class LinkInvalid(RequestError):
    code = "link_invalid"
    http_status = 410


class NotAllowedNow(RequestError):
    code = "not_allowed_now"
    http_status = 409


class OutOfService(RequestError):
    code = "out_of_service"
    http_status = 503
    owner = Owner.PLATFORM


class DiskFull(OutOfService):
    code = "disk_full"

    def __init__(self) -> None:
        super().__init__(
            said("server.disk_full"),
            retry_after=600,
        )


class AcceptError(RequestError):
    """A hand-in was not accepted; nothing of it is kept and no quota was spent."""


class AssignmentClosed(AcceptError):
    code = "assignment_closed"
    http_status = 403


class QuotaExceeded(AcceptError):
    code = "quota_exceeded"
    http_status = 429


class KindNotAllowed(AcceptError):
    code = "kind_not_allowed"
    http_status = 422


class AgainstTheRules(AcceptError):
    code = "against_the_rules"
    http_status = 422


class IdempotencyConflict(AcceptError):
    code = "idempotency_conflict"
    http_status = 409


class TooLarge(AcceptError):
    code = "too_large"
    http_status = 413


class EmptyUpload(AcceptError):
    code = "empty_upload"
    http_status = 422


class SandboxMissing(AcceptError):
    code = "sandbox_missing"
    http_status = 503
    owner = Owner.PLATFORM
