"""Which settings are each valid and can't stand together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from grader.words.message import Message, said

Conflict: TypeAlias = tuple[tuple[str, ...], Message]


def conflicts(tables: Mapping[str, Any]) -> Iterator[Conflict]:
    """Give the path of a key, and what is wrong with it beside the others."""
    yield from _of_names(tables)
    yield from _of_images(tables)
    yield from _of_scoring(tables)
    yield from _of_grading(tables)
    schedule = tables["schedule"]
    times = [time for time in (schedule.opens, schedule.due, schedule.closes) if time is not None]
    if times != sorted(times):
        yield ("schedule", "due"), said("conflict.dates")


def _of_names(tables: Mapping[str, Any]) -> Iterator[Conflict]:
    rules = tables["submission"]
    columns = {rules.id_column.casefold(), rules.label_column.casefold()}
    if len(columns) < 2:
        yield ("submission", "label_column"), said("conflict.columns")
    clash = next((name for name in tables[""].classes if name.casefold() in columns), None)
    if clash is not None:
        yield ("classes",), said("conflict.class_and_column", name=repr(clash))


def _of_images(tables: Mapping[str, Any]) -> Iterator[Conflict]:
    data = tables["data"]
    if data.test_images == "hidden" and "csv" in tables["submission"].kinds:
        yield ("data", "test_images"), said("conflict.hidden_images")
    if bool(data.train_url) != bool(data.train_sha256):
        yield ("data", "train_sha256"), said("conflict.url_and_hash")


def _of_scoring(tables: Mapping[str, Any]) -> Iterator[Conflict]:
    scoring = tables["scoring"]
    if scoring.public_board == "ladder" and scoring.metric != "accuracy":
        yield ("scoring", "public_board"), said("conflict.ladder")
    if scoring.metric == "top5_accuracy" and len(tables[""].classes) <= 5:
        yield ("scoring", "metric"), said("conflict.top5")


def _of_grading(tables: Mapping[str, Any]) -> Iterator[Conflict]:
    grading = tables["grading"]
    if bool(grading.letters) != (grading.steps == "letters"):
        yield ("grading", "letters" if grading.letters else "steps"), said("conflict.letters")
    if grading.best == "low" and grading.steps in ("letters", "pass"):
        yield ("grading", "best"), said("conflict.best", steps=grading.steps)
