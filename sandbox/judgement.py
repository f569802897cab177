"""From what was seen to a verdict and a sentence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sandbox.backend import Postmortem
from sandbox.feed import Order
from sandbox.limits import Limits
from sandbox.protocol import Failure
from sandbox.result import RunVerdict

# For a hidden run, where neither the program's own words nor numbers it can choose are shown:
# they could spell out hidden images.
HIDDEN = {
    Failure.CE: "The program broke the contract of model.py.",
    Failure.LE: "The checkpoint could not be loaded.",
    Failure.RE: "The program failed while predicting.",
    Failure.PE: "The predictions have a wrong shape, type or value, or are not complete.",
    Failure.MLE: "The program ran out of memory.",
    Failure.GMLE: "The program ran out of GPU memory.",
    Failure.OLE: "The program filled its space for temporary files.",
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
    faults: dict[RunVerdict, str] = field(default_factory=dict)
    order: Order | None = None
    answers: NDArray[np.float32] | NDArray[np.int64] | None = None
    parameters: int = 0
    wall_seconds: float = 0.0
    predict_seconds: float = 0.0
    log: str = ""

    def fail(self, verdict: RunVerdict, detail: str) -> None:
        """Note a fault; the first of a kind is told."""
        self.faults.setdefault(verdict, detail)

    def judge(self, seen: Postmortem) -> None:
        """Add what was seen from outside, after the program's death, to the faults."""
        limits = self.limits
        if seen.out_of_memory:
            used = min(seen.peak_memory_mb, limits.memory_mb)
            self.faults["MLE"] = (
                f"Used {used:.0f} MB of the {limits.memory_mb} MB allowed, and asked for more."
            )
        if seen.out_of_gpu_memory:
            self.fail(
                "GMLE", f"Used more than the {limits.gpu_memory_mb} MB of GPU memory allowed."
            )
        if self.must_be_complete and not self.ended and not self.faults:
            self._died(seen.exit_status)
        if seen.tmp_full and self.faults.keys() & BY_FULL_TMP:
            self.fail("OLE", full_tmp(limits))
        if seen.out_of_processes and "RE" in self.faults:
            self.faults["RE"] += f" It reached the limit of {limits.processes} processes."

    def _died(self, exit_status: int | None) -> None:
        """The channel ended before END: by the way the process ended, whose fault and which."""
        if exit_status is None:
            self.fail("PE", self._told("The program closed its channel to the grader.", "PE"))
        elif exit_status == 0:
            count = f"{min(self.received, self.expected)} of {self.expected}"
            self.fail("PE", self._told(f"The program ended after {count} predictions.", "PE"))
        elif exit_status > 128:
            signal = f"The program was ended by signal {exit_status - 128}."
            self.fail("RE", self._told(signal, "RE"))
        else:
            status = f"The program ended with exit status {exit_status}."
            self.fail("RE", self._told(status, "RE"))

    def _told(self, text: str, verdict: str) -> str:
        return text if self.logs else HIDDEN[Failure[verdict]]


def full_tmp(limits: Limits) -> str:
    """What a student reads when /tmp was full."""
    return f"Temporary files filled the {limits.tmp_mb} MB allowed."
