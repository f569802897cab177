"""The keys of assignment.toml: name, default and what is valid, in one place each."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from grader.bounded_toml import TomlLimits, place_of, read_toml
from grader.errors import AssignmentError
from grader.metric_list import METRICS
from grader.settings.checks import (
    Check,
    WrongValue,
    class_names,
    flag,
    integer,
    minutes_by_name,
    moment,
    number,
    one_of,
    points_by_name,
    some_of,
    text,
    time_zone,
)
from grader.settings.conflicts import conflicts
from grader.settings.toml_lines import key_lines
from grader.words.message import Message, said
from grader.words.placed import placed

_SLUG: Final = text(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?", said("setting.slug"))
_COLUMN: Final = text(r"(?!\d+$)[^\s\x00-\x1f](.*\S)?", said("setting.column"))


def setting(default: object, check: Check) -> Any:
    """Declare one key of a table; the type is Any because the field's annotation states it."""
    return field(default=default, metadata={"check": check})


def required(check: Check) -> Any:
    """Declare one key that has no default."""
    return field(metadata={"check": check})


@dataclass(frozen=True, kw_only=True)
class Data:
    """Where the images are."""

    test_images: str = setting("public", one_of("public", "hidden"))
    train_url: str = setting("", text(r"(https?://\S+)?", said("setting.address")))
    train_sha256: str = setting("", text(r"([0-9a-f]{64})?", said("setting.sha256")))


@dataclass(frozen=True, kw_only=True)
class Split:
    """How the test set is split where answers.csv does not say it; stratified by class."""

    public_fraction: float = setting(0.3, number(0.001, 0.999))
    seed: int = setting(20260101, integer(0, 2**63 - 1))


@dataclass(frozen=True, kw_only=True)
class SubmissionRules:
    """What may be handed in, and how often."""

    kinds: tuple[str, ...] = setting(("csv", "code"), some_of("csv", "code", may_be_empty=False))
    id_column: str = setting("id", _COLUMN)
    label_column: str = setting("label", _COLUMN)
    daily_limit: int = setting(5, integer(0, 100_000))
    final_picks: int = setting(2, integer(1, 100))
    max_upload_mb: int = setting(1024, integer(1, 1_000_000))


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What students may use; checked where possible, else declared at hand-in."""

    pretrained: str = setting("allowed", one_of("allowed", "forbidden", "own track"))
    external_data: str = setting("forbidden", one_of("allowed", "forbidden"))
    final_requires: str = setting("any", one_of("any", "code"))


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When it can be handed in; all times are aware."""

    opens: datetime | None = field(default=None, metadata={"check": moment})
    due: datetime | None = field(default=None, metadata={"check": moment})
    closes: datetime | None = field(default=None, metadata={"check": moment})
    late_penalty_per_day: float = setting(0.0, number(0, 1000))
    time_zone: str = setting("", time_zone)  # "": the course's


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What ranks, and what students see of it."""

    metric: str = setting("accuracy", one_of(*METRICS))
    public_board: str = setting("exact", one_of("exact", "rounded", "ladder"))
    feedback: str = setting("per_class", one_of("aggregate", "per_class", "confusion"))
    efficiency: tuple[str, ...] = setting(
        (), some_of("parameters", "checkpoint_mb", "seconds_per_1000")
    )
    baseline_minutes: Mapping[str, float] = field(
        default_factory=dict, metadata={"check": minutes_by_name}
    )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one run of a code submission may use. MB means MiB; `gpu_memory_mb` 0 means CPU only."""

    wall_seconds: float = setting(300.0, number(0.1, 86_400))
    cpus: int = setting(1, integer(1, 1024))
    memory_mb: int = setting(4096, integer(64, 4_194_304))
    processes: int = setting(64, integer(1, 65_536))
    open_files: int = setting(256, integer(16, 1_048_576))
    tmp_mb: int = setting(256, integer(1, 1_048_576))
    output_mb: int = setting(64, integer(1, 65_536))
    gpu_memory_mb: int = setting(0, integer(0, 4_194_304))
    batch_size: int = setting(256, integer(1, 65_536))


@dataclass(frozen=True, kw_only=True)
class Grading:
    """How a private score becomes a grade.

    `anchors`: baseline → the grade at its private score. `steps`: which grades are given; `best`:
    whether a high or a low number is the better grade ("1.0-5.0" has its own). `letters`: letter →
    its least points. `pass_mark`: the worst grade that passes; the steps' own if it is not given.
    `weight`: of this grade in the joint one of its group. `training_minutes`: how long students
    are told that training may take on two cores, which bounds anchors too; 0: nothing is stated.
    """

    anchors: Mapping[str, float] = field(
        default_factory=dict,
        metadata={"check": points_by_name(said("word.baseline"), "lenet5")},
    )
    steps: str = setting("any", one_of("any", "0-100", "1.0-5.0", "letters", "pass"))
    best: str = setting("high", one_of("high", "low"))
    letters: Mapping[str, float] = field(
        default_factory=dict, metadata={"check": points_by_name(said("setting.letter"), "A")}
    )
    pass_mark: float | None = setting(None, number(0, 1000))
    rounding: str = setting("nearest", one_of("nearest", "favour", "strict"))
    weight: float = setting(1.0, number(0, 1000))
    training_minutes: float = setting(0.0, number(0, 100_000))


@dataclass(frozen=True, kw_only=True)
class Top:
    """The keys above the first table."""

    slug: str = required(_SLUG)
    title: str = required(text(r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*", said("setting.line")))
    classes: tuple[str, ...] = required(class_names)
    group: str | None = setting(None, _SLUG)
    allow_absent: bool = setting(False, flag)


TABLES: Final[Mapping[str, type]] = MappingProxyType(
    {
        "": Top,
        "data": Data,
        "split": Split,
        "submission": SubmissionRules,
        "rules": Rules,
        "schedule": Schedule,
        "scoring": Scoring,
        "limits": Limits,
        "grading": Grading,
    }
)


# what people call a key whose name is spelt quite otherwise
_MEANT: Final = {
    called: meant
    for meant, names in {
        "slug": "id short_name",
        "title": "name display_name",
        "classes": "labels class_names classes_names label_names categories",
        "data.train_url": "dataset dataset_url download",
        "split.public_fraction": "public_share public_ratio public_size public_percent",
        "split.seed": "random_seed random_state",
        "submission.kinds": "types formats allowed accept",
        "submission.daily_limit": "submissions_per_day max_submissions quota attempts tries limit",
        "submission.final_picks": "selections final_submissions",
        "submission.max_upload_mb": "max_size size_limit upload_limit",
        "schedule.opens": "start starts start_date begin begins release unlock_at available_from",
        "schedule.due": "deadline due_date due_at hand_in_by submit_by",
        "schedule.closes": "end ends end_date until late_until lock_at cutoff last_day",
        "schedule.late_penalty_per_day": "penalty late_penalty late_policy deduction",
        "schedule.time_zone": "timezone tz zone",
        "scoring.metric": "score measure evaluation ranking metric_name primary_metric",
        "scoring.public_board": "leaderboard board",
        "scoring.baseline_minutes": "minutes train_minutes training_time",
        "limits.wall_seconds": "timeout timeout_seconds time_limit max_seconds max_time runtime",
        "limits.cpus": "cores cpu threads",
        "limits.memory_mb": "ram ram_mb memory memory_gb memory_limit",
        "limits.gpu_memory_mb": "gpu cuda vram",
        "grading.anchors": "baselines points thresholds",
        "grading.pass_mark": "passing pass_grade minimum",
    }.items()
    for called in names.split()
}

# a thousand classes with their names take some tens of kilobytes
_LIMITS: Final = TomlLimits(size=2**20)


def read_settings(toml_text: str, file: str = "assignment.toml") -> dict[str, Any]:
    """Read assignment.toml: table name → its dataclass ("" holds the keys above the first table).

    Raises:
        AssignmentError: every unknown key, wrong type and wrong value, each with its line.
    """
    try:
        document = read_toml(toml_text, _LIMITS)
    except tomllib.TOMLDecodeError as error:
        reason, line = place_of(error)
        problem = said("setting.no_toml", reason=reason)
        raise AssignmentError([placed(f"{file}:{line or 1}", problem)]) from error
    reader = _Reader(document, key_lines(toml_text))
    tables = {name: reader.table(name, shape) for name, shape in TABLES.items()}
    if not reader.problems:
        for path, problem in conflicts(tables):
            reader.refuse(path, problem)
    if reader.problems:
        found = sorted(reader.problems, key=lambda one: one[0])
        raise AssignmentError([placed(f"{file}:{line}", problem) for line, problem in found])
    return tables


class _Reader:
    """Reads one document table by table and collects what is wrong with it, with its line."""

    def __init__(self, document: dict[str, Any], lines: dict[tuple[str, ...], int]) -> None:
        self.document, self.lines = document, lines
        self.problems: list[tuple[int, Message]] = []

    def table(self, name: str, shape: type) -> Any:
        values = self.document if name == "" else self.document.get(name, {})
        if not isinstance(values, dict):
            self._note((name,), said("setting.no_table", table=name))
            return None
        checked: dict[str, object] = {}
        known = {entry.name: entry for entry in fields(shape)}
        for key, value in values.items():
            path = (name, key) if name else (key,)
            if key in known:
                try:
                    checked[key] = known[key].metadata["check"](value)
                except WrongValue as error:
                    self.refuse(path, error.problem)
            elif name or key not in TABLES:
                self._note(path, _unknown(name, key, known))
        missing = [
            entry.name
            for entry in known.values()
            if entry.default is MISSING
            and entry.default_factory is MISSING
            and entry.name not in values
        ]
        for key in missing:
            self.problems.append((1, said("setting.missing", key=key)))
        # A table with problems is not built: the whole file is refused in the end.
        return None if self.problems else shape(**checked)

    def refuse(self, path: tuple[str, ...], problem: Message) -> None:
        """Note what is wrong with the value of a key."""
        self._note(path, said("setting.wrong", key=".".join(path), problem=problem))

    def _note(self, path: tuple[str, ...], problem: Message) -> None:
        line = next(
            (self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1
        )
        self.problems.append((line, problem))


def _unknown(table: str, key: str, known: Mapping[str, object]) -> Message:
    where = said("setting.in_table", table=table) if table else ""
    return said("setting.unknown", key=repr(key), where=where, hint=_meant(table, key, known))


def _meant(table: str, key: str, known: Mapping[str, object]) -> Message:
    """What whoever wrote an unknown key may have had in mind."""
    if meant := _MEANT.get(key.casefold().replace("-", "_")):
        home, _, name = meant.rpartition(".")
        if home and home != table:
            return said("setting.did_you_mean_in", name=repr(name), table=home)
        return said("setting.did_you_mean", name=repr(name))
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return said("setting.did_you_mean", name=repr(near[0]))
    homes = {entry.name: name for name, shape in TABLES.items() for entry in fields(shape)}
    if key in homes:
        return said("setting.belongs", home=_home(homes[key]))
    names = [*homes, *([] if table else [name for name in TABLES if name])]
    [nearest] = difflib.get_close_matches(key, names, n=1, cutoff=0.0)
    if nearest not in homes:  # a table
        return said("setting.nearest", name=repr(nearest))
    return said("setting.nearest_in", name=repr(nearest), home=_home(homes[nearest]))


def _home(table: str) -> str:
    return f"[{table}]" if table else said("setting.top")
