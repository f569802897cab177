"""TOML of strangers costs little, and honest TOML reads as `tomllib` reads it."""

from __future__ import annotations

import random
import time
import tomllib

import pytest

from grader.bounded_toml import TomlLimits, read_toml

CLAIMS = TomlLimits(size=64 * 1024, parts=2, depth=2)
WIDE = TomlLimits(size=2**20, parts=40, depth=40)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (".".join(["a"] * 20_000) + " = 1", "more than 2 parts"),
        ("'a' . \"a\"\t. a = 1", "more than 2 parts"),
        ("[a.b.c]", "more than 2 parts"),
        ("x = { a.b.c = 1 }", "more than 2 parts"),
        ("x = " + "[" * 20_000, "more than 2 brackets"),
        ("x = 1\ny = " + "1" * 5_000, "line 2, column 5"),
        ('x = """\\""" = """\n' + "a.b.c = 1", "more than 2 parts"),
        ('x = """' + '\\"' * 20_000, "Unterminated"),
        ("x = '\ud800'", "UTF-8"),
        (b"x = '\xff'", "UTF-8"),
        ("#" * 70_000, "more than 65,536"),
        ('x = "\\ud800"', "scalar"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_at_once(text, says):
    begun = time.process_time()
    with pytest.raises(tomllib.TOMLDecodeError, match=says):
        read_toml(text, CLAIMS)
    assert time.process_time() - begun < 0.5


def test_what_stands_in_strings_and_comments_is_no_key_and_no_bracket():
    text = 'x = "a.b.c.[[["  # [[[[ a.b.c.d\ny = """\n[[[a.b.c.d\\""" """\nz = 0.25\n'
    assert read_toml(text, CLAIMS) == tomllib.loads(text)


def test_within_the_limits_every_document_reads_as_before():
    draw, parts = random.Random(3), ["a", "b", '"', "'", '"""', "'''", "\\", ".", "=", "\n", "["]
    parts += ["]", "{", "}", "#", " ", "1", ",", "é", "\r\n"]
    read = 0
    for _ in range(20_000):
        text = "".join(draw.choice(parts) for _ in range(draw.randrange(1, 20)))
        try:
            expected = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            with pytest.raises(tomllib.TOMLDecodeError):
                read_toml(text, WIDE)
            continue
        assert read_toml(text, WIDE) == expected
        read += 1
    assert read > 500
