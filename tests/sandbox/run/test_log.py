"""What a program prints, kept in bounded memory."""

from __future__ import annotations

import pytest

from sandbox.run import log as log_module
from sandbox.run.log import HEAD_BYTES, TAIL_BYTES, TELL_SECONDS, CappedLog, LogTeller, plain_text


def test_a_short_log_is_kept_as_it_is():
    log = CappedLog(1000)
    for piece in (b"one\n", b"two\n", "drei: ä\n".encode()):
        log.add(piece)
    assert log.text() == "one\ntwo\ndrei: ä\n"
    assert not log.over


def test_a_long_log_keeps_its_beginning_and_its_end():
    log = CappedLog(1 << 30)
    log.add(b"begin " + b"x" * HEAD_BYTES)
    for _ in range(100):
        log.add(b"y" * 10_000)
    log.add(b" the end")
    text = log.text()
    assert text.startswith("begin x")
    assert text.endswith(" the end")
    assert "bytes left out" in text
    assert len(log._head) + len(log._tail) <= HEAD_BYTES + TAIL_BYTES


def test_more_than_is_allowed_is_noticed_whatever_is_kept():
    log = CappedLog(100)
    log.add(b"x" * 100)
    assert not log.over
    log.add(b"x")
    assert log.over


def test_control_characters_can_steer_no_terminal():
    assert plain_text(b"\x1b[2Jred\x07\x00 a\tb\r\nc\rd \xff") == "�[2Jred�� a\tb\nc\nd �"


def test_a_growing_log_is_told_now_and_then_and_not_again_unchanged(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(log_module.time, "monotonic", lambda: now[0])
    told = []
    kept = CappedLog(1000)
    teller = LogTeller(kept, told.append)

    assert teller.due_in is None
    kept.add(b"one ")
    teller.tell_if_due()
    kept.add(b"two")
    teller.tell_if_due()
    assert told == ["one "]
    assert teller.due_in == pytest.approx(TELL_SECONDS)
    now[0] += TELL_SECONDS
    teller.tell_if_due()
    teller.tell_if_due()

    assert told == ["one ", "one two"]
    assert teller.due_in is None
