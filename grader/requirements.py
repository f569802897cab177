"""What an upload must be to be taken: asked by `grader check`, the server's door and its worker,
and sent to the upload page's script as data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from grader.errors import InvalidPredictions, InvalidSubmission, Problem
from grader.file_kinds import FOREIGN, Kind, foreign_sentence, kind_of
from grader.metric_list import METRICS
from grader.prediction_csv.header import Vocabulary
from grader.prediction_csv.predictions import Predictions, parse_predictions
from grader.scoring.metrics import PROBABILITY_TOLERANCE, are_probabilities
from grader.words.catalogue import ENGLISH, template
from grader.words.message import Message, in_language, said

if TYPE_CHECKING:
    from grader.assignments.assignment import Assignment
    from grader.assignments.pack import Pack
    from grader.bundles.bundle import BundleInfo
    from grader.prediction_csv.expected import ExpectedRows

_MIB: Final = 1 << 20
# what the page's script finds in a header before anything is sent
_HEADER_KINDS: Final = (
    "missing_column",
    "unknown_column",
    "repeated_column",
    "mixed_columns",
    "score_not_number",
)
_WANTED: Final = {"csv": "file.code_wanted", "code": "file.csv_wanted"}  # by what it is instead


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """Public facts only: whoever may hand in may know them all."""

    kinds: tuple[str, ...]
    classes: tuple[str, ...]
    id_column: str
    label_column: str
    metric: str
    max_upload_mb: int

    @classmethod
    def of(cls, assignment: Assignment) -> Requirements:
        """Those of an assignment, by its settings alone."""
        rules = assignment.submission
        return cls(
            kinds=rules.kinds,
            classes=assignment.classes,
            id_column=rules.id_column,
            label_column=rules.label_column,
            metric=assignment.scoring.metric,
            max_upload_mb=rules.max_upload_mb,
        )

    @classmethod
    def of_pack(cls, pack: Pack) -> Requirements:
        """The same, as its public pack says them."""
        return cls(
            kinds=pack.kinds,
            classes=pack.classes,
            id_column=pack.id_column,
            label_column=pack.label_column,
            metric=pack.metric,
            max_upload_mb=pack.max_upload_mb,
        )

    def check_size(self, size: int) -> None:
        """Refuse a file of so many bytes.

        Raises:
            InvalidSubmission: it is too large.
        """
        if size > self.max_upload_mb * _MIB:
            message = said("file.too_large", size=f"{size / _MIB:.1f}", most=self.max_upload_mb)
            raise InvalidSubmission([Problem(kind="too_large", message=message)])

    def check_kind(self, path: Path, kind: Kind | None = None, *, name: str = "") -> Kind:
        """Refuse what is nothing to grade, or not taken here; give its kind, if not known before.

        name: what the file was called where it came from, if not as it lies here.

        Raises:
            InvalidSubmission: says what to hand in instead.
        """
        foreign = foreign_sentence(path, name)
        if foreign:
            raise InvalidSubmission([Problem(kind="not_gradable", message=foreign)])
        kind = kind or kind_of(path)
        self.check_taken(kind)
        return kind

    def check_taken(self, kind: Kind) -> None:
        """Refuse a kind that is not taken here.

        Raises:
            InvalidSubmission: says which is.
        """
        if kind not in self.kinds:
            message = said(_WANTED[kind])
            raise InvalidSubmission([Problem(kind="kind_not_accepted", message=message)])

    def read_csv(self, source: bytes | BinaryIO, expected: ExpectedRows) -> Predictions:
        """Read predictions that the ranking metric can be computed from.

        Raises:
            InvalidPredictions: with every kind of problem found.
        """
        predictions = parse_predictions(source, expected)
        self.check_predictions(predictions)
        return predictions

    def check_predictions(self, predictions: Predictions) -> None:
        """Refuse predictions that the ranking metric can't be computed from.

        Raises:
            InvalidPredictions: says what is missing.
        """
        needs, scores = METRICS[self.metric].needs, predictions.scores
        if scores is None:
            if needs != "labels":
                raise InvalidPredictions([self._unavailable()])
        elif needs == "probabilities" and not are_probabilities(scores):
            raise InvalidPredictions([self._unavailable(said("metric.no_probabilities"))])

    def read_bundle(self, path: Path) -> BundleInfo:
        """Check a code bundle to its last byte, and write nothing.

        Raises:
            InvalidBundle: with everything that is wrong.
        """
        from grader.bundles.bundle import inspect_bundle  # a CSV does not wait for it

        return inspect_bundle(path, max_mb=self.max_upload_mb)

    def as_data(self, language: str = ENGLISH) -> dict[str, Any]:
        """Give what a script can check itself, as JSON, with sentences for its reader; the script
        puts values into them."""
        say = partial(template, language=language)
        words = Vocabulary(
            id_column=self.id_column, label_column=self.label_column, classes=self.classes
        )
        return {
            "kinds": list(self.kinds),
            "maxBytes": self.max_upload_mb * _MIB,
            "classes": list(self.classes),
            "idColumn": self.id_column,
            "labelColumn": self.label_column,
            "columns": {"exact": words.exact, "folded": words.folded},
            "needs": METRICS[self.metric].needs,
            "tolerance": PROBABILITY_TOLERANCE,
            "lacking": in_language(self._lacking, language),
            "noProbabilities": say("metric.no_probabilities"),
            "refused": {
                kind: say(code) for kind, code in _WANTED.items() if kind not in self.kinds
            },
            "problems": {kind: say(f"csv.{kind}") for kind in _HEADER_KINDS},
            "foreign": [{**one.as_data(), "sentence": say(one.code)} for one in FOREIGN],
        }

    @property
    def _lacking(self) -> Message:
        return METRICS[self.metric].unavailable

    def _unavailable(self, hint: Message | Literal[""] = "") -> Problem:
        return Problem(kind="metric_unavailable", message=self._lacking, line=1, hint=hint)
