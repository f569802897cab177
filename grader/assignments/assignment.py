"""An assignment folder: its settings, hidden answers, images and what students get of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.assignments.answer_rows import AnswerRows
from grader.assignments.answers import (
    AnswerKey,
    absent_classes,
    answer_key,
    order_tells_class,
    read_answers,
    stratified_split,
)
from grader.assignments.feedback import ROUNDED_STEPS, capacity_bits, tells_much
from grader.assignments.images import read_images, read_labelled
from grader.errors import AssignmentError
from grader.prediction_csv.expected import ExpectedRows
from grader.settings.tables import (
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
from grader.words.letters import one_form
from grader.words.message import Message, said
from grader.words.placed import placed

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
        tables = read_settings(one_form(toml_text))
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
    def open(cls, folder: Path | str) -> Assignment:
        """Read the settings of an assignment folder; whatever else it holds is read on first use.

        Raises:
            AssignmentError: assignment.toml is missing or wrong.
        """
        folder = Path(folder)
        settings_file = folder / "assignment.toml"
        try:
            content = settings_file.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise AssignmentError([placed(str(settings_file), said("folder.missing"))]) from None
        except (UnicodeDecodeError, OSError) as error:
            unread = said("folder.unreadable", error=str(error))
            raise AssignmentError([placed(str(settings_file), unread)]) from error
        return cls.parse(content, folder)

    @classmethod
    def load(cls, folder: Path | str) -> Assignment:
        """Read what scoring predictions needs: settings, answers and split.

        Images are read when code is to be run on them; `readiness` asks for them sooner.

        Raises:
            AssignmentError: with every problem found, each naming file and line.
        """
        assignment = cls.open(folder)
        assignment.answer_key()
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
        return self._answers.ids

    def expected(self) -> ExpectedRows:
        """Say which rows a prediction file must hold, in an order that tells nothing."""
        return self._expected

    def rows_in_answers_order(self) -> NDArray[np.int64]:
        """Give, for each row of `expected()`, its row in answers.csv: int64 (N,)."""
        return self._answers.order

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

    def warnings(self) -> tuple[Message, ...]:
        """Say what is valid but gives answers away; publishing shows it to staff.

        Raises:
            AssignmentError: answers.csv is wrong.
        """
        found: list[Message] = []
        if order_tells_class(self.answer_key().labels):
            found.append(placed("answers.csv", said("answers.order_tells_class")))
        leak = self.feedback_bits()
        if tells_much(test_images=self.data.test_images, feedback=self.scoring.feedback):
            found.append(
                said(
                    "answers.feedback_tells",
                    feedback=self.scoring.feedback,
                    bits=f"{leak:.0f}",
                    least=f"{math.log2(ROUNDED_STEPS):.1f}",
                )
            )
        return tuple(found)

    def feedback_bits(self) -> float:
        """Bits that the public figures of one evaluation can carry (`grader.assignments.feedback`).

        Raises:
            AssignmentError: answers.csv is wrong.
        """
        key = self.answer_key()
        counts = np.bincount(key.labels[key.public], minlength=self.num_classes)
        scoring = self.scoring
        return capacity_bits(
            counts.tolist(), public_board=scoring.public_board, feedback=scoring.feedback
        )

    def readme(self) -> str:
        """Give what students read (Markdown)."""
        return (self.folder / "README.md").read_text(encoding="utf-8-sig")

    @cached_property
    def _answers(self) -> AnswerRows:
        return read_answers(
            self.folder / "answers.csv",
            self.classes,
            self.submission.id_column,
            self.submission.label_column,
        )

    @cached_property
    def _expected(self) -> ExpectedRows:
        return ExpectedRows(
            ids=self._answers.sorted_ids(),
            classes=self.classes,
            id_column=self.submission.id_column,
            label_column=self.submission.label_column,
        )

    @cached_property
    def _key(self) -> AnswerKey:
        answers, expected = self._answers, self.expected()
        labels = answers.labels[answers.order]
        public = (
            stratified_split(expected.ids, labels, self.split)
            if answers.public is None
            else answers.public[answers.order]
        )
        key = answer_key(expected.ids, labels, public, self.classes)
        problems = absent_classes(key, allowed=self.allow_absent)
        if problems:
            raise AssignmentError(problems)
        return key
