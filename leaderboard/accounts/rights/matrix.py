"""Kinds of people, kinds of pages, and which may use which."""

from __future__ import annotations

import enum
from typing import Final

from leaderboard.accounts.rights import routes
from leaderboard.accounts.rights.routes import Audience


class Who(enum.StrEnum):
    """What somebody is to a course when they ask for something of it."""

    ANONYMOUS = "anonymous"  # not signed in
    OUTSIDER = "outsider"  # of another course, whatever they are there
    STUDENT = "student"
    AUDITOR = "auditor"  # hands in, without a rank and without a grade
    BASELINE = "baseline"  # the program that hands the references in
    EXAMINER = "examiner"  # external: reads grades by pseudonym, until a date
    TUTOR = "tutor"  # an assistant of some sections: sees their people alone
    ASSISTANT = "assistant"
    INSTRUCTOR = "instructor"
    ADMIN = "admin"


_TEACHING: Final = frozenset({Who.ASSISTANT, Who.INSTRUCTOR, Who.ADMIN})
_SIGNED_IN: Final = frozenset(Who) - {Who.ANONYMOUS}
_ENROLLED: Final = _SIGNED_IN - {Who.OUTSIDER, Who.EXAMINER}

MATRIX: Final[dict[Audience, frozenset[Who]]] = {
    Audience.EVERYONE: frozenset(Who),
    Audience.NOBODY: frozenset(),
    Audience.AGENTS: frozenset(),
    Audience.SIGNED_IN: _SIGNED_IN,
    Audience.OWN: _SIGNED_IN,
    Audience.ENROLLED: _ENROLLED,
    Audience.GRADED: _ENROLLED - {Who.AUDITOR},
    Audience.TEAMS: frozenset({Who.STUDENT, Who.AUDITOR, Who.BASELINE}),
    Audience.RANKED_TEAMS: frozenset({Who.STUDENT, Who.BASELINE}),
    Audience.OWN_TEAM: frozenset({Who.STUDENT, Who.AUDITOR, Who.BASELINE}),
    Audience.OWN_GRADED_TEAM: frozenset({Who.STUDENT, Who.BASELINE}),
    Audience.TEAM_AND_STAFF: _ENROLLED,
    Audience.SECTION_STAFF: _TEACHING | {Who.TUTOR},
    Audience.STAFF: _TEACHING,
    Audience.EXAMINATION: frozenset({Who.EXAMINER, Who.INSTRUCTOR, Who.ADMIN}),
    Audience.INSTRUCTOR: frozenset({Who.INSTRUCTOR, Who.ADMIN}),
}
"""Who may use the routes of an audience. Where it says own, theirs alone and nobody else's."""


def may(endpoint: str, who: Who) -> bool:
    """Whether somebody like that may use a route, as far as it does not hang on whose it is.

    >>> may("people.page", Who.TUTOR), may("people.page", Who.STUDENT)
    (True, False)
    """
    return who in MATRIX[routes.AUDIENCE.get(endpoint, Audience.NOBODY)]
