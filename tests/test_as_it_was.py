"""What a test leaves behind, another one does not find."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

from as_it_was import as_it_was


def test_loggers_environment_folder_and_signals_are_put_back(tmp_path: Path) -> None:
    log = logging.getLogger("leaderboard.web.request_ids")
    before = (log.level, Path.cwd(), dict(os.environ), signal.getsignal(signal.SIGHUP))
    handlers = list(logging.getLogger().handlers)
    with as_it_was():
        log.setLevel(logging.DEBUG if log.level != logging.DEBUG else logging.INFO)
        logging.getLogger("leaderboard.first_seen_here").setLevel(logging.DEBUG)
        logging.getLogger().addHandler(logging.NullHandler())
        os.environ["LEADERBOARD_LEFT_BEHIND"] = "1"
        os.environ.pop("PATH")
        os.chdir(tmp_path)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert (log.level, Path.cwd(), dict(os.environ), signal.getsignal(signal.SIGHUP)) == before
    assert logging.getLogger("leaderboard.first_seen_here").level == logging.NOTSET
    assert logging.getLogger().handlers == handlers
