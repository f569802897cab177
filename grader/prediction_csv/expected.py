"""What rows a prediction CSV must have."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from grader.prediction_csv.lookup import Lookup


@dataclass(frozen=True)
class ExpectedRows:
    """What a prediction file must hold: public facts only, no answer and no split.

    ids: every id once, in an order that tells nothing.
    """

    ids: tuple[str, ...] = field(repr=False)
    classes: tuple[str, ...]
    id_column: str = "id"
    label_column: str = "label"

    @cached_property
    def id_lookup(self) -> Lookup:
        """The ids, ready to be found among a file's bytes; built once."""
        return Lookup(self.ids)

    @cached_property
    def label_lookup(self) -> Lookup:
        """Ways to write a label: K class names, then K indices; entry e means class e modulo K."""
        indices = map(str, range(len(self.classes)))
        return Lookup([*self.classes, *indices])
