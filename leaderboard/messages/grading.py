"""States of grades and decisions about them, in the reader's words."""

from __future__ import annotations

from flask_babel import gettext as _

from leaderboard.messages.words import Badge


def grade_state(state: str) -> Badge:
    """Return what a grade is, beside its value."""
    badges = {
        "ready": Badge(title=_("ready"), tone="good"),
        "pending": Badge(title=_("pending"), tone="warn"),
        "missing": Badge(title=_("missing"), tone="bad"),
        "excused": Badge(title=_("excused"), tone=""),
        "withdrawn": Badge(title=_("withdrawn"), tone=""),
        "auditing": Badge(title=_("auditing"), tone=""),
    }
    return badges[state]


def mark_title(kind: str) -> str:
    """Return what was decided about a grade, as a title."""
    titles = {
        "override": _("This grade instead"),
        "factor": _("Factor within the team"),
        "excused": _("Excused"),
        "withdrawn": _("Withdrawn from the course"),
        "auditing": _("Auditing the course"),
    }
    return titles[kind]


def mark_hint(kind: str) -> str:
    """Return what a decision does."""
    hints = {
        "override": _("It counts whatever was submitted."),
        "factor": _("Of the exact grade, before days late are taken off; 1 changes nothing."),
        "excused": _("There is no grade, and none is missing."),
        "withdrawn": _("No grade in any assignment of the course."),
        "auditing": _("Takes part in everything, without a grade in any assignment."),
    }
    return hints[kind]
