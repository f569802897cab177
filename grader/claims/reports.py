"""Checks the tables that a report prints against the headline numbers that it prints.

Pure: text in, findings out. Read are, wherever they stand in the text and separated by tabs,
commas, bars or spaces:

- class tables: a header that names precision, recall, F1 and support, one row a class, and the
  rows accuracy, macro avg and weighted avg as scikit-learn prints them;
- headline tables: a header that names accuracy and other metrics, one row a model;
- confusion matrices: K lines of K whole numbers, as NumPy prints them or as CSV.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.claims.claims import Claim, Evidence, Finding, examine, metric_named
from grader.claims.figures import MEANS, ClassFigures, Figure, Printed, right_answers
from grader.scoring.significance import Interval, wilson_interval

SUMMARY_ROWS: Final = ("accuracy", "macro avg", "weighted avg", "micro avg", "samples avg")
FEWEST_CLASSES: Final = 2


@dataclass(frozen=True, kw_only=True)
class Headline:
    """One row of a headline table: a model and what is claimed of it."""

    name: str
    line: int
    claims: tuple[Claim, ...]

    def claim(self, metric: str) -> Claim | None:
        """The claim of one metric."""
        return next((claim for claim in self.claims if claim.metric == metric), None)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassTable:
    """One class table: its figures, and its summary rows as claims on themselves."""

    line: int
    figures: ClassFigures
    summary: tuple[Claim, ...]
    odd_rows: tuple[int, ...]

    def accuracy(self) -> Printed | None:
        """The accuracy that the table itself prints."""
        found = (claim for claim in self.summary if claim.metric == "accuracy")
        return next((claim.printed for claim in found), None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """One class table or matrix of the report with the headline that belongs to it.

    `findings` hold the headline's claims, `own` the table's own summary rows, against its rows.
    `odd_rows` are lines whose figures do not go together.
    """

    name: str
    line: int
    figures: ClassFigures
    findings: tuple[Finding, ...]
    own: tuple[Finding, ...] = ()
    odd_rows: tuple[int, ...] = ()

    def mean(self, metric: str) -> Figure:
        """The true macro metric."""
        figure = self.figures.metric(metric)
        assert figure is not None
        return figure

    def accuracy_interval(self) -> Interval:
        """The 95 % interval of the accuracy."""
        right = round(self.figures.accuracy().value * self.figures.total)
        return wilson_interval(right, self.figures.total)


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The order of the models by one metric, as claimed and as their tables give it."""

    metric: str
    claimed: tuple[str, ...]
    true: tuple[str, ...]

    @property
    def turned(self) -> bool:
        """Whether the true order is another one."""
        return self.claimed != self.true


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportCheck:
    """Everything found in one report."""

    checked: tuple[Checked, ...]
    rankings: tuple[Ranking, ...]
    overlapping: tuple[tuple[str, str], ...]
    unmatched: tuple[Headline, ...]

    @property
    def holds(self) -> bool:
        """Whether every claim agrees with its table, and every table with itself."""
        return all(
            finding.agrees for each in self.checked for finding in (*each.findings, *each.own)
        ) and not any(each.odd_rows for each in self.checked)


def check_report(text: str, claims: Sequence[Claim] = ()) -> ReportCheck:
    """Read the tables of a report and hold its headline numbers against them.

    `claims` are held against every matrix, and against a class table without a headline.
    """
    lines = [_Line(number, line) for number, line in enumerate(text.splitlines(), start=1)]
    tables, headlines, matrices = _class_tables(lines), _headlines(lines), _matrices(lines)
    checked = [_check_table(table, headlines, claims) for table in tables]
    checked += [_check_matrix(line, matrix, claims) for line, matrix in matrices]
    named = [each for each in checked if each.findings]
    used = {each.name for each in named}
    return ReportCheck(
        checked=tuple(checked),
        rankings=tuple(_rankings(named)),
        overlapping=tuple(_overlapping(named)),
        unmatched=tuple(_unmatched(headlines, used)),
    )


def _check_table(
    table: ClassTable, headlines: Sequence[Headline], claims: Sequence[Claim]
) -> Checked:
    evidence = Evidence(test=table.figures)
    headline = _headline_of(table, headlines)
    return Checked(
        name=headline.name if headline else f"line {table.line}",
        line=table.line,
        figures=table.figures,
        findings=examine(headline.claims if headline else claims, evidence),
        own=tuple(each for each in examine(table.summary, evidence) if not each.agrees),
        odd_rows=table.odd_rows,
    )


def _check_matrix(line: int, matrix: NDArray[np.int64], claims: Sequence[Claim]) -> Checked:
    figures = ClassFigures.of(matrix)
    return Checked(
        name=f"line {line}",
        line=line,
        figures=figures,
        findings=examine(claims, Evidence(test=figures)),
    )


def _headline_of(table: ClassTable, headlines: Sequence[Headline]) -> Headline | None:
    """The nearest headline whose accuracy is the table's."""
    own = table.accuracy()
    fitting = []
    for headline in headlines:
        claim = headline.claim("accuracy")
        if claim and (
            _same(claim.printed, own) if own else claim.printed.fits(table.figures.accuracy())
        ):
            fitting.append(headline)
    return min(fitting, key=lambda each: abs(each.line - table.line), default=None)


def _same(one: Printed, other: Printed) -> bool:
    """Whether two printed figures can be of one number."""
    return one.fits(Figure(value=other.value, margin=other.step / 2))


def _rankings(checked: Sequence[Checked]) -> Iterator[Ranking]:
    for metric in ("accuracy", *MEANS):
        claimed = {
            each.name: finding.claim.printed.value
            for each in checked
            for finding in each.findings
            if finding.claim.metric == metric
        }
        true = {each.name: _value(each, metric) for each in checked if each.name in claimed}
        if len(true) > 1:
            yield Ranking(metric=metric, claimed=_best_first(claimed), true=_best_first(true))


def _value(checked: Checked, metric: str) -> float:
    figure = checked.figures.metric(metric)
    return figure.value if figure else 0.0


def _best_first(values: dict[str, float]) -> tuple[str, ...]:
    return tuple(sorted(values, key=lambda name: -values[name]))


def _overlapping(checked: Sequence[Checked]) -> Iterator[tuple[str, str]]:
    """Neighbours in the order of accuracy whose intervals overlap."""
    order = sorted(checked, key=lambda each: -each.figures.accuracy().value)
    for one, other in pairwise(order):
        if one.accuracy_interval().overlaps(other.accuracy_interval()):
            yield one.name, other.name


def _unmatched(headlines: Sequence[Headline], used: set[str]) -> Iterator[Headline]:
    seen = set(used)
    for headline in headlines:
        if headline.name not in seen:
            seen.add(headline.name)
            yield headline


class _Line:
    """One line of text, cut into cells at tabs, bars and commas where there are any."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text.strip()
        self.words = re.split(r"[\s|,，]+", self.text.strip("| "))

    def metrics(self) -> list[str]:
        """The metrics that the line names, in order: of a header, else none."""
        found = [metric_named(word) or word.lower() for word in self.words]
        return [name for name in found if name == "support" or metric_named(name)]

    def numbers(self, count: int) -> tuple[str, list[Printed]] | None:
        """The text before the last `count` words, and those as numbers; None where they are not."""
        if len(self.words) < count:
            return None
        try:
            numbers = [Printed.parse(word) for word in self.words[-count:]]
        except ValueError:
            return None
        return " ".join(self.words[:-count]), numbers


def _class_tables(lines: Sequence[_Line]) -> list[ClassTable]:
    tables = []
    for place, header in enumerate(lines):
        columns = header.metrics()
        if set(columns) == {*MEANS, "support"}:
            table = _class_table(header.number, columns, lines[place + 1 :])
            if table:
                tables.append(table)
    return tables


def _class_table(number: int, columns: Sequence[str], lines: Sequence[_Line]) -> ClassTable | None:
    rows: list[dict[str, Printed]] = []
    summary: list[Claim] = []
    odd: list[int] = []
    for line in lines:
        if not line.text or set(line.text) <= set("|-: "):
            continue
        label = next(
            (each for each in SUMMARY_ROWS if line.text.lower().lstrip("| ").startswith(each)), None
        )
        read = line.numbers(2 if label == "accuracy" else len(columns))
        if read is None:
            break
        if label:
            summary += _summary_claims(label, columns, read[1])
            continue
        if summary:
            break
        row = dict(zip(columns, read[1], strict=True))
        rows.append(row)
        if not _is_consistent(row):
            odd.append(line.number)
    if len(rows) < FEWEST_CLASSES:
        return None
    return ClassTable(
        line=number, figures=_figures(rows), summary=tuple(summary), odd_rows=tuple(odd)
    )


def _figures(rows: Sequence[dict[str, Printed]]) -> ClassFigures:
    precision, recall, f1 = ([row[metric] for row in rows] for metric in MEANS)
    support = [int(row["support"].value) for row in rows]
    return ClassFigures.printed(precision=precision, recall=recall, f1=f1, support=support)


def _summary_claims(
    label: str, columns: Sequence[str], numbers: Sequence[Printed]
) -> Iterator[Claim]:
    if label == "accuracy":
        yield Claim(metric="accuracy", printed=numbers[0])
        return
    kind = label.partition(" ")[0]
    for column, printed in zip(columns, numbers, strict=True):
        metric = column.replace("macro", kind)
        if column != "support" and kind in ("macro", "weighted"):
            yield Claim(metric=metric, printed=printed)


def _is_consistent(row: dict[str, Printed]) -> bool:
    """Whether a row's figures go together, as far as they are printed.

    Its recall must be a whole number over its support, its F1 follow from precision and recall.
    """
    precision, recall, f1 = (row[name] for name in MEANS)
    if not right_answers(recall, int(row["support"].value)):
        return False
    low = _harmonic_mean(precision.value - precision.step / 2, recall.value - recall.step / 2)
    high = _harmonic_mean(precision.value + precision.step / 2, recall.value + recall.step / 2)
    return f1.fits(Figure(value=(low + high) / 2, margin=(high - low) / 2))


def _harmonic_mean(one: float, other: float) -> float:
    one, other = max(one, 0.0), max(other, 0.0)
    return 2 * one * other / (one + other) if one + other else 0.0


def _headlines(lines: Sequence[_Line]) -> list[Headline]:
    """Rows of tables whose header names accuracy and something else, and no support."""
    found = []
    columns: list[str] = []
    for line in lines:
        named = line.metrics()
        if len(set(named)) > 1:
            # A sentence that mentions metrics is no header.
            is_header = "accuracy" in named and "support" not in named
            columns = named if is_header and len(line.words) <= len(named) + 2 else []
            continue
        if not line.text or set(line.text) <= set("|-: "):
            continue
        read = line.numbers(len(columns)) if columns else None
        if read is None:
            columns = []
            continue
        claims = [
            Claim(metric=metric, printed=printed)
            for metric, printed in zip(columns, read[1], strict=True)
        ]
        name = read[0] or f"line {line.number}"
        found.append(Headline(name=name, line=line.number, claims=tuple(claims)))
    return found


def _matrices(lines: Sequence[_Line]) -> list[tuple[int, NDArray[np.int64]]]:
    """Square blocks of whole numbers, with the line of their first row."""
    found = []
    block: list[list[int]] = []
    for line in [*lines, _Line(len(lines) + 1, "end")]:
        row = re.findall(r"\d+", line.text) if re.fullmatch(r"[\[\]\d\s,;|]+", line.text) else []
        if block and len(row) != len(block[0]):
            block = []
        if len(row) >= FEWEST_CLASSES:
            block.append([int(cell) for cell in row])
        if block and len(block) == len(block[0]):
            matrix = np.array(block, dtype=np.int64)
            if matrix.sum():
                found.append((line.number - len(block) + 1, matrix))
            block = []
    return found
