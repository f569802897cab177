"""Courses and assignments that are not there: which there are, and which was likely meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from grader.errors import ApiError, Owner
from grader.words.message import Message, said

if TYPE_CHECKING:
    from grader.client.replies import Account, AssignmentEntry

P = ParamSpec("P")
T = TypeVar("T")
_FOUND_NOTHING = 404


class Courses(Protocol):
    """Whoever can say which courses and assignments there are: a client."""

    def me(self) -> Account: ...

    def assignments(self, course: str | None = None) -> tuple[AssignmentEntry, ...]: ...


def lacking(assignment: str, known: Sequence[str], course: str | None = None) -> ApiError:
    """The error that there is no such assignment, in one's courses or in one of them.

    >>> str(lacking("fashion_mnist", ["fashion-mnist", "pets"]))
    "none of your courses has an assignment 'fashion_mnist': did you mean 'fashion-mnist'?"
    """
    nearest = difflib.get_close_matches(assignment, known, n=1, cutoff=0.5)
    listed = ", ".join(sorted(known)) or "none"
    if nearest and course:
        told = said("exchange.course_without_it", course=repr(course), assignment=repr(assignment))
    elif nearest:
        told = said("exchange.courses_without_it", assignment=repr(assignment))
    elif course:
        told = said(
            "exchange.not_in_course", course=course, assignment=repr(assignment), known=listed
        )
    else:
        told = said("exchange.no_assignment", assignment=repr(assignment), known=listed)
    return _not_found(_with_nearest(told, nearest))


def not_enrolled(course: str, codes: Sequence[str]) -> ApiError:
    """The error that one is in no such course.

    >>> str(not_enrolled("dl-2025", ["dl-2026", "cv"]))
    "you are not enrolled in 'dl-2025': did you mean 'dl-2026'?"
    """
    if not codes:
        return _not_found(said("exchange.no_course"))
    nearest = difflib.get_close_matches(course, codes, n=1)
    if nearest:
        return _not_found(
            _with_nearest(said("exchange.not_enrolled_in", course=repr(course)), nearest)
        )
    return _not_found(
        said("exchange.not_enrolled", course=repr(course), courses=", ".join(sorted(codes)))
    )


def naming_what_there_is(method: Callable[P, T]) -> Callable[P, T]:
    """Where a method of `Client` about an assignment of a course finds nothing, say what there is.

    It is asked for only then: what is there takes no request more.
    """

    @wraps(method)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except ApiError as error:
            course = kwargs.get("course")
            if error.status != _FOUND_NOTHING or not course:
                raise
            client = cast(Courses, args[0])
            slug: Any = kwargs.get("assignment") or args[1]
            raise _why(client, str(slug), str(course)) or error from error

    return asked


def _why(client: Courses, slug: str, course: str) -> ApiError | None:
    """Which of the two is not there; None where both are, or the token may not ask."""
    try:
        codes = [each.code for each in client.me().courses]
    except ApiError:
        return None
    if course not in codes:
        return not_enrolled(course, codes)
    known = [each.slug for each in client.assignments(course)]
    return None if slug in known else lacking(slug, known, course)


def _with_nearest(told: Message, nearest: Sequence[str]) -> Message:
    return said("exchange.nearest", told=told, nearest=repr(nearest[0])) if nearest else told


def _not_found(told: Message) -> ApiError:
    return ApiError("not_found", told, owner=Owner.STUDENT, status=_FOUND_NOTHING)
