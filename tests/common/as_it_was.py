"""What a test changes of the whole process is put back: another one may follow it anywhere."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1)


@dataclass(frozen=True)
class _Logger:
    """How a logger was set."""

    level: int
    handlers: tuple[logging.Handler, ...]
    propagate: bool
    disabled: bool

    @classmethod
    def of(cls, logger: logging.Logger) -> _Logger:
        return cls(logger.level, tuple(logger.handlers), logger.propagate, logger.disabled)

    def put_back(self, logger: logging.Logger) -> None:
        if self == _Logger.of(logger):
            return
        logger.setLevel(self.level)
        logger.handlers[:] = self.handlers
        logger.propagate, logger.disabled = self.propagate, self.disabled


_UNSET: Final = _Logger(logging.NOTSET, (), True, False)


def _loggers() -> dict[str, logging.Logger]:
    named = logging.Logger.manager.loggerDict
    ours = {
        name: logger
        for name, logger in named.items()
        if isinstance(logger, logging.Logger)
        and name.partition(".")[0] in ("grader", "leaderboard", "sandbox", "reference", "alembic")
    }
    return {"": logging.getLogger(), **ours}


@contextmanager
def as_it_was() -> Iterator[None]:
    """Put back the loggers, the environment, the folder and the handlers of signals."""
    loggers = {name: _Logger.of(logger) for name, logger in _loggers().items()}
    environment, folder = dict(os.environ), Path.cwd()
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for name, logger in _loggers().items():
            loggers.get(name, _UNSET).put_back(logger)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)
        if Path.cwd() != folder:
            os.chdir(folder)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
