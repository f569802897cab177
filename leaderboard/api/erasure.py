"""The erasure of the person that a token speaks for: asked for, waiting and why, taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from flask import g, jsonify, request
from flask.typing import ResponseReturnValue

from grader.words.message import data_of
from leaderboard.accounts import access as policy
from leaderboard.api.blueprint import blueprint, body, text_of
from leaderboard.db import utcnow
from leaderboard.messages import sentences
from leaderboard.models import User
from leaderboard.operations import privacy
from leaderboard.state import current_state
from leaderboard.views.shapes import as_json
from leaderboard.views.submission import SAID


@dataclass(frozen=True, kw_only=True)
class ErasureReason:
    """Why an erasure waits, and until when where that is known."""

    detail: str
    detail_said: Annotated[dict[str, Any] | None, SAID]
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """Whether a person is erased, or to be erased, and what that waits for."""

    asked_at: datetime | None
    is_erased: bool
    waits_for: tuple[ErasureReason, ...]


@dataclass(frozen=True, kw_only=True)
class WantedErasure:
    """The password, or the e-mail address of an account that has none."""

    confirmation: str


@blueprint.get("/me/erasure")
def erasure() -> ResponseReturnValue:
    """What an erasure would wait for, or waits for."""
    return jsonify(as_json(_of(policy.require_scope("read"))))


@blueprint.post("/me/erasure")
def ask_erasure() -> ResponseReturnValue:
    """Erase the person now, or once nothing is in the way."""
    user = policy.require_scope("submit")
    confirmation = text_of(body(), "confirmation", default="")
    waits_for = privacy.ask_oneself(
        g.session,
        current_state(),
        user,
        confirmation=confirmation,
        address=request.remote_addr or "",
    )
    return jsonify(as_json(_of(user))), 202 if waits_for else 200


@blueprint.delete("/me/erasure")
def withdraw_erasure() -> ResponseReturnValue:
    """Take it back while it waits."""
    user = policy.require_scope("submit")
    privacy.withdraw(g.session, user, actor=user)
    return jsonify(as_json(_of(user)))


def _of(user: User) -> Erasure:
    is_erased = user.erased_at is not None
    return Erasure(
        asked_at=user.erasure_asked_at,
        is_erased=is_erased,
        waits_for=tuple(
            ErasureReason(
                detail=sentences.in_words(each.said),
                detail_said=data_of(each.said),
                until=each.until,
            )
            for each in (() if is_erased else privacy.obstacles(g.session, user, utcnow()))
        ),
    )
