"""What is wrong with the server, in the words of the staff who are told, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from leaderboard.models import Condition


@dataclass(frozen=True, kw_only=True)
class AlarmWords:
    """One condition: what is so, and what to do about it."""

    title: LazyString
    action: LazyString


_WORDS: Final[Mapping[Condition, AlarmWords]] = {
    Condition.INTERNAL_ERRORS: AlarmWords(
        title=_l("An evaluation failed three times, through no fault of the student"),
        action=_l("The worker's log says why. When it is mended, re-evaluate the submission."),
    ),
    Condition.QUEUE_OLD: AlarmWords(
        title=_l("A submission has been waiting for over half an hour"),
        action=_l("Start more workers, or see with “leaderboard doctor” whether one hangs."),
    ),
    Condition.NO_WORKER: AlarmWords(
        title=_l("Submissions wait and no worker takes them"),
        action=_l("Start a worker; “leaderboard doctor” says why one can't run code."),
    ),
    Condition.BACKUP: AlarmWords(
        title=_l("The last backup failed or is over two days old"),
        action=_l("See the log of the backup, then make one: “leaderboard backup FOLDER”."),
    ),
    Condition.DISK: AlarmWords(
        title=_l("The disk is nearly full; soon no more uploads are taken"),
        action=_l("Make room: old backups, or “leaderboard retention --days N --dry-run”."),
    ),
    Condition.DRIFT: AlarmWords(
        title=_l("Last night a baseline's score moved, or the rerun failed"),
        action=_l("“leaderboard doctor” says how it ended. See what changed since the last night."),
    ),
}


def alarm_words(condition: str) -> AlarmWords:
    """The words of a condition."""
    return _WORDS[Condition(condition)]
