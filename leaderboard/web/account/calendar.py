"""A person's due dates as a calendar, by a private link that needs no sign-in."""

from __future__ import annotations

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue

from leaderboard.accounts import access as policy
from leaderboard.accounts import courses
from leaderboard.accounts.links import Links
from leaderboard.db import utcnow
from leaderboard.rules import calendar
from leaderboard.state import current_state

calendar_pages = Blueprint("calendar", __name__)


@calendar_pages.get("/calendar/<secret>.ics")
def feed(secret: str) -> ResponseReturnValue:
    """The dates of everything in the courses of whose link it is."""
    settings = current_state().settings
    user = Links(settings.secret_key).calendar(g.session, secret)
    entries = [
        (assignment, access.team)
        for access in policy.my_courses(g.session, user)
        for assignment in courses.assignments(g.session, access.course)
    ]
    base = settings.public_url or request.host_url.rstrip("/")
    return Response(
        calendar.feed(entries, base_url=base, now=utcnow()),
        mimetype="text/calendar",
        headers={"Cache-Control": "private, max-age=900", "Referrer-Policy": "no-referrer"},
    )
