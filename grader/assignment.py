"""An assignment folder: its settings, hidden answers, images and what students get of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader import pack
from grader.answers import (
    AnswerKey,
    absent_classes,
    answer_key,
    order_tells_class,
    read_answers,
    stratified_split,
)
from grader.errors import AssignmentError
from grader.images import read_images, read_labelled
from grader.predictions import ExpectedRows
from grader.settings import (
    Data,
    Grading,
    Limits,
    Rules,
    Schedule,
    Scoring,
    Split,
    SubmissionRules,
    Top,
    read_settings,
)

__all__ = ["AnswerKey", "Assignment", "Limits"]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One assignment, as its folder says it; the answers are read once, on first use."""

    folder: Path
    slug: str
    title: str
    classes: tuple[str, ...]
    group: str | None
    allow_absent: bool
    data: Data
    split: Split
    submission: SubmissionRules
    rules: Rules
    schedule: Schedule
    scoring: Scoring
    limits: Limits
    grading: Grading

    @classmethod
    def parse(cls, toml_text: str, folder: Path) -> Assignment:
        """Read the settings alone.

        Raises:
            AssignmentError: every wrong or unknown key, with its line and the nearest valid one.
        """
        tables = read_settings(toml_text)
        top: Top = tables.pop("")
        # A confusion matrix or per-class figures would give back what the board holds back.
        if tables["scoring"].public_board != "exact":
            tables["scoring"] = replace(tables["scoring"], feedback="aggregate")
        return cls(
            folder=folder,
            slug=top.slug,
            title=top.title,
            classes=top.classes,
            group=top.group,
            allow_absent=top.allow_absent,
            **tables,
        )

    @classmethod
    def load(cls, folder: Path | str) -> Assignment:
        """Read an assignment folder and check all of it: settings, answers, split and images.

        Raises:
            AssignmentError: with every problem found, each naming file and line.
        """
        folder = Path(folder)
        settings_file = folder / "assignment.toml"
        try:
            content = settings_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise AssignmentError([f"{settings_file}: is missing"]) from None
        except (UnicodeDecodeError, OSError) as error:
            raise AssignmentError([f"{settings_file}: can't be read: {error}"]) from error
        assignment = cls.parse(content, folder)
        problems = assignment._folder_problems()
        if problems:
            raise AssignmentError(problems)
        return assignment

    @property
    def num_classes(self) -> int:
        """How many classes the assignment has."""
        return len(self.classes)

    def answer_key(self) -> AnswerKey:
        """Give the answers, in the order of `expected()`.

        Raises:
            AssignmentError: answers.csv is wrong, or a split lacks a class.
        """
        return self._key

    def ids(self) -> tuple[str, ...]:
        """Give the ids in the order of answers.csv, which is the order of `test_images()`."""
        return self._answers[0]

    def expected(self) -> ExpectedRows:
        """Say which rows a prediction file must hold, in an order that tells nothing."""
        return self._expected

    def rows_in_answers_order(self) -> NDArray[np.int64]:
        """Give, for each row of `expected()`, its row in answers.csv: int64 (N,)."""
        return self._order

    def test_images(self) -> NDArray[np.uint8]:
        """Give the hidden images: uint8 N×H×W or N×H×W×C, row i for the i-th id of answers.csv.

        Raises:
            AssignmentError: they are missing or malformed.
        """
        return read_images(self.folder / "test", self.ids())

    def sample(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Give the public examples: uint8 images and int64 labels.

        Raises:
            AssignmentError: they are missing or malformed.
        """
        return read_labelled(self.folder / "sample", self.classes)

    @property
    def sample_limits(self) -> Limits:
        """The limits of the sample run: short, and with little output."""
        return replace(
            self.limits,
            wall_seconds=min(self.limits.wall_seconds, 60.0),
            output_mb=min(self.limits.output_mb, 8),
        )

    def warnings(self) -> tuple[str, ...]:
        """Say what is valid but gives answers away; publishing shows it to staff.

        Raises:
            AssignmentError: answers.csv is wrong.
        """
        if order_tells_class(self.answer_key().labels):
            return (
                "answers.csv: sorted by id, images of one class stand together, so that the ids"
                " tell the answers; give the images other ids",
            )
        return ()

    def readme(self) -> str:
        """Give what students read (Markdown)."""
        return (self.folder / "README.md").read_text(encoding="utf-8")

    def write_public_pack(self, folder: Path) -> None:
        """Write what students download into a new folder: nothing in it depends on the answers.

        Raises:
            AssignmentError: a part of the assignment can't be read.
            FileExistsError: the folder holds something already.
        """
        pack.write(self, folder)

    @cached_property
    def _answers(
        self,
    ) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.bool_] | None]:
        return read_answers(
            self.folder / "answers.csv",
            self.classes,
            self.submission.id_column,
            self.submission.label_column,
        )

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        ids = self.ids()
        # Ids that are all plain numbers are sorted as such, for readers' sake.
        if all(re.fullmatch("0|[1-9][0-9]{0,17}", name) for name in ids):
            numeric = np.array([int(name) for name in ids], dtype=np.int64)
            return np.argsort(numeric, kind="stable").astype(np.int64)
        return np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)

    @cached_property
    def _expected(self) -> ExpectedRows:
        ids = self.ids()
        return ExpectedRows(
            ids=tuple([ids[row] for row in self._order.tolist()]),
            classes=self.classes,
            id_column=self.submission.id_column,
            label_column=self.submission.label_column,
        )

    @cached_property
    def _key(self) -> AnswerKey:
        _, labels, public = self._answers
        expected = self.expected()
        labels = labels[self._order]
        public = (
            stratified_split(expected.ids, labels, self.split)
            if public is None
            else public[self._order]
        )
        key = answer_key(expected.ids, labels, public, self.classes)
        problems = absent_classes(key)
        if self.allow_absent:
            problems = [problem for problem in problems if problem.endswith("has no rows")]
        if problems:
            raise AssignmentError(problems)
        return key

    def _folder_problems(self) -> list[str]:
        problems = [] if (self.folder / "README.md").is_file() else ["README.md: is missing"]
        takes_code = "code" in self.submission.kinds
        parts: list[Callable[[], object]] = [self.answer_key]
        if takes_code or (self.folder / "test").exists():
            parts.append(self.test_images)
        if takes_code or (self.folder / "sample").exists():
            parts.append(self.sample)
        for part in parts:
            try:
                part()
            except AssignmentError as error:
                problems.extend(problem for problem in error.problems if problem not in problems)
        return problems
