"""The verdicts: what can become of a submission, whose fault it is and what it costs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from grader.errors import Owner
from grader.words.message import said


class _Meaning(NamedTuple):
    title: str
    whose: Owner | None
    counts_against_quota: bool


class Verdict(StrEnum):
    """What became of a submission.

    >>> Verdict.TLE.title, Verdict.TLE.whose.value, Verdict.TLE.counts_against_quota
    ('time limit exceeded', 'student', True)
    """

    OK = "OK"  # predictions were made and scored
    REJ = "REJ"  # refused at upload: archive, CSV or size, with every problem found
    CE = "CE"  # contract error: no build_model, or the import fails
    LE = "LE"  # the checkpoint can't be loaded safely
    RE = "RE"  # the program failed or crashed while running
    TLE = "TLE"  # over the wall time
    MLE = "MLE"  # over the memory
    GMLE = "GMLE"  # over the GPU memory
    OLE = "OLE"  # over the output
    PE = "PE"  # predictions malformed: shape, dtype, NaN, out of range, frames after the end
    SV = "SV"  # policy violation; set by staff or by integrity checks only
    IE = "IE"  # internal error: ours, retried and refunded

    @property
    def title(self) -> str:  # type: ignore[override] # a verdict's title, not str.title()
        """The verdict in words."""
        return _MEANINGS[self].title

    @property
    def whose(self) -> Owner | None:
        """Who can put it right; None where nothing is wrong."""
        return _MEANINGS[self].whose

    @property
    def counts_against_quota(self) -> bool:
        """Whether it uses up an attempt of the team (a failure in the sample run never does)."""
        return _MEANINGS[self].counts_against_quota


_MEANINGS: Final[dict[Verdict, _Meaning]] = {
    Verdict.OK: _Meaning("scored", None, True),
    Verdict.REJ: _Meaning("rejected at upload", Owner.STUDENT, False),
    Verdict.CE: _Meaning("contract error", Owner.STUDENT, True),
    Verdict.LE: _Meaning("checkpoint can't be loaded", Owner.STUDENT, True),
    Verdict.RE: _Meaning("run-time error", Owner.STUDENT, True),
    Verdict.TLE: _Meaning("time limit exceeded", Owner.STUDENT, True),
    Verdict.MLE: _Meaning("memory limit exceeded", Owner.STUDENT, True),
    Verdict.GMLE: _Meaning(said("verdict.gpu_memory"), Owner.STUDENT, True),
    Verdict.OLE: _Meaning("output limit exceeded", Owner.STUDENT, True),
    Verdict.PE: _Meaning("predictions malformed", Owner.STUDENT, True),
    Verdict.SV: _Meaning("policy violation", Owner.STUDENT, True),
    Verdict.IE: _Meaning("internal error", Owner.PLATFORM, False),
}

# Where several hold at once, the first of these is the verdict.
PRECEDENCE: Final[tuple[Verdict, ...]] = (
    Verdict.IE,
    Verdict.SV,
    Verdict.TLE,
    Verdict.MLE,
    Verdict.GMLE,
    Verdict.OLE,
    Verdict.RE,
    Verdict.LE,
    Verdict.CE,
    Verdict.PE,
)
