"""What grader and services say, in the reader's language.

They speak English, since the same sentences appear in a student's terminal and in the API. Here
each is matched with the template it was made from, whose translation gets the same values. A
sentence that fits none stays English: better that than nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from flask_babel import gettext

from grader import bundle_sentences, run_sentences
from grader.claims import SENTENCES, Slip
from grader.prediction_csv.tally import KINDS
from grader.wording import Templates
from leaderboard.language import language

_OF_SERVICES: Final = (
    "The e-mail address or the password is wrong.",
    "Too many failed sign-ins. Please wait a few minutes.",
    "This assignment opens at {value}.",
    "This assignment closed at {value}.",
    "The private board is out: nothing more can be handed in.",
    "The private board is out: final picks are fixed.",
    "The file has {value} MB; the limit is {expected} MB.",
    "The file is empty.",
    "No file came with the request.",
    "The server's disk is nearly full, so it takes no uploads for now. Nothing was lost; "
    "staff have to make room. Please try again later.",
    "The file store cannot be reached. Please try again.",
    "The server failed. It is not your fault; staff can see why. Try again.",
    "The server is being upgraded; staff have to finish it. Please try again.",
    "The server is overloaded. Please try again.",
    "Your team has used its {value} submissions of today. The next ones open at {expected}.",
    "At most {value} submissions can be final picks.",
    "{value} can't be a final pick: its answers differ from run to run (ND), "
    "or the assignment wants code.",
    "It is not finished yet.",
    "There are no stored predictions to score again; rerun it.",
    "Its file is no longer kept; it can be rescored.",
    "It was cancelled; only a rerun can score it.",
    "This assignment is being rescored already.",
    "It is finished: what has a result can't be cancelled.",
    "It is judged again; only the course staff can stop that.",
    "The database cannot be reached. Please try again.",
    "Too many tries. Please wait a few minutes.",
    "Too many requests. Please wait a moment.",
    "This link does not work any more. It may be too old or used already.",
    "This invitation is no longer valid. Ask for a new one.",
    "This invitation is for another e-mail address.",
    "No course has this code.",
    "{value} is no e-mail address.",
    "A password has at least {value} characters.",
    "There is an account {value} already.",
    "A name has 1 to {value} characters.",
    "Another team is called {value} or nearly so.",
    "A team has at most {value} members.",
    "The teams of this course are fixed. Ask the course staff.",
    "You are alone in your team.",
    "You have no other team to bring along.",
    "Your team has handed in. Ask the course staff to move you.",
    "The private board of {value} is out: the teams in it stay as they are.",
    "Together the two teams handed in {value} times on {day} for {assignment}; "
    "one team may {limit} times a day.",
    "At most {value} invitations at once.",
    "A team has 1 to {value} members; 0 is no limit.",
    "This is no date and time.",
    "There is no such language or time zone.",
    "The roster's columns are email, name and, if wished, section and role.",
    "The roster cannot be read:\n{value}",
    "The sign-on service does not vouch for your e-mail address.",
    "There is an account of this address that was never confirmed. "
    "Choose a new password by mail first.",
    "The sign-in was not completed. Please try again.",
    "The sign-on service cannot be reached. Please try again.",
    "The same file was handed in before as {value}.",
    "The rules of this assignment forbid pretrained weights.",
    "The rules of this assignment forbid data from elsewhere.",
    "This assignment has one board: pretrained weights have no track in it.",
    "There is nothing here for you.",
    "Please sign in.",
    "This token has expired, was revoked or is not complete.",
    "This assignment takes a CSV of predictions, and this is a code bundle (.zip, .tar.gz, .tar).",
    "This assignment takes a code bundle (.zip, .tar.gz, .tar), and this is a CSV of predictions.",
    "{value} uploads of your team failed today; that is enough. "
    "`grader check` finds the same problems on your own machine.",
    "Claims are longer than {value} characters.",
    "The claims can't be read: {value}.",
    "'declared' is none, or of pretrained and external_data those used.",
    "An Idempotency-Key has 1 to {value} printable characters.",
    "This Idempotency-Key was used for another file ({value}).",
    "Your team has no submission {value} here.",
    "{value} has no score.",
    "You have no team in this course: staff do not hand in.",
    "This token lacks the scope {value}.",
    "Scopes are some of: {value}.",
    "Too many submissions are watched live.",
    "{value} is being evaluated. Try again when it is finished.",
    "A rejudge is a rescore or a rerun.",
    "This is the address of your account already.",
)


def in_words(sentence: str) -> str:
    """Return a sentence of the grader or a service in the reader's language."""
    if language() == "en" or not sentence:
        return sentence
    found = _templates().find(sentence)
    return gettext(found.template).format(**found.values) if found else sentence


def of_run(detail: str) -> str:
    """Return what the sandbox says of a failed program, and what to do, in the reader's language.

    What the program itself said stays as it was.
    """
    return detail if language() == "en" else run_sentences.translated(detail, gettext)


def of_mistake(mistake: Mapping[str, Any]) -> str:
    """Return one slip of a claim's explanation in the reader's language."""
    return gettext(SENTENCES[Slip(mistake["slip"])]).format(**mistake)


def templates() -> tuple[str, ...]:
    """Return every template, each once."""
    return tuple(
        dict.fromkeys(
            [
                *_of_files(),
                *bundle_sentences.TEMPLATES,
                *_OF_SERVICES,
                *SENTENCES.values(),
                *run_sentences.TEMPLATES,
                *run_sentences.ENDINGS,
                *run_sentences.CAUSES,
            ]
        )
    )


def extract(*_: Any, **__: Any) -> Iterator[tuple[int, None, str, list[str]]]:
    """Give the templates to pybabel (translations/babel.cfg names this function)."""
    for template in templates():
        yield 1, None, template, []


def _of_files() -> list[str]:
    return [text for pair in KINDS.values() for text in pair if text]


@cache
def _templates() -> Templates:
    return Templates(templates())
