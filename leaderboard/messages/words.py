"""Verdicts, phases and rules in the reader's words: what happened, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from grader import Verdict
from grader.metric_list import EVERY
from grader.settings.tables import Rules
from grader.words.message import said
from leaderboard.accounts import scopes
from leaderboard.messages.sentences import in_words
from leaderboard.rules import declarations
from leaderboard.rules.entrance import Entrance
from leaderboard.rules.quota_ledger import Why
from leaderboard.rules.schedule import Phase


@dataclass(frozen=True, kw_only=True)
class VerdictWords:
    """A verdict for the page: the tone colours the badge, the words carry the meaning."""

    title: str | LazyString
    tone: str  # good | warn | bad | live
    meaning: str | LazyString
    advice: str | LazyString


_VERDICTS: dict[str, VerdictWords] = {
    Verdict.OK: VerdictWords(
        title=_l("Scored"),
        tone="good",
        meaning=_l("Your predictions were read and scored."),
        advice="",
    ),
    Verdict.REJ: VerdictWords(
        title=_l("Not accepted (not charged)"),
        tone="bad",
        meaning=_l("The file can't be scored as it is. Nothing was taken from your daily limit."),
        advice=_l("Correct the problems listed below and submit the file again."),
    ),
    Verdict.CE: VerdictWords(
        title=_l("Contract error"),
        tone="bad",
        meaning=_l("model.py could not be imported, or it has no build_model() that works."),
        advice=_l(
            "Run “grader check” on the bundle: it runs the sample on your own machine. "
            "Only the packages of the runner are there, and there is no network."
        ),
    ),
    Verdict.LE: VerdictWords(
        title=_l("Checkpoint can't be loaded"),
        tone="bad",
        meaning=_l("The checkpoint is no plain state dict, or its keys don't fit the model."),
        advice=_l(
            "Save model.state_dict() (safetensors is best), not the whole model, and remove "
            "prefixes such as “module.” from the keys."
        ),
    ),
    Verdict.RE: VerdictWords(
        title=_l("Run-time error"),
        tone="bad",
        meaning=_l("Your code raised an error or crashed while it predicted."),
        advice=_l("Run “grader check” on the bundle and read the log of the sample run."),
    ),
    Verdict.TLE: VerdictWords(
        title=_l("Time limit exceeded"),
        tone="bad",
        meaning=_l("The run took longer than the assignment allows and was stopped."),
        advice=_l("Use a smaller model or input size, and nothing that waits or downloads."),
    ),
    Verdict.MLE: VerdictWords(
        title=_l("Memory limit exceeded"),
        tone="bad",
        meaning=_l("The run needed more memory than the assignment allows."),
        advice=_l("Lower BATCH_SIZE in model.py, and keep no images or features between batches."),
    ),
    Verdict.GMLE: VerdictWords(
        title=LazyString(in_words, said("verdict.gpu_memory")),
        tone="bad",
        meaning=_l("The run needed more GPU memory than the assignment allows."),
        advice=_l("Lower BATCH_SIZE in model.py, or use a smaller model."),
    ),
    Verdict.OLE: VerdictWords(
        title=_l("Output limit exceeded"),
        tone="bad",
        meaning=_l("The run printed or wrote more than the assignment allows."),
        advice=_l("Remove prints from the model, and write no files."),
    ),
    Verdict.PE: VerdictWords(
        title=_l("Predictions malformed"),
        tone="bad",
        meaning=_l("What the model gave back has the wrong shape or type, or is not finite."),
        advice=_l("predict() must give N×K scores or N whole class numbers for a batch of N."),
    ),
    Verdict.SV: VerdictWords(
        title=_l("Void"),
        tone="bad",
        meaning=_l("The teaching team voided this submission."),
        advice=_l("Ask the teaching team."),
    ),
    Verdict.IE: VerdictWords(
        title=_l("Internal error"),
        tone="warn",
        meaning=_l("Something of ours failed. It is not your fault and costs you nothing."),
        advice=_l("The teaching team was told. You need not submit again."),
    ),
}

_WAITING: dict[str, VerdictWords] = {
    "queued": VerdictWords(
        title=_l("Waiting"),
        tone="live",
        meaning=_l("Your file arrived safely and waits for a free worker."),
        advice=_l("You can close this page: the result will be here."),
    ),
    "running": VerdictWords(
        title=_l("Running"),
        tone="live",
        meaning=_l("Your submission is being evaluated."),
        advice=_l("You can close this page: the result will be here."),
    ),
    "cancelled": VerdictWords(
        title=_l("Cancelled"),
        tone="warn",
        meaning=_l("This submission was withdrawn before it was scored."),
        advice="",
    ),
}


def state_words(status: str, verdict: str | None) -> VerdictWords:
    """Return the words for a submission: its verdict once it has one, else where it is."""
    return _VERDICTS[verdict] if status == "finished" and verdict else _WAITING[status]


def retry_note(retry: str, verdict: str) -> str:
    """Return what is to be known of a time-out's second try."""
    if retry == "waiting":
        return _(
            "A busy machine can make a program late: it will be tried again once when the machine "
            "is quiet, free of quota. If it passes then, that result counts."
        )
    if retry == "running":
        return _("It is being tried again now, with nothing else running beside it.")
    if verdict == Verdict.OK:
        return _(
            "It was stopped at the time limit at first. This is the result of its second try, "
            "with nothing else running beside it; it was free of quota."
        )
    return _(
        "It was tried again with nothing else running beside it and did not pass: "
        "the verdict is final."
    )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a submission's way; `state` is done, now, next or failed."""

    title: str
    state: str


_FAILED_AT = {"upload": "checking", "sample": "sample", "hidden": "hidden"}


def steps(kind: str, status: str, phase: str, failed_in: str | None) -> list[Step]:
    """Return the way of a submission: what is done, what goes on, where it ended if it failed."""
    titles = {"received": _("Received"), "checking": _("Checking")}
    if kind == "code":
        titles |= {"sample": _("Sample run"), "hidden": _("Hidden images")}
    titles["scoring"] = _("Scoring")
    order = list(titles)
    failed = status == "finished" and failed_in is not None
    if failed:
        at = order.index(_FAILED_AT.get(failed_in or "", "checking"))
    elif status == "finished":
        at = len(order)
    else:
        at = order.index(phase) if phase in order else 1
    here = "failed" if failed else "now" if status == "running" else "next"
    return [
        Step(title=titles[name], state="done" if index < at else here if index == at else "next")
        for index, name in enumerate(order)
    ]


@dataclass(frozen=True, kw_only=True)
class Badge:
    """A word with the tone that colours it."""

    title: str
    tone: str  # good | warn | bad | live; "" is grey


def phase_words(entrance: Entrance) -> Badge:
    """Return where an assignment is for its reader."""
    if entrance.is_used_up:
        return Badge(title=_("used up for today"), tone="warn")
    badges = {
        Phase.UPCOMING: Badge(title=_("not open yet"), tone=""),
        Phase.OPEN: Badge(title=_("open"), tone="good"),
        Phase.LATE: Badge(title=_("late"), tone="warn"),
        Phase.CLOSED: Badge(title=_("closed"), tone=""),
        Phase.RELEASED: Badge(title=_("final results are out"), tone="good"),
    }
    return badges[entrance.phase]


def metric_title(metric: str) -> str:
    """Return a metric's name as a heading; the name itself where this version knows no such."""
    known = EVERY.get(metric)
    return gettext(known.heading) if known else metric


def quota_reason(why: Why) -> str:
    """Return why a line is in the quota's ledger."""
    reasons = {
        Why.RESERVED: said("ledger.reserved"),
        Why.CHARGED: said("ledger.charged"),
        Why.TAKEN_BACK: said("ledger.taken_back"),
        Why.CANCELLED: said("ledger.cancelled"),
        Why.FAILED_EARLY: said("ledger.failed_early"),
        Why.OUR_FAILURE: said("ledger.our_failure"),
        Why.BROUGHT: said("ledger.brought"),
        Why.COMING: said("ledger.coming"),
        Why.LEFT: said("ledger.left"),
    }
    return in_words(reasons[why])


def efficiency_title(figure: str) -> str:
    """Return what a model costs as a heading."""
    titles = {
        "parameters": _("Parameters"),
        "checkpoint_mb": _("Bundle size"),
        "seconds_per_1000": _("Per 1,000 images"),
    }
    return titles[figure]


def rule_title(value: str) -> str:
    """Return the value of one of an assignment's rules in words."""
    titles = {
        "allowed": _("allowed"),
        "forbidden": _("forbidden"),
        "own track": _("in a track of its own"),
        "any": _("CSV or code"),
        "code": _("code"),
    }
    return titles.get(value, value)


def declaration(rules: Rules) -> str:
    """Return the sentence that whoever hands in has to tick; "" where nothing is asked."""
    found = declarations.forbidden(rules)
    if len(found) == len(declarations.SUBJECTS):
        return _("Neither pretrained weights nor data from elsewhere were used, as the rules ask.")
    if declarations.PRETRAINED in found:
        return _("No pretrained weights were used, as the rules ask.")
    if declarations.is_own_track(rules) and found:
        return _("What is said here is true, and no data from elsewhere were used.")
    if found:
        return _("No data from elsewhere were used, as the rules ask.")
    return _("What is said here is true.") if declarations.is_asked(rules) else ""


def declared(used: Sequence[str] | None) -> str:
    """Return what a team said it used, in words."""
    if used is None:
        return _("nothing was said")
    titles = {
        declarations.PRETRAINED: _("pretrained weights"),
        declarations.EXTERNAL_DATA: _("data from elsewhere"),
    }
    return ", ".join(titles[each] for each in used) or _("none")


def board_title(mode: str) -> str:
    """Return what a public board shows of scores."""
    titles = {
        "exact": _("exact scores"),
        "rounded": _("rounded scores"),
        "ladder": _("shows clear improvements only (Ladder)"),
    }
    return titles[mode]


def track_title(track: str) -> str:
    """Return the name of a track."""
    titles = {
        "all": _("All tracks"),
        "scratch": _("No pretrained weights"),
        "pretrained": _("Pretrained weights"),
    }
    return titles[track]


def track_note(track: str) -> str:
    """Return what a track's board ranks."""
    notes = {
        "all": _(
            "All submissions; those that declare pretrained weights are marked, and have a board "
            "of their own."
        ),
        "scratch": _(
            "Only submissions that declare no pretrained weights, ranked among themselves."
        ),
        "pretrained": _(
            "Only submissions that declare pretrained weights, ranked among themselves."
        ),
    }
    return notes[track]


def kind_title(kind: str) -> str:
    """Return what was handed in, in words."""
    return _("code bundle") if kind == "code" else _("prediction CSV")


def reason_title(reason: str) -> str:
    """Return why something is extended, as a title."""
    titles = {
        "illness": _("Illness"),
        "accommodation": _("Accommodation"),
        "family": _("Family"),
        "technical": _("Technical failure"),
        "other": _("Other reason"),
    }
    return titles.get(reason, reason)


def case_state(state: str) -> str:
    """Return how far a case is, in words."""
    titles = {
        "open": _("open, the team knows nothing of it"),
        "noticed": _("the team was told"),
        "voided": _("voided"),
        "closed": _("closed"),
    }
    return titles.get(state, state)


def case_step(step: str) -> str:
    """Return what was done in a case, as a title."""
    titles = {
        "opened": _("Opened"),
        "notice": _("Notice by the teaching team"),
        "reply": _("Reply of the team"),
        "closed": _("Closed: the submission stands"),
        "voided": _("Voided: the submission counts no more"),
        "restored": _("Restored: the submission counts again"),
    }
    return titles.get(step, step)


def role_title(role: str) -> str:
    """Return a role in words."""
    titles = {
        "student": _("student"),
        "auditor": _("auditing student"),
        "examiner": _("external examiner"),
        "assistant": _("assistant"),
        "instructor": _("instructor"),
        "baseline": in_words(said("word.baseline")),
    }
    return titles.get(role, role)


def scope_title(scope: str) -> str:
    """Return what a token may do, in words."""
    place = scopes.place_of(scope)
    if place:
        return _("submit to %(assignment)s, and nothing else", assignment=place)
    titles = {"read": _("read"), "submit": _("submit"), "staff": _("the teaching team’s work")}
    return titles.get(scope, scope)


def notice_title(kind: str) -> str:
    """Return what a kind of notice tells of."""
    titles = {
        "scored": _("A submission was scored"),
        "failed": _("A submission was not scored"),
        "deadline": _("A deadline is a day away"),
        "released": _("Final results are published"),
        "team": _("My team changed"),
    }
    return titles.get(kind, kind)


def error_title(status: int) -> str:
    """Return the heading of an error page."""
    titles = {
        400: _("This request can't be read"),
        401: _("Please sign in"),
        403: _("This is not open to you"),
        404: _("There is nothing here"),
        405: _("That can't be done here"),
        409: _("That can't be done now"),
        410: _("This link does not work any more"),
        413: _("The file is too large"),
        422: _("This file can't be taken"),
        429: _("Too many requests"),
        503: _("Please try again in a moment"),
    }
    return titles.get(status, _("Something of ours failed"))


def error_advice(status: int) -> str:
    """Return what to do next, where the error itself says nothing."""
    advice = {
        404: _("The address is wrong, or what it names is not yours to see."),
        405: _("Go back and use the buttons of the page."),
        413: _("Submit a smaller file; the assignment's page states the limit."),
        429: _("Wait a minute and try again."),
    }
    return advice.get(
        status, _("It is not your fault. Nothing that was receipted is lost. Try again.")
    )
