"""The channel: what is refused, and that refusing costs nothing."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.inside.protocol import (
    HEADER,
    Allowed,
    Frame,
    FrameParser,
    MalformedFrame,
    header,
    read_exactly,
    write_frame,
)


def parser(**allowed: Allowed) -> FrameParser:
    made = FrameParser()
    made.allowed = {Frame[name]: size for name, size in allowed.items()}
    return made


def test_a_frame_arrives_whole_however_it_is_cut():
    stream = header(Frame.LABELS, 16) + bytes(range(16)) + header(Frame.END, 0)
    for size in range(1, len(stream) + 1):
        reader = parser(LABELS=Allowed(16, 16), END=Allowed(0, 0))
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        frames = [frame for piece in pieces for frame in reader.frames(piece)]
        assert frames == [(Frame.LABELS, bytes(range(16))), (Frame.END, b"")]
        assert not reader.unfinished


@pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1, 17, 15, 0])
def test_a_length_that_is_not_the_known_one_is_refused(length):
    with pytest.raises(MalformedFrame, match="bytes here"):
        list(parser(LABELS=Allowed(16, 16)).frames(header(Frame.LABELS, length)))


def test_refusing_a_huge_length_allocates_nothing():
    reader = parser(LABELS=Allowed(16, 16))
    tracemalloc.start()
    with pytest.raises(MalformedFrame):
        list(reader.frames(header(Frame.LABELS, 1 << 63)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize("kind", [Frame.END, Frame.CONFIG, 0, 255])
def test_a_type_that_has_no_place_is_refused(kind):
    with pytest.raises(MalformedFrame, match="no place"):
        list(parser(LABELS=Allowed(0, 16)).frames(HEADER.pack(b"GWF1", kind, b"\0\0\0", 0)))


def test_what_does_not_begin_with_the_magic_is_refused():
    with pytest.raises(MalformedFrame, match="not a frame"):
        list(parser(END=Allowed(0, 0)).frames(b"\x80\x04\x95pickle pickle"))


def test_what_is_allowed_may_change_between_two_frames_of_one_read():
    reader = parser(LOADED=Allowed(0, 0))
    frames = reader.frames(header(Frame.LOADED, 0) * 2)
    assert next(frames) == (Frame.LOADED, b"")
    reader.allowed = {Frame.END: Allowed(0, 0)}
    with pytest.raises(MalformedFrame):
        next(frames)


@given(st.lists(st.binary(max_size=64)))
def test_any_bytes_are_frames_or_malformed_and_never_pile_up(pieces):
    reader = parser(LABELS=Allowed(8, 8), END=Allowed(0, 0))
    try:
        for piece in pieces:
            for kind, payload in reader.frames(piece):
                assert len(payload) in (0, 8)
                assert kind in (Frame.LABELS, Frame.END)
    except MalformedFrame:
        return
    assert len(reader._buffer) <= HEADER.size + 8


def test_a_frame_passes_through_a_pipe():
    reader, writer = os.pipe()
    try:
        write_frame(writer, Frame.SCORES, b"12345678")
        assert read_exactly(reader, HEADER.size) == header(Frame.SCORES, 8)
        assert read_exactly(reader, 8) == b"12345678"
        os.close(writer)
        with pytest.raises(EOFError):
            read_exactly(reader, 1)
    finally:
        os.close(reader)
