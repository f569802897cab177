"""The routes of students and of their command line."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from flask import g, jsonify, request
from flask.typing import ResponseReturnValue

from leaderboard import (
    cancelling,
    catalog,
    claims,
    courses,
    declarations,
    downloads,
    events,
    quota_ledger,
    sentences,
    standings,
    submissions,
    uploads,
    views,
)
from leaderboard.api.blueprint import blueprint, body, text_of, whole_number
from leaderboard.api.openapi import document
from leaderboard.auth import policy, service
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotFound
from leaderboard.models import Assignment, Split, Team, Track
from leaderboard.standings import Board, BoardRow
from leaderboard.state import current_state

_MAX_ROWS = 500
_PAGE_LENGTH = 100


@blueprint.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """This API, described for programs."""
    return jsonify(document())


@blueprint.get("/receipt-key")
def receipt_key() -> ResponseReturnValue:
    """The public key (Ed25519, base64) that receipts can be verified with, offline."""
    receipts = current_state().receipts
    return {
        "key_id": receipts.key_id,
        "public_key": receipts.public_key,
        "algorithm": "Ed25519 over the receipt without its signature, as JSON with sorted keys",
    }


@blueprint.post("/tokens")
def make_token() -> ResponseReturnValue:
    """Exchange e-mail and password for a token."""
    fields = body()
    now = utcnow()
    user = service.check_password(
        g.session,
        email=text_of(fields, "email"),
        password=text_of(fields, "password"),
        address=request.remote_addr or "",
        now=now,
    )
    scopes = fields.get("scopes", ["read", "submit"])
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        raise BadRequest("'scopes' must be a list of words.")
    issued = service.issue_token(
        g.session,
        user,
        name=text_of(fields, "name", default="API"),
        scopes=tuple(scopes),
        now=now,
        lifetime=timedelta(days=current_state().settings.token_days),
    )
    reply = {
        "token": issued.secret,
        "scopes": issued.token.scopes,
        "expires_at": issued.token.expires_at.isoformat(),
    }
    return reply, 201, {"Cache-Control": "no-store"}


@blueprint.get("/me")
def me() -> ResponseReturnValue:
    """Who the token speaks for, and their courses."""
    user = policy.require_scope("read")
    return {
        "name": user.name,
        "email": user.email,
        "courses": [
            {
                "code": access.course.code,
                "title": access.course.title,
                "role": access.role.value,
                "team": access.team.name if access.team else None,
            }
            for access in policy.my_courses(g.session, user)
        ],
    }


@blueprint.get("/courses/<course>/assignments")
def assignments(course: str) -> ResponseReturnValue:
    """The assignments of a course."""
    access = policy.course_access(g.session, policy.require_scope("read"), course)
    found = courses.assignments(g.session, access.course)
    return {"items": [_assignment_json(each) for each in found], "next_cursor": None}


@blueprint.get("/courses/<course>/assignments/<slug>")
def assignment(course: str, slug: str) -> ResponseReturnValue:
    """One assignment: what is asked, until when, within which limits."""
    _, found = _assignment(course, slug)
    return {**_assignment_json(found), "readme": found.readme}


@blueprint.get("/courses/<course>/assignments/<slug>/pack")
def pack(course: str, slug: str) -> ResponseReturnValue:
    """The public pack, a zip."""
    _, found = _assignment(course, slug)
    return downloads.pack(found)


@blueprint.post("/courses/<course>/assignments/<slug>/submissions")
def hand_in(course: str, slug: str) -> ResponseReturnValue:
    """Hand a file in (multipart: file, message; header Idempotency-Key)."""
    access, found = _assignment(course, slug, scope="submit")
    team = _own_team(access)
    submissions.check_open(found, team, g.started_at)  # before the body is read
    upload = uploads.receive(found)
    accepted = submissions.accept(
        g.session,
        current_state(),
        assignment=found,
        team=team,
        user=access.user,
        upload=upload,
        started_at=g.started_at,
        message=request.form.get("message", ""),
        claims=claims.read(request.form.get("claims", "")),
        declared=declarations.read(request.form.get("declared", "")),
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
    report = views.report(g.session, accepted.submission, access)
    status = 201 if accepted.created else 200
    return {**report, "warnings": [sentences.in_words(each) for each in accepted.warnings]}, status


@blueprint.get("/courses/<course>/assignments/<slug>/submissions")
def team_submissions(course: str, slug: str) -> ResponseReturnValue:
    """The team's submissions, newest first; `cursor` continues a page."""
    access, found = _assignment(course, slug)
    team = _own_team(access)
    before = whole_number("cursor", 0, low=1, high=1 << 60) or None
    theirs = courses.submissions_of_team(
        g.session, found, team, limit=_PAGE_LENGTH + 1, before_id=before
    )
    page = theirs[:_PAGE_LENGTH]
    return {
        "items": [views.report(g.session, each, access) for each in page],
        "next_cursor": str(page[-1].id) if len(theirs) > _PAGE_LENGTH else None,
    }


@blueprint.get("/courses/<course>/assignments/<slug>/leaderboard")
def leaderboard(course: str, slug: str) -> ResponseReturnValue:
    """One page of the board, with an ETag."""
    access, found = _assignment(course, slug)
    split = request.args.get("split", Split.PUBLIC.value)
    if split not in set(Split):
        raise BadRequest("'split' must be public or private.")
    track = request.args.get("track", Track.ALL.value)
    if track not in set(Track):
        raise BadRequest("'track' must be all, scratch or pretrained.")
    board = views.student_board(
        g.session,
        found,
        access,
        split=Split(split),
        track=Track(track),
        page=whole_number("page", 1, low=1, high=10**9),
        per_page=whole_number("per_page", 100, low=1, high=_MAX_ROWS),
        compare=True,
    )
    response = jsonify(_board_json(found, board))
    response.add_etag()
    return response.make_conditional(request)


@blueprint.get("/courses/<course>/assignments/<slug>/quota")
def quota(course: str, slug: str) -> ResponseReturnValue:
    """What is left of today's limit, and where the rest went."""
    access, found = _assignment(course, slug)
    team, now = _own_team(access), utcnow()
    left = submissions.quota(g.session, found, team, now)
    lines = quota_ledger.of_day(g.session, found, team, now)
    return {**views.quota_json(left), "entries": [line.as_dict() for line in lines]}


@blueprint.post("/courses/<course>/assignments/<slug>/picks")
def picks(course: str, slug: str) -> ResponseReturnValue:
    """Make these submissions the team's final picks, in place of the earlier ones."""
    access, found = _assignment(course, slug, scope="submit")
    wanted = body().get("submissions")
    if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
        raise BadRequest("The body needs 'submissions', a list of ids.")
    picked = submissions.pick_finals(
        g.session, found, _own_team(access), wanted, actor=access.user, now=utcnow()
    )
    return {"submissions": [each.public_id for each in picked]}


@blueprint.get("/submissions/<public_id>")
def submission(public_id: str) -> ResponseReturnValue:
    """One submission as it stands now."""
    access, found = policy.submission_access(g.session, policy.require_scope("read"), public_id)
    return views.report(g.session, found, access)


@blueprint.post("/submissions/<public_id>/cancel")
def cancel(public_id: str) -> ResponseReturnValue:
    """Withdraw what waits or runs: its team, or staff. Repeatable."""
    access, found = policy.submission_access(g.session, policy.require_scope("submit"), public_id)
    cancelling.cancel(g.session, found, actor=access.user, is_staff=access.is_staff)
    return views.report(g.session, found, access)


@blueprint.get("/submissions/<public_id>/events")
def submission_events(public_id: str) -> ResponseReturnValue:
    """Its progress as server-sent events, until it is finished."""
    access, found = policy.submission_access(g.session, policy.require_scope("read"), public_id)
    render = views.staff_report if views.reads_as_staff(access) else views.student_report
    return events.response(current_state().watcher, found.id, render)


def _assignment(course: str, slug: str, *, scope: str = "read") -> tuple[policy.Access, Assignment]:
    return policy.assignment_access(g.session, policy.require_scope(scope), course, slug)


def _own_team(access: policy.Access) -> Team:
    if access.team is None:
        raise NotFound("You have no team in this course: staff do not hand in.")
    return access.team


def _assignment_json(found: Assignment) -> dict[str, Any]:
    rules = catalog.rules(found)
    return {
        "course": found.course.code,
        "slug": found.slug,
        "title": found.title,
        "group": rules.group,
        "classes": list(rules.classes),
        "metric": found.metric,
        "kinds": list(rules.submission.kinds),
        "schedule": {
            "opens": _iso(rules.schedule.opens),
            "due": _iso(rules.schedule.due),
            "closes": _iso(rules.schedule.closes),
            "time_zone": found.course.time_zone,
        },
        "daily_limit": rules.submission.daily_limit,
        "final_picks": rules.submission.final_picks,
        "max_upload_mb": submissions.max_upload_bytes(current_state(), found) >> 20,
        "test_images": rules.data.test_images,
        "feedback": rules.scoring.feedback,
        "public_board": rules.scoring.public_board,
        "rules": asdict(rules.rules),
        "limits": asdict(rules.limits),
        "pack": {"sha256": found.pack_sha256, "bytes": found.pack_bytes},
        "is_released": found.released_at is not None,
    }


def _board_json(found: Assignment, board: Board) -> dict[str, Any]:
    tracks = standings.tracks_of(found)
    return {
        "course": found.course.code,
        "assignment": found.slug,
        "split": board.split.value,
        "track": board.track.value,
        "tracks": [each.value for each in tracks],
        "metric": board.metric,
        "higher_is_better": board.higher_is_better,
        "rows": [_row(row, tracks) for row in board.rows],
        "mine": _row(board.mine, tracks) if board.mine else None,
        "total": board.total,
        "page": board.page,
        "per_page": board.per_page,
        "pages": board.pages,
    }


def _row(row: BoardRow, tracks: tuple[Track, ...]) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "team_name": row.team_name,
        "is_baseline": row.is_baseline,
        "is_mine": row.is_mine,
        # what a team declares is told to others only where it decides about its place
        **({"is_pretrained": row.is_pretrained} if Track.PRETRAINED in tracks else {}),
        "primary": row.primary,
        "accuracy": row.accuracy,
        "macro_f1": row.macro_f1,
        "interval": list(row.interval) if row.interval else None,
        "moved": row.moved,
        "indistinguishable_from": list(row.indistinguishable_from),
        "efficiency": dict(row.efficiency),
        "entries": row.entries,
        "achieved_at": row.achieved_at.isoformat(),
        "last_at": row.last_at.isoformat(),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
