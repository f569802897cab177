"""Mutates prediction CSVs and compares the parser with the slow reference.

    python tests/grader/fuzz_predictions.py --count 200000 [--seed S]

Each case takes a valid file in one of many forms, mutates it up to four times, and parses it
whole and in small blocks. Nothing but InvalidPredictions may be raised, and the parser must accept
exactly what the reference accepts, with exactly the same labels and scores.
"""

from __future__ import annotations

import argparse
import gzip
import io
import random
import sys
import time

import numpy as np
import reference_parser

from grader import ExpectedRows, InvalidPredictions
from grader.prediction_csv.parser import Parser
from grader.prediction_csv.predictions import parse_predictions

NASTY_VALUES = (
    "", " ", "nan", "inf", "-1", "+1", "3.0", "1e0", "٣", "３", "007", "1_0", "0x1", "None", '"',
    '""', '"1', '1"', '" 1 "', ' "1" ', '"1"x', '"a""b"', "99999999999999999999", "1e999", "-0",
    "1.", ".5", ".", "-.5", "1e", "e1", "1e+5", "1E-400", "--1", "\u00a01", "1\t", "\x00", "é",
    "\u202e1", "1.5.2", "0" * 30, "0.1000000000000000055511151231257827", "5e-324",
)  # fmt: skip
NASTY_BYTES = (
    b"\x00", b"\r", b"\n", b"\r\n", b",", b'"', b" ", b"\xff", b"\xc3", b"\xef\xbb\xbf", b";",
    b"\t",
    b"\xe2\x80\xa8", b"\x1f\x8b", b"\xff\xfe", b"0", b"1", b"-", b"+", b"e", b".", b"\x0b", b"\x85",
)  # fmt: skip
ID_SETS = (
    [str(number) for number in range(7)],
    [str(number) for number in range(95, 103)],
    ["3", "2000000", "17", "123456789", "98765432101", "4"],
    ["img_001.png", "img_002.png", "img_010.png"],
    ["a,b", 'say "x"', "käse", "日本", "plain", '"quoted"', 'a""b'],
    ["x" * 64, "x" * 65, "x" * 8, "x" * 7, "x" * 16, "x" * 200],
    ["007", "7", "0", "00", "07"],
    ["with space", "a  b", "A", "a", "-1", "+1", "1.0", "1e5"],
)
CLASS_SETS = (
    ["cat", "dog"],
    ["T-shirt/top", "Ankle boot", "a,b", 'q"q', "straße"],
    [str(number) for number in range(12)],
    ["0", "one", "2", "THREE", "three"],
    ["x" * 70, "x" * 69, "id2", "Label2"],
)


class Fuzzer:
    """A seeded stream of cases: (content, expected rows)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.expected = [
            ExpectedRows(tuple(ids), tuple(classes)) for ids in ID_SETS for classes in CLASS_SETS
        ]

    def case(self) -> tuple[bytes, ExpectedRows]:
        pick = self.random
        expected = pick.choice(self.expected)
        rows = self.rows(expected)
        for _ in range(pick.choice((0, 0, 0, 1, 1, 1, 2, 3, 4))):
            self.mutate_rows(rows)
        content = self.text(rows).encode()
        for _ in range(pick.choice((0, 0, 0, 0, 1, 2))):
            content = self.mutate_bytes(content)
        if pick.random() < 0.1:
            content = gzip.compress(content, compresslevel=1, mtime=0)
            if pick.random() < 0.4:
                content = self.mutate_bytes(content)
        return content, expected

    def rows(self, expected: ExpectedRows) -> list[list[str]]:
        pick = self.random
        classes = expected.classes
        ids = pick.sample(expected.ids, len(expected.ids))
        if pick.random() < 0.5:
            labels = [*classes, *map(str, range(len(classes)))]
            rows = [["id", "label"], *([name, pick.choice(labels)] for name in ids)]
        else:
            names = list(classes) if pick.random() < 0.5 else [str(i) for i in range(len(classes))]
            score = pick.choice((self.short_score, self.long_score))
            rows = [["id", *names], *([name, *(score() for _ in names)] for name in ids)]
        if pick.random() < 0.3:
            order = pick.sample(range(len(rows[0])), len(rows[0]))
            rows = [[row[at] for at in order] for row in rows]
        return [[self.written(value) for value in row] for row in rows]

    def short_score(self) -> str:
        return self.random.choice(("0", "1", "0.5", "0.25", "-3", "1e-3", "12.75"))

    def long_score(self) -> str:
        return repr(self.random.choice((1, 1e-12, 1e20)) * (self.random.random() - 0.2))

    def written(self, value: str) -> str:
        special = any(letter in value for letter in ',"')
        if (special and self.random.random() < 0.95) or self.random.random() < 0.05:
            value = '"' + value.replace('"', '""') + '"'
        if self.random.random() < 0.05:
            value = " " * self.random.choice((1, 2, 9)) + value
        if self.random.random() < 0.05:
            value += " " * self.random.choice((1, 2, 9))
        return value

    def text(self, rows: list[list[str]]) -> str:
        pick = self.random
        end = pick.choice(("\n", "\n", "\r\n"))
        lines = [",".join(row) for row in rows]
        text = end.join(lines) + pick.choice((end, end, "", end * 3, f"{end}  {end}"))
        return pick.choice(("", "", "", "\ufeff")) + text

    def mutate_rows(self, rows: list[list[str]]) -> None:
        pick = self.random
        at = pick.randrange(len(rows))
        row = rows[at]
        action = pick.randrange(10)
        if action == 0:
            rows.insert(pick.randrange(len(rows) + 1), list(row))
        elif action == 1 and len(rows) > 1:
            rows.pop(at)
        elif action == 2:
            rows.insert(at, [pick.choice(("", " ", "\r", '""', ","))])
        elif action == 3 and row:
            row[pick.randrange(len(row))] = pick.choice(NASTY_VALUES)
        elif action == 4:
            row.insert(pick.randrange(len(row) + 1), pick.choice(NASTY_VALUES))
        elif action == 5 and len(row) > 1:
            row.pop(pick.randrange(len(row)))
        elif action == 6:
            rows[0] = [pick.choice((str.upper, str.title, str.lower))(name) for name in rows[0]]
        elif action == 7:
            other = rows[pick.randrange(len(rows))]
            row[:], other[:] = list(other), list(row)
        elif action == 8 and row and pick.random() < 0.2:
            value = pick.randrange(len(row))
            row[value] = row[value] + " " * pick.choice((500, 1030, 2000, 9000))
        elif action == 9 and row:
            row[pick.randrange(len(row))] += pick.choice((".0", ".png", " ", "e0", "0", '"', "\r"))

    def mutate_bytes(self, content: bytes) -> bytes:
        pick = self.random
        at = pick.randrange(len(content) + 1)
        action = pick.randrange(4)
        if action == 0:
            return content[:at] + pick.choice(NASTY_BYTES) + content[at:]
        if action == 1:
            return content[:at] + content[at + pick.choice((1, 1, 2, 5, 1000)) :]
        if action == 2 and at < len(content):
            return (
                content[:at] + bytes([content[at] ^ (1 << pick.randrange(8))]) + content[at + 1 :]
            )
        return content[:at] + content[pick.randrange(len(content) + 1) :]


def outcome(parse) -> tuple[object, object]:
    """Labels and scores, or "rejected" with the problems."""
    try:
        labels, scores = parse()
    except InvalidPredictions as error:
        return "rejected", [problem.as_dict() for problem in error.problems]
    return labels.tolist(), None if scores is None else scores.tolist()


def check(content: bytes, expected: ExpectedRows, block_bytes: int) -> bool:
    """Compare the parsers on one file; say whether it was accepted."""

    def whole():
        predictions = parse_predictions(content, expected)
        return predictions.labels, predictions.scores

    found = outcome(whole)
    try:
        wanted = reference_parser.parse(content, expected.ids, expected.classes)
    except reference_parser.RejectedError as error:
        wanted = "rejected", str(error)
    if wanted[0] == "rejected":
        assert found[0] == "rejected", f"accepted, but the reference says: {wanted[1]}"
        problems = found[1]
        assert 1 <= len(problems) <= 20
        assert all(len(problem["message"]) < 250 for problem in problems)
        assert all(problem["message"].isprintable() for problem in problems)
    else:
        assert found == wanted, f"{found} where the reference has {wanted}"
    in_blocks = outcome(lambda: Parser(expected, block_bytes).parse(io.BytesIO(content)))
    if found[0] == in_blocks[0] == "rejected" and stopped_early(found[1] + in_blocks[1]):
        return False
    assert in_blocks == found, f"in blocks of {block_bytes}: {in_blocks}; whole: {found}"
    return found[0] != "rejected"


def stopped_early(problems: list[dict[str, object]]) -> bool:
    """Say whether reading stopped on the way: how far it came depends on the size of the blocks."""
    return any(problem["kind"] in ("gzip_damaged", "reading_stopped") for problem in problems)


def fuzz(count: int, seed: int, report=lambda done, accepted: None) -> int:
    """Run `count` cases; give the number of accepted files. A failure shows how to repeat it."""
    accepted = 0
    for number in range(count):
        fuzzer_seed = seed * 1_000_003 + number
        fuzzer = FUZZER
        fuzzer.random.seed(fuzzer_seed)
        content, expected = fuzzer.case()
        block_bytes = fuzzer.random.choice((1, 16, 61, 61, 200, 200, 200))
        try:
            accepted += check(content, expected, block_bytes)
        except Exception as error:
            error.add_note(
                f"case seed {fuzzer_seed}, ids {expected.ids!r}, classes {expected.classes!r},"
                f" content {content!r}"
            )
            raise
        if number % 10_000 == 9_999:
            report(number + 1, accepted)
    return accepted


FUZZER = Fuzzer(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    start = time.perf_counter()

    def report(done: int, accepted: int) -> None:
        seconds = time.perf_counter() - start
        print(f"{done:,} files, {accepted:,} accepted, {seconds:.0f} s", file=sys.stderr)

    np.seterr(all="raise")
    accepted = fuzz(arguments.count, arguments.seed, report)
    print(f"{arguments.count:,} files: {accepted:,} accepted, none read differently")


if __name__ == "__main__":
    main()
