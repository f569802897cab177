"""Hands every baseline in again, as any student would, and compares the scores with last time.

The same bundle must get the same score. Where it does not, something of the course's own has moved:
a library, the sandbox, the answers; better to learn it from a baseline than from a student. A
prediction CSV can't drift, so bundles alone are handed in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import grader
from reference.errors import RerunError

FIGURES = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
SPLITS = ("public", "private")
FORMAT = 1

Say = Callable[[str], None]


class Report(Protocol):
    """What is read of a submission, as the server gives it to its own account."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def verdict(self) -> str | None: ...
    @property
    def public(self) -> Mapping[str, Any] | None: ...
    @property
    def private(self) -> Mapping[str, Any] | None: ...


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One bundle to hand in, and the token of the account it belongs to."""

    name: str
    archive: Path
    token: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of the archive."""
        with self.archive.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one hand-in got: verdict, and by split each of `FIGURES` that the server gave."""

    submission: str
    sha256: str
    verdict: str
    scores: Mapping[str, Mapping[str, float]]
    at: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One baseline's outcome beside the last one."""

    name: str
    state: Literal["new", "unchanged", "changed"]
    now: Outcome
    before: Outcome | None
    differences: tuple[str, ...]

    def __str__(self) -> str:
        """One line, as the command prints it."""
        note = ""
        if self.before and self.before.submission == self.now.submission:
            note = f" (handed in already tonight as {self.now.submission})"
        elif self.before and self.before.sha256 != self.now.sha256:
            note = " (with another bundle than last time)"
        if self.state == "changed":
            return f"{self.name}: changed: {'; '.join(self.differences)}{note}"
        accuracies = ", ".join(
            f"{split} {_shown(score.get('accuracy'))}" for split, score in self.now.scores.items()
        )
        return f"{self.name}: {self.state}: {accuracies or self.now.verdict}{note}"


def find_baselines(
    folder: Path, *, token: str | None, tokens: Mapping[str, str]
) -> tuple[Baseline, ...]:
    """Every `NAME.zip` of the folder, with its own token of `tokens` or else `token`.

    Raises:
        RerunError: there are none, or one has no token.
    """
    archives = sorted(folder.glob("*.zip"))
    if not archives:
        raise RerunError(f"{folder} holds no bundles (*.zip); `reference bundle` writes them")
    found = []
    for archive in archives:
        own = tokens.get(archive.stem, token)
        if not own:
            raise RerunError(f"there is no token for baseline {archive.stem!r}")
        found.append(Baseline(name=archive.stem, archive=archive, token=own))
    return tuple(found)


def read_tokens(path: Path | None) -> dict[str, str]:
    """The tokens by baseline of a JSON file; none without a file.

    Raises:
        RerunError: the file is not a JSON object of texts.
    """
    if path is None:
        return {}
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RerunError(f"{path} is not JSON: {error}") from error
    if not isinstance(table, dict) or not all(isinstance(each, str) for each in table.values()):
        raise RerunError(f'{path} must hold one object {{"NAME": "TOKEN"}}')
    return table


def rerun(
    baselines: Sequence[Baseline],
    *,
    server: str,
    assignment: str,
    course: str | None,
    state: Path,
    again: bool = False,
    timeout_seconds: float = 3600.0,
    now: datetime | None = None,
    say: Say = lambda line: None,
) -> Iterator[Comparison]:
    """Hand all in, then wait for each, compare it with the file `state` and bring that up to date.

    A baseline is one submission a night however often this is started, so that a night that broke
    off can be repeated; `again` makes it another.

    Raises:
        RerunError: an account does not see private scores, or `state` is not a state file.
        grader.ClientError: the server refused, or was not to be reached.
    """
    now = now or datetime.now(UTC)
    history = History.read(state)
    place = f"{server.rstrip('/')} {course or ''} {assignment}"
    clients = {each.token: grader.Client(server, each.token) for each in baselines}
    handed_in = {}
    try:
        for each in baselines:
            report = clients[each.token].send(
                each.archive,
                assignment=assignment,
                course=course,
                message=f"{each.name}, nightly rerun of {now:%Y-%m-%d}",
                idempotency_key=idempotency_key(each, place, now, again=again),
            )
            handed_in[each.name] = report.id
            say(f"{each.name}: handed in as {report.id}")
        for each in baselines:
            report = clients[each.token].wait(handed_in[each.name], timeout_seconds=timeout_seconds)
            outcome = read_outcome(each, report, now)
            comparison = compare(each.name, outcome, history.last(place, each.name))
            history.keep(place, each.name, outcome)
            history.write(state)
            yield comparison
    finally:
        for client in clients.values():
            client.close()


def idempotency_key(baseline: Baseline, place: str, now: datetime, *, again: bool) -> str:
    """One key a night, place and bundle; with `again` one a start."""
    moment = now.isoformat() if again else f"{now:%Y-%m-%d}"
    words = "\n".join((place, baseline.name, baseline.sha256, moment))
    return f"rerun-{hashlib.sha256(words.encode()).hexdigest()[:32]}"


def read_outcome(baseline: Baseline, report: Report, now: datetime) -> Outcome:
    """The figures of a finished submission.

    Raises:
        RerunError: it was cancelled, or scored with a split that the account does not see.
    """
    if report.verdict is None:
        raise RerunError(f"{baseline.name}: submission {report.id} was {report.status}, not scored")
    given = {"public": report.public, "private": report.private}
    if report.verdict == "OK" and not all(given.values()):
        hidden = next(split for split, score in given.items() if not score)
        raise RerunError(
            f"{baseline.name}: its account does not see the {hidden} score; hand in with the token "
            "of an account whose role in the course is baseline"
        )
    return Outcome(
        submission=report.id,
        sha256=baseline.sha256,
        verdict=report.verdict,
        scores={
            split: {figure: float(score[figure]) for figure in FIGURES if figure in score}
            for split, score in given.items()
            if score
        },
        at=now.isoformat(),
    )


def compare(name: str, now: Outcome, before: Outcome | None) -> Comparison:
    """Equal to the last digit or changed; without a last time, new."""
    if before is None:
        return Comparison(name=name, state="new", now=now, before=None, differences=())
    differences = []
    if now.verdict != before.verdict:
        differences.append(f"verdict {before.verdict} → {now.verdict}")
    for split in SPLITS:
        old, new = before.scores.get(split, {}), now.scores.get(split, {})
        differences += [
            f"{split} {figure} {_shown(old.get(figure))} → {_shown(new.get(figure))}"
            for figure in FIGURES
            if old.get(figure) != new.get(figure)
        ]
    return Comparison(
        name=name,
        state="changed" if differences else "unchanged",
        now=now,
        before=before,
        differences=tuple(differences),
    )


@dataclass(kw_only=True)
class History:
    """The last outcome of every baseline, by place (server, course, assignment) and name."""

    places: dict[str, dict[str, Outcome]]

    @classmethod
    def read(cls, path: Path) -> History:
        """From a state file; empty where there is none.

        Raises:
            RerunError: the file is something else.
        """
        if not path.exists():
            return cls(places={})
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            if table["format"] != FORMAT:
                raise RerunError(f"{path} is of format {table['format']}, not {FORMAT}")
            return cls(
                places={
                    place: {name: Outcome(**outcome) for name, outcome in outcomes.items()}
                    for place, outcomes in table["places"].items()
                }
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RerunError(f"{path} is no state file of the rerun: {error}") from error

    def last(self, place: str, name: str) -> Outcome | None:
        """The outcome of the time before."""
        return self.places.get(place, {}).get(name)

    def keep(self, place: str, name: str, outcome: Outcome) -> None:
        """Put an outcome in place of the last one."""
        self.places.setdefault(place, {})[name] = outcome

    def write(self, path: Path) -> None:
        """Replace the state file at once, so that a crash leaves the old or the new one."""
        table: dict[str, Any] = {
            "format": FORMAT,
            "places": {
                place: {name: asdict(outcome) for name, outcome in outcomes.items()}
                for place, outcomes in self.places.items()
            },
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        part.replace(path)


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
