"""The words of notices and mails, made when they are read or sent, in the person's language."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from flask_babel import force_locale, ngettext
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from leaderboard.accounts.links import RESET_LASTS, WELCOME_LASTS, Links
from leaderboard.config import Settings
from leaderboard.messages import words
from leaderboard.messages.alarms import alarm_words
from leaderboard.messages.language import LANGUAGES, init_languages
from leaderboard.models import CaseEntry, Invitation, Letter, Notice, OutgoingMail, User


@dataclass(frozen=True, kw_only=True)
class Written:
    """A mail's words, and where it goes."""

    address: str
    language: str
    subject: str
    text: str


def compose(session: Session, settings: Settings, row: OutgoingMail) -> Written:
    """The mail of an outbox row, with its link signed now."""
    language = row.locale if row.locale in LANGUAGES else settings.default_locale
    user = session.get(User, row.user_id) if row.user_id is not None else None
    with _speaking(language):
        if row.kind in set(Letter):
            subject, lines = _letter(session, settings, row, user)
        else:
            subject, lines = _of_notice(settings, row)
    greeting = [user.name, ""] if user else []
    return Written(
        address=user.email if user else row.address or "",
        language=language,
        subject=_one_line(subject),
        text="\n".join([*greeting, *lines]) + "\n",
    )


def sentence(kind: str, details: Mapping[str, Any]) -> str:
    """What a notice says."""
    facts = {name: details.get(name) or "" for name in ("assignment", "submission", "team")}
    if "case" in details:
        return _case_sentence(details)
    if kind == Notice.SCORED and "before" in details:
        return _moved_sentence(details, facts["submission"])
    if kind == Notice.SCORED:
        score = details.get("score")
        return _(
            "“%(submission)s” was scored: %(metric)s %(score)s",
            submission=facts["submission"],
            metric=words.metric_title(details.get("metric", "")),
            score="–" if score is None else f"{score:.4f}",
        )
    if kind == Notice.FAILED:
        return _(
            "“%(submission)s” was not scored: %(verdict)s",
            submission=facts["submission"],
            verdict=words.state_words("finished", details["verdict"]).title,
        )
    if "words" in details:
        return _(
            "The teaching team wrote about %(title)s: %(words)s",
            title=details["assignment"],
            words=details["words"],
        )
    if "missing" in details:
        return _missing_sentence(details)
    if "extension" in details:
        return _extension_sentence(details)
    if kind == Notice.DEADLINE:
        return _(
            "%(assignment)s is due at %(due)s (%(zone)s)",
            assignment=facts["assignment"],
            due=_due(details),
            zone=details["zone"],
        )
    if "regrade" in details:
        return _regrade_sentence(details["regrade"], facts)
    if "grade" in details:
        return _grade_sentence(facts["assignment"], number=details["grade"])
    if kind == Notice.RELEASED:
        return _("The final results of %(assignment)s are out", assignment=facts["assignment"])
    return _team_sentence(details.get("what", ""), facts["team"])


def _regrade_sentence(what: str, facts: Mapping[str, str]) -> str:
    """That something was written in a thread about a grade."""
    if what == "answer":
        return _(
            "The teaching team answered about your grade of %(assignment)s",
            assignment=facts["assignment"],
        )
    return _(
        "The team %(team)s asks about its grade of %(assignment)s",
        team=facts["team"],
        assignment=facts["assignment"],
    )


def _grade_sentence(assignment: str, *, number: int) -> str:
    """That there is a grade, and never which: mails are read by many."""
    if number == 1:
        return _("Your grade of %(assignment)s is published", assignment=assignment)
    return _("Your grade of %(assignment)s has changed", assignment=assignment)


def _moved_sentence(details: Mapping[str, Any], submission: str) -> str:
    """That a score is another one without its team's doing, and why."""
    reasons = {
        "answers": _("answers were corrected"),
        "rows": _("images were withdrawn or added"),
        "classes": _("the classes changed"),
        "metric": _("another metric ranks now"),
        "rerun": _("the code was run again"),
        "entries": _("an earlier submission of your team counts no more, or counts again"),
    }
    return _(
        "“%(submission)s” was scored again, since %(reason)s: "
        "%(metric_before)s %(before)s → %(metric)s %(score)s",
        submission=submission,
        reason=reasons[details["reason"]],
        metric_before=words.metric_title(details["metric_before"]),
        before=f"{details['before']:.4f}",
        metric=words.metric_title(details["metric"]),
        score=f"{details['score']:.4f}",
    )


def _case_sentence(details: Mapping[str, Any]) -> str:
    """What was done in a case, without its reason."""
    about = {"submission": details["submission"]}
    if details["step"] == "notice":
        until = datetime.fromisoformat(details["until"]).astimezone(ZoneInfo(details["zone"]))
        return _(
            "The teaching team has a question about “%(submission)s”; you may reply until "
            "%(until)s (%(zone)s)",
            until=f"{until:%Y-%m-%d %H:%M}",
            zone=details["zone"],
            **about,
        )
    sentences = {
        "opened": _("A case was opened about “%(submission)s”", **about),
        "reply": _(
            "The team %(team)s replied about “%(submission)s”", team=details["team"], **about
        ),
        "closed": _("The question about “%(submission)s” is settled: it stands", **about),
        "voided": _("“%(submission)s” is voided: it counts no more", **about),
        "restored": _("“%(submission)s” counts again", **about),
    }
    return sentences[details["step"]]


def _team_sentence(what: str, team: str) -> str:
    sentences = {
        "joined": _("Somebody joined your team %(team)s", team=team),
        "left": _("Somebody left your team %(team)s", team=team),
        "merged": _("Another team became part of your team %(team)s", team=team),
        "renamed": _("Your team is called %(team)s now", team=team),
        "moved": _("The teaching team changed your team %(team)s", team=team),
    }
    return sentences.get(what, sentences["moved"])


def _missing_sentence(details: Mapping[str, Any]) -> str:
    """That whoever reads it has not handed in yet; their own date stands on the page."""
    if not details["due"]:
        return _("You have not submitted anything for %(title)s yet", title=details["assignment"])
    return _(
        "You have not submitted anything for %(title)s yet; for most it is due at %(due)s "
        "(%(zone)s)",
        title=details["assignment"],
        due=_due(details),
        zone=details["zone"],
    )


def _extension_sentence(details: Mapping[str, Any]) -> str:
    """What staff gave to a team, each in a sentence."""
    if details["taken_back"]:
        return _("An extension of your team was taken back; its usual dates and limits count")
    said = []
    if details["moves_dates"] and details.get("due"):
        about = {"assignment": details["assignment"], "zone": details["zone"]}
        said.append(
            _(
                "For your team, %(assignment)s is due at %(due)s (%(zone)s) now",
                due=_due(details),
                **about,
            )
        )
    elif hours := details["hours"]:
        said.append(
            ngettext(
                "Your team has %(num)s hour more for each assignment to come",
                "Your team has %(num)s hours more for each assignment to come",
                hours,
            )
        )
    if days := details["late_days"]:
        said.append(
            ngettext(
                "Your team has %(num)s late day more", "Your team has %(num)s late days more", days
            )
        )
    if limit := details["daily_limit"]:
        said.append(
            ngettext(
                "Your team has %(num)s submission a day more",
                "Your team has %(num)s submissions a day more",
                limit,
            )
        )
    return " · ".join(said)


def _due(details: Mapping[str, Any]) -> str:
    due = datetime.fromisoformat(details["due"]).astimezone(ZoneInfo(details["zone"]))
    return f"{due:%Y-%m-%d %H:%M}"


def _of_notice(settings: Settings, row: OutgoingMail) -> tuple[str, list[str]]:
    said = sentence(row.kind, row.details)
    subject = f"{row.details['assignment']}: {said}" if "submission" in row.details else said
    return subject, [
        said,
        "",
        settings.base_url + row.path,
        "",
        "-- ",
        _("You can switch these mails off: %(link)s", link=f"{settings.base_url}/account#notices"),
    ]


def _letter(
    session: Session, settings: Settings, row: OutgoingMail, user: User | None
) -> tuple[str, list[str]]:
    links = Links(settings.secret_key)
    if row.kind in (Letter.RESET, Letter.WELCOME):
        assert user is not None
        return _about_password(settings, links, row, user)
    if row.kind in (Letter.NEW_ADDRESS, Letter.ADDRESS_TAKEN, Letter.ADDRESS_CHANGED):
        return _about_address(session, settings, links, row)
    if row.kind == Letter.CASE:
        return _about_case(session, settings, row)
    if row.kind == Letter.ALARM:
        return _about_alarm(settings, row)
    if row.kind == Letter.WORDS:
        subject = _("From the teaching team: %(title)s", title=row.details["assignment"])
        return subject, [*row.details["words"].splitlines(), "", settings.base_url + row.path]
    invitation = session.get_one(Invitation, row.details["invitation"])
    if row.kind == Letter.SIGN_UP:
        link = f"{settings.base_url}/sign-up/{links.of_sign_up(invitation.id, row.address or '')}"
        subject = _("Confirm your address for %(course)s", course=invitation.course.title)
        what = _("Follow this link to make your account. It works for two days.")
        return subject, [what, "", link, "", _not_you()]
    link = f"{settings.base_url}/join/{links.of_invitation(invitation)}"
    if invitation.team is not None:
        subject = _("You are invited to the team %(team)s", team=invitation.team.name)
    else:
        subject = _("You are invited to %(course)s", course=invitation.course.title)
    return subject, [_("Follow this link to join:"), "", link, "", _not_you()]


def _about_password(
    settings: Settings, links: Links, row: OutgoingMail, user: User
) -> tuple[str, list[str]]:
    if row.kind == Letter.WELCOME:
        link = f"{settings.base_url}/password/{links.of_password(user, WELCOME_LASTS)}"
        subject = _("Your account for %(course)s", course=row.details.get("course", ""))
        what = _("The teaching team made you an account. Choose a password within two weeks:")
        return subject, [what, "", link]
    link = f"{settings.base_url}/password/{links.of_password(user, RESET_LASTS)}"
    what = _("Choose a new password by this link. It works once, for an hour:")
    return _("A new password"), [what, "", link, "", _not_you()]


def _about_address(
    session: Session, settings: Settings, links: Links, row: OutgoingMail
) -> tuple[str, list[str]]:
    if row.kind == Letter.NEW_ADDRESS:
        user = session.get_one(User, row.details["user"])
        link = f"{settings.base_url}/account/email/{links.of_address(user, row.address or '')}"
        what = _("Follow this link, signed in, to have your account under this address.")
        once = _("It works once, for a day.")
        return _("Confirm your new address"), [f"{what} {once}", "", link, "", _not_you()]
    if row.kind == Letter.ADDRESS_TAKEN:
        what = _("Somebody asked to have another account under this address, which has one: yours.")
        why = _("If that was you, sign in to this one instead.")
        return _("This address has an account already"), [what, why, "", settings.base_url]
    what = _("Your account has another address from now on; no more mails come to this one.")
    not_you = _("If you did not change it, tell the teaching team at once.")
    return _("The address of your account was changed"), [what, not_you, "", settings.base_url]


def _about_case(session: Session, settings: Settings, row: OutgoingMail) -> tuple[str, list[str]]:
    said = _case_sentence(row.details)
    entry = session.get(CaseEntry, row.details["entry"])
    text = entry.text.splitlines() if entry else []
    return f"{row.details['assignment']}: {said}", [
        said,
        "",
        *text,
        "",
        settings.base_url + row.path,
    ]


def _about_alarm(settings: Settings, row: OutgoingMail) -> tuple[str, list[str]]:
    told, place = alarm_words(row.details["condition"]), row.details["place"]
    what = f"{told.title} ({place})" if place else str(told.title)
    link = settings.base_url + row.path
    if row.details["step"] == "end":
        return _("Over: %(what)s", what=what), [_("This is over: %(what)s", what=what), "", link]
    return _("Something is wrong: %(what)s", what=what), [what, "", str(told.action), "", link]


def _not_you() -> str:
    return _("If you did not ask for this, do nothing: nothing changes.")


def _one_line(subject: str) -> str:
    """A mail's subject: names in it must not begin a header of their own."""
    return " ".join(subject.split())[:180]


def _speaking(language: str) -> AbstractContextManager[Any]:
    """Speak a language for a block, inside a request or, in a worker, outside of any."""
    return _Speaking(language)


class _Speaking:
    def __init__(self, language: str) -> None:
        self._context = _voice().app_context()
        self._locale = force_locale(language)

    def __enter__(self) -> None:
        self._context.push()
        self._locale.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._locale.__exit__(*error)
        self._context.pop()


@cache
def _voice() -> Flask:
    """An application that does nothing but speak."""
    app = Flask("leaderboard")
    init_languages(app)
    return app
