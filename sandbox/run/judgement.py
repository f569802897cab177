"""From what was seen to a verdict and a sentence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sandbox.inside.protocol import Failure
from sandbox.inside.sentences import Sentence, said
from sandbox.limits import Limits
from sandbox.result import RunVerdict
from sandbox.run.backend import Postmortem
from sandbox.run.feed import Order

# For a hidden run, where neither the program's own words nor numbers it can choose are shown:
# they could spell out hidden images.
HIDDEN = {
    Failure.CE: said("run.hidden_contract"),
    Failure.LE: said("run.hidden_checkpoint"),
    Failure.RE: said("run.hidden_failed"),
    Failure.PE: said("run.hidden_predictions"),
    Failure.MLE: said("run.hidden_memory"),
    Failure.GMLE: said("run.hidden_gpu_memory"),
    Failure.OLE: said("run.hidden_tmp"),
}
FAILURE_VERDICTS: dict[Failure, RunVerdict] = {
    Failure.CE: "CE",
    Failure.LE: "LE",
    Failure.RE: "RE",
    Failure.PE: "PE",
    Failure.MLE: "MLE",
    Failure.GMLE: "GMLE",
    Failure.OLE: "OLE",
}
# Faults that a full /tmp explains.
BY_FULL_TMP = {"CE", "LE", "RE", "PE"}


@dataclass(kw_only=True)
class Outcome:
    """What a session saw. `faults` maps verdicts to details; rows are in sending order."""

    logs: bool
    limits: Limits
    expected: int  # images
    must_be_complete: bool = True  # a channel that ends before END is a fault
    ended: bool = False  # the program said it was done
    received: int = 0  # rows
    faults: dict[RunVerdict, Sentence | None] = field(default_factory=dict)
    order: Order | None = None
    answers: NDArray[np.float32] | NDArray[np.int64] | None = None
    heat: NDArray[np.uint8] | None = None  # (rows, HEAT_SIDE, HEAT_SIDE)
    explained: int = 0  # rows
    parameters: int = 0  # values in the checkpoints
    other_bytes: int = 0  # of the checkpoints that are no values
    wall_seconds: float = 0.0
    predict_seconds: float = 0.0
    log: str = ""

    def fail(self, verdict: RunVerdict, detail: Sentence | None) -> None:
        """Note a fault; the first of a kind is told."""
        self.faults.setdefault(verdict, detail)

    def judge(self, seen: Postmortem) -> None:
        """Add what was seen from outside, after the program's death, to the faults."""
        limits = self.limits
        if seen.interference and not self.ended:
            self.fail("IE", None)
        if seen.out_of_memory:
            used = min(seen.peak_memory_mb, limits.memory_mb)
            self.faults["MLE"] = said("run.memory", used=f"{used:.0f}", allowed=limits.memory_mb)
        if seen.out_of_gpu_memory:
            self.fail("GMLE", said("run.gpu_memory", allowed=limits.gpu_memory_mb))
        if self.must_be_complete and not self.ended and not self.faults:
            self._died(seen.exit_status)
        if seen.tmp_full and self.faults.keys() & BY_FULL_TMP:
            self.fail("OLE", full_tmp(limits))
        failed = self.faults.get("RE")
        if seen.out_of_processes and failed is not None:
            advice = said("run.process_limit", limit=limits.processes)
            self.faults["RE"] = said("run.with_advice", said=failed, advice=advice)

    def _died(self, exit_status: int | None) -> None:
        """The channel ended before END: by the way the process ended, whose fault and which."""
        if exit_status is None:
            self.fail("PE", self._told(said("run.channel_closed"), "PE"))
        elif exit_status == 0:
            made = min(self.received, self.expected)
            early = said("run.ended_early", made=made, expected=self.expected)
            self.fail("PE", self._told(early, "PE"))
        elif exit_status > 128:
            signal = said("run.ended_by_signal", signal=exit_status - 128)
            self.fail("RE", self._told(signal, "RE"))
        else:
            status = said("run.ended_with_status", status=exit_status)
            self.fail("RE", self._told(status, "RE"))

    def _told(self, detail: Sentence, verdict: str) -> Sentence:
        return detail if self.logs else HIDDEN[Failure[verdict]]


def full_tmp(limits: Limits) -> Sentence:
    """What a student reads when /tmp was full."""
    return said("run.tmp", allowed=limits.tmp_mb)
