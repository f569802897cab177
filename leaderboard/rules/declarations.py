"""What a team declares at hand-in: which of the things that the rules speak of went into it."""

from __future__ import annotations

from collections.abc import Sequence

from grader.settings.tables import Rules
from grader.words.message import said
from leaderboard.errors import AgainstTheRules, BadRequest

PRETRAINED = "pretrained"
EXTERNAL_DATA = "external_data"
SUBJECTS = (PRETRAINED, EXTERNAL_DATA)
NOTHING = "none"

_FORBIDDEN = {
    PRETRAINED: said("rules.pretrained"),
    EXTERNAL_DATA: said("rules.external_data"),
}


def forbidden(rules: Rules) -> tuple[str, ...]:
    """What must not have been used."""
    return tuple(each for each in SUBJECTS if getattr(rules, each) == "forbidden")


def is_own_track(rules: Rules) -> bool:
    """Whether pretrained weights may be used if it is said that they were."""
    return rules.pretrained == "own track"


def is_asked(rules: Rules) -> bool:
    """Whether the assignment wants a declaration: something is forbidden or has its own track."""
    return bool(forbidden(rules)) or is_own_track(rules)


def read(text: str) -> tuple[str, ...] | None:
    """A declaration as `--declare`, the form and the API send it: what was used, separated by
    commas; `none` for nothing of it. None where nothing was declared.

    Raises:
        BadRequest: there is another word.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        return None
    unknown = next((word for word in words if word not in (*SUBJECTS, NOTHING)), None)
    if unknown is not None or (NOTHING in words and len(words) > 1):
        raise BadRequest(said("rules.unknown_declaration"))
    return tuple(each for each in SUBJECTS if each in words)


def as_text(declared: Sequence[str] | None) -> str:
    """A declaration as `read` takes it.

    >>> as_text(["pretrained"]), as_text([]), as_text(None)
    ('pretrained', 'none', '')
    """
    return "" if declared is None else ",".join(declared) or NOTHING


def check(rules: Rules, declared: Sequence[str] | None) -> None:
    """Refuse what is declared to be against the rules.

    Raises:
        AgainstTheRules: the assignment forbids it.
    """
    for each in forbidden(rules):
        if declared and each in declared:
            raise AgainstTheRules(_FORBIDDEN[each])
