"""Inside the sandbox: a failure of the student's program, and what becomes one."""

from __future__ import annotations

import errno

import torch

from sandbox.inside.advice import advise
from sandbox.inside.protocol import Failure
from sandbox.inside.sentences import Sentence, said


class ProgramFailed(Exception):
    """The student's program broke its contract; what is told is for the student."""

    def __init__(self, failure: Failure, told: Sentence) -> None:
        super().__init__(str(told))
        self.failure = failure
        self.told = told


class blamed_on:  # noqa: N801 - reads as a clause in a `with` line
    """What is raised in the block becomes a `ProgramFailed` of this kind, told by this code."""

    def __init__(self, failure: Failure, code: str, **values: str) -> None:
        self.failure = failure
        self.code = code
        self.values = values

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, ProgramFailed):
            return
        failure, told = self._explain(error)
        raise ProgramFailed(failure, told) from error

    def _explain(self, error: BaseException) -> tuple[Failure, Sentence]:
        own = f"{type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, torch.OutOfMemoryError):
            return Failure.GMLE, self._because(said("run.cause_gpu_full"))
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            return Failure.MLE, self._because(said("run.cause_memory", error=own))
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return Failure.OLE, self._because(said("run.cause_tmp_full", error=own))
        if isinstance(error, SystemExit) and self.failure is Failure.RE and not error.code:
            return Failure.PE, said("run.exit_called")
        advice = advise(error)
        if advice is None:
            return self.failure, self._because(own)
        begins = self._because(f"{own.splitlines()[0].partition('. ')[0][:200].rstrip('.')}.")
        return self.failure, said("run.with_advice", said=begins, advice=advice)

    def _because(self, error: str | Sentence) -> Sentence:
        return said(self.code, **self.values, error=error)
