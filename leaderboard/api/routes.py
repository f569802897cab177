"""The routes of students and of their command line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flask import Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.accounts import accounts, courses
from leaderboard.accounts.scopes import of as scopes_of
from leaderboard.api.blueprint import PAGE_LENGTH, blueprint, body, items, text_of, whole_number
from leaderboard.api.bodies import Picks, ReceiptKey, Token
from leaderboard.api.openapi import document
from leaderboard.assignments import downloads
from leaderboard.cases import reading
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotFound
from leaderboard.messages import sentences
from leaderboard.models import Assignment, Split, Team, Track
from leaderboard.queue import watching
from leaderboard.rules import declarations, quota_ledger, schedule
from leaderboard.state import current_state
from leaderboard.submissions import accept, cancelling, claims, uploads
from leaderboard.views import course as course_views
from leaderboard.views import report as views
from leaderboard.views import stored
from leaderboard.views.board import page_of, student_board
from leaderboard.views.shapes import as_json

_MAX_ROWS = 500


@blueprint.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """This API, described for programs."""
    return jsonify(document())


@blueprint.get("/receipt-key")
def receipt_key() -> ResponseReturnValue:
    """The public key (Ed25519, base64) that receipts can be verified with, offline."""
    receipts = current_state().receipts
    key = ReceiptKey(
        key_id=receipts.key_id,
        public_key=receipts.public_key,
        algorithm="Ed25519 over the receipt without its signature, as JSON with sorted keys",
    )
    return jsonify(as_json(key))


@blueprint.post("/tokens")
def make_token() -> ResponseReturnValue:
    """Exchange e-mail (or student number) and password for a token."""
    fields = body()
    now = utcnow()
    user = accounts.check_password(
        g.session,
        email=courses.address_of_login(g.session, text_of(fields, "email")),
        password=text_of(fields, "password"),
        address=request.remote_addr or "",
        now=now,
    )
    scopes = fields.get("scopes", ["read", "submit"])
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        raise BadRequest(said("request.scopes"))
    issued = accounts.issue_token(
        g.session,
        user,
        name=text_of(fields, "name", default="API"),
        scopes=tuple(scopes),
        now=now,
        lifetime=timedelta(days=current_state().settings.token_days),
    )
    reply = Token(
        token=issued.secret, scopes=scopes_of(issued.token), expires_at=issued.token.expires_at
    )
    return jsonify(as_json(reply)), 201, {"Cache-Control": "no-store"}


@blueprint.get("/me")
def me() -> ResponseReturnValue:
    """Who the token speaks for, and their courses."""
    user = policy.require_scope("read")
    found = policy.my_courses(g.session, user)
    return jsonify(as_json(course_views.account(user, found)))


@blueprint.get("/courses/<course>/assignments")
def assignments(course: str) -> ResponseReturnValue:
    """The assignments of a course."""
    access = policy.course_access(g.session, policy.require_scope("read"), course)
    found = courses.assignments(g.session, access.course)
    return items(tuple(_entry(each, access) for each in found))


@blueprint.get("/courses/<course>/assignments/<slug>")
def assignment(course: str, slug: str) -> ResponseReturnValue:
    """One assignment: what is asked, until when, within which limits."""
    access, found = assignment_of(course, slug)
    return jsonify(as_json(_entry(found, access, readme=True)))


@blueprint.get("/courses/<course>/assignments/<slug>/pack")
def pack(course: str, slug: str) -> ResponseReturnValue:
    """The public pack, a zip."""
    access, found = assignment_of(course, slug)
    if not access.is_staff:
        schedule.check_opened(found, access.team, utcnow())
    return downloads.pack(found)


@blueprint.post("/courses/<course>/assignments/<slug>/submissions")
def hand_in(course: str, slug: str) -> ResponseReturnValue:
    """Hand a file in (multipart: file, message; header Idempotency-Key)."""
    access, found = may_submit(course, slug)
    team = own_team(access)
    accept.check_open(found, team, g.started_at)  # before the body is read
    upload = uploads.receive(found)
    accepted = accept.accept(
        g.session,
        current_state(),
        assignment=found,
        team=team,
        user=access.user,
        upload=upload,
        started_at=uploads.counts_from(),
        message=request.form.get("message", ""),
        claims=claims.read(request.form.get("claims", "")),
        declared=declarations.read(request.form.get("declared", "")),
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
    return reply_to(accepted, access), 201 if accepted.created else 200


def reply_to(accepted: accept.Accepted, access: policy.Access) -> Response:
    """The report of a hand-in, with what is to be warned of."""
    made = accepted.submission
    g.submission = made.public_id  # for the request's line in the log
    is_staff = views.reads_as_staff(access)
    read = stored.read(g.session, [made], staff=is_staff, quota=accepted.quota)
    report = views.report(g.session, made, access, read=read)
    report = replace(
        report,
        warnings=tuple(map(sentences.in_words, accepted.warnings)),
        warnings_said=tuple(each.as_data() for each in accepted.warnings),
    )
    return jsonify(as_json(report))


@blueprint.get("/courses/<course>/assignments/<slug>/submissions")
def team_submissions(course: str, slug: str) -> ResponseReturnValue:
    """The team's submissions, newest first; `cursor` continues a page."""
    access, found = assignment_of(course, slug)
    team = own_team(access)
    before = whole_number("cursor", 0, low=1, high=1 << 60) or None
    theirs = accept.submissions_of_team(
        g.session, found, team, limit=PAGE_LENGTH + 1, before_id=before
    )
    page = theirs[:PAGE_LENGTH]
    more = str(page[-1].id) if len(theirs) > PAGE_LENGTH else None
    return items(views.reports(g.session, page, access), more)


@blueprint.get("/courses/<course>/assignments/<slug>/leaderboard")
def leaderboard(course: str, slug: str) -> ResponseReturnValue:
    """One page of the board, with an ETag."""
    access, found = assignment_of(course, slug)
    split = request.args.get("split", Split.PUBLIC.value)
    if split not in set(Split):
        raise BadRequest(said("request.split"))
    track = request.args.get("track", Track.ALL.value)
    if track not in set(Track):
        raise BadRequest(said("request.track"))
    board = student_board(
        g.session,
        found,
        access,
        split=Split(split),
        track=Track(track),
        page=whole_number("page", 1, low=1, high=10**9),
        per_page=whole_number("per_page", 100, low=1, high=_MAX_ROWS),
        compare=True,
    )
    response = jsonify(as_json(page_of(found, board)))
    response.add_etag()
    return response.make_conditional(request)


@blueprint.get("/courses/<course>/assignments/<slug>/quota")
def quota(course: str, slug: str) -> ResponseReturnValue:
    """What is left of today's limit, and where the rest went."""
    access, found = assignment_of(course, slug)
    team, now = own_team(access), utcnow()
    left = accept.quota(g.session, found, team, now)
    of_day = course_views.QuotaOfDay(
        **vars(left),
        time_zone=found.course.time_zone,
        entries=quota_ledger.of_day(g.session, found, team, now, used=left.used),
    )
    return jsonify(as_json(of_day))


@blueprint.post("/courses/<course>/assignments/<slug>/picks")
def picks(course: str, slug: str) -> ResponseReturnValue:
    """Make these submissions the team's final picks, in place of the earlier ones."""
    access, found = assignment_of(course, slug, scope="submit")
    wanted = body().get("submissions")
    if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
        raise BadRequest(said("request.submissions"))
    picked = accept.pick_finals(
        g.session, found, own_team(access), wanted, actor=access.user, now=utcnow()
    )
    return jsonify(as_json(Picks(submissions=[each.public_id for each in picked])))


@blueprint.get("/submissions/<public_id>")
def submission(public_id: str) -> ResponseReturnValue:
    """One submission as it stands now."""
    user = policy.require_scope("read")
    access, found = reading.submission_access(g.session, user, public_id)
    return jsonify(as_json(views.report(g.session, found, access)))


@blueprint.post("/submissions/<public_id>/cancel")
def cancel(public_id: str) -> ResponseReturnValue:
    """Withdraw what waits or runs: its team, or staff. Repeatable."""
    access, found = policy.submission_access(g.session, policy.require_scope("submit"), public_id)
    cancelling.cancel(g.session, found, actor=access.user, is_staff=access.is_staff)
    return jsonify(as_json(views.report(g.session, found, access)))


@blueprint.get("/submissions/<public_id>/events")
def submission_events(public_id: str) -> ResponseReturnValue:
    """Its progress as server-sent events, until it is finished."""
    access, found = policy.submission_access(g.session, policy.require_scope("read"), public_id)
    make = views.staff_report if views.reads_as_staff(access) else views.student_report
    return watching.response(
        current_state().watcher,
        found.id,
        access.user.id,
        lambda session, submission: as_json(make(session, submission)),
    )


def assignment_of(
    course: str, slug: str, *, scope: str = "read"
) -> tuple[policy.Access, Assignment]:
    return policy.assignment_access(g.session, policy.require_scope(scope), course, slug)


def may_submit(course: str, slug: str) -> tuple[policy.Access, Assignment]:
    """Who hands in to an assignment, and to which: by a token for all, or for this one alone.

    Raises:
        Forbidden: the token is for something else, which need not be there.
    """
    user, only = policy.require_user(), policy.narrowed_to()
    is_here = only is not None and only.course.code == course
    asked = courses.called(g.session, only.course, slug) if only is not None and is_here else None
    policy.require_scope("submit", narrow=asked)
    return policy.assignment_access(g.session, user, course, slug)


def own_team(access: policy.Access) -> Team:
    if access.team is None:
        raise NotFound(said("team.none"))
    return access.team


def _entry(
    found: Assignment, access: policy.Access, *, readme: bool = False
) -> course_views.AssignmentEntry:
    most = accept.max_upload_bytes(current_state(), found)
    return course_views.assignment_entry(found, access.team, max_upload_bytes=most, readme=readme)
