"""What a team says its report claims, held against what was measured."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import grader
from grader.bounded_toml import TomlLimits, read_toml, told
from grader.claims.claims import Evidence, Finding, WrongClaim, examine, parse_claims
from grader.words.message import said
from leaderboard.errors import BadRequest

_LONGEST = 4000  # characters; a dozen figures take a few hundred
_LIMITS = TomlLimits(size=_LONGEST, parts=2, depth=0)


def read(text: str) -> dict[str, str]:
    """Claims as a form or `--claim` sends them: lines `metric = figure`, TOML like `claims.toml`.

    Raises:
        BadRequest: with what is wrong.
    """
    if len(text) > _LONGEST:
        raise BadRequest(said("claims.too_long", most=_LONGEST))
    try:
        return of_table(read_toml(text, _LIMITS))
    except WrongClaim as error:
        raise BadRequest(said("claims.unreadable", error=error.problem)) from error
    except tomllib.TOMLDecodeError as error:
        raise BadRequest(said("claims.unreadable", error=told(error))) from error


def of_table(table: Mapping[str, object]) -> dict[str, str]:
    """Claims of a bundle's `claims.toml`, by metric, as they were printed.

    Raises:
        WrongClaim: a metric is unknown, or its figure is no number.
    """
    return {claim.metric: claim.printed.text for claim in parse_claims(table)}


def findings(
    claims: Mapping[str, str],
    test: Mapping[str, Any],
    public: Mapping[str, Any] | None = None,
) -> tuple[Finding, ...]:
    """Each claim held against a score's JSON form: of the one split that the reader may see, or,
    after release, of the private split with the public one beside it."""
    measured = grader.Score.from_dict(dict(test))
    beside = grader.Score.from_dict(dict(public)) if public else None
    return examine(parse_claims(claims), Evidence.of_scores(measured, beside))
