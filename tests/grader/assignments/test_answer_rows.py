"""answers.csv: what is read by the block is what `csv` reads a row at a time; and the split."""

import hashlib
import random

import numpy as np
import pytest

from grader import AssignmentError
from grader.assignments.answer_rows import OTHER_SPACES, order_of, read_plain_rows
from grader.assignments.answers import by_digest, read_answers, read_each_row, stratified_split
from grader.settings.tables import Split

CLASSES = ("cat", "dog", "a, b", "big  bird", "4", "猫")
IDS = ("7", "07", "12345678", "123456789", "a.png", "test/0001.jpg", "図.png", "x" * 70, "it's")
LABELS = ("0", "1", "004", "cat", "big  bird", "猫", "5")
SPLITS = ("public", "private", "Public", "PRIVATE", "puBLic")
ODD_CELLS = ("", '"', 'a"b', "9", "-1", "1.0", "cat\t", "\xa0", "a\0", "ignored", "a\rb", "1,2")
SPACES = ("", "", "", " ", "  ", "\t", "\u3000", "      ")
LINE_ENDS = ("\n", "\n", "\n", "\r\n", "\r", "\n\n")
HEADERS = (
    ("id", "label"),
    ("ID", "Label", "Usage"),
    ("split", "label", "id"),
    ("label", "name", "id", "extra"),
    ("id", "kind", "split", "label"),
)


def read(content, how, tmp_path):
    """The rows and None, or None and the problems."""
    path = tmp_path / "answers.csv"
    path.write_bytes(content)
    try:
        return how(path, CLASSES, "name", "kind"), None
    except AssignmentError as error:
        return None, error.problems


def same(first, second):
    return (
        first.ids == second.ids
        and np.array_equal(first.labels, second.labels)
        and first.labels.dtype == second.labels.dtype
        and np.array_equal(first.order, second.order)
        and (first.public is None) == (second.public is None)
        and (first.public is None or np.array_equal(first.public, second.public))
    )


class File:
    """A random answers.csv; `oddity` is the chance of anything unusual at each place."""

    def __init__(self, seed, oddity):
        self.draw, self.oddity = random.Random(seed), oddity
        self.end = self.draw.choice(LINE_ENDS[:4])
        self.quoted = self.draw.random() < 0.3
        header = self.draw.choice(HEADERS)
        ids = self.draw.sample(range(10**7), 40)
        lines = [self.line(header)]
        lines += [self.line([self.cell(name, str(at)) for name in header]) for at in ids]
        text = "".join(lines)
        self.content = text.encode("utf-8-sig" if self.draw.random() < 0.3 else "utf-8")
        if self.odd():
            at = self.draw.randrange(len(self.content))
            self.content = self.content[:at] + b"\xff" + self.content[at:]

    def odd(self):
        return self.draw.random() < self.oddity

    def cell(self, column, row_id):
        if self.odd():
            return self.draw.choice(ODD_CELLS)
        if column in ("id", "ID", "name"):
            return self.draw.choice(IDS) if self.odd() else row_id
        if column in ("split", "Usage"):
            return self.draw.choice(SPLITS)
        return self.draw.choice(LABELS)

    def line(self, cells):
        padded = [f"{self.space()}{self.quote(cell)}{self.space()}" for cell in cells]
        end = self.draw.choice(LINE_ENDS) if self.odd() else self.end
        return ",".join(padded[: len(padded) - self.odd()]) + end

    def quote(self, cell):
        wanted = self.quoted != self.odd()
        return '"' + cell.replace('"', '""') + '"' if wanted else cell

    def space(self):
        return self.draw.choice(SPACES) if self.odd() else ""


@pytest.mark.parametrize(
    ("oddity", "least_valid", "least_by_the_block"),
    [(0, 200, 200), (0.001, 150, 120), (0.003, 100, 60), (0.03, 1, 0)],
)
def test_block_reading_agrees_with_row_reading(oddity, least_valid, least_by_the_block, tmp_path):
    by_the_block = valid = 0
    for seed in range(200):
        content = File(seed, oddity).content
        plain = read_plain_rows(content, CLASSES, "name", "kind")
        rows, problems = read(content, read_each_row, tmp_path)
        valid += rows is not None
        if plain is not None:
            assert rows is not None, (content, problems)
            assert same(plain, rows), content
            by_the_block += 1
        both = read(content, read_answers, tmp_path)
        assert both[1] == problems, content
        assert rows is None or same(both[0], rows), content
    assert valid >= least_valid
    assert by_the_block >= least_by_the_block


@pytest.mark.parametrize(
    "content",
    [
        b'id,label\n "1",0\n',  # behind a space a quotation mark is a letter
        b'id,label\n1,"cat\n"\n',
        b"id,label\n1,0\n\n2,0\n",
        b"id,label\n1,0\r2,0\n",
        b"id,label\n1,0\n1,0\n",
        b"id,label\n1,\n",
        b"id,label\n,0\n",
        b"id,label\n1,0,\n",
        b"id,label\n1\x00,0\n",
        b"id,label\na\xc2\xadb,0\n",
        b"id,label,split\n1,0,ignored\n",
        b"id,label\n",
        b"id,truth\n1,0\n",
        b"\xff\xfeid,label\n1,0\n",
        b"",
    ],
)
def test_what_is_odd_or_wrong_is_left_to_the_row_reader(content):
    assert read_plain_rows(content, CLASSES, "id", "label") is None


def test_every_space_that_python_strips_is_known():
    spaces = {chr(point) for point in range(0x110000) if chr(point).isspace()}
    assert spaces == {*OTHER_SPACES, " ", "\r", "\n"}


def test_a_file_longer_than_a_block_is_read_whole(tmp_path):
    rows = range(99_999, -1, -1)
    lines = [f"{row}.png,{row % 5},{'public' if row % 3 else 'private'}\n" for row in rows]
    content = ("id,label,split\n" + "".join(lines)).encode()
    plain = read_plain_rows(content, CLASSES, "id", "label")
    exact, _ = read(content, read_each_row, tmp_path)
    assert plain is not None
    assert same(plain, exact)


def test_numbers_are_sorted_by_value_and_other_ids_as_text():
    assert order_of(["10", "9", "0"]).tolist() == [2, 1, 0]
    assert order_of(["10", "9", "00"]).tolist() == [2, 0, 1]
    assert order_of(["1" * 18, "9"]).tolist() == [1, 0]
    assert order_of(["1" * 19, "9"]).tolist() == [0, 1]
    assert order_of(["٣", "2"]).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("rows", "classes", "fraction", "seed", "public", "digest"),
    [
        (7, 3, 0.3, 1, 2, "8a331fdde7032f33"),
        (1000, 10, 0.3, 20260101, 300, "a70759b93a7bc774"),
        (100_000, 100, 0.3, 20260101, 30_000, "58b894f950e63a78"),
    ],
)
def test_a_seed_draws_the_split_that_it_drew_in_the_first_release(
    rows, classes, fraction, seed, public, digest
):
    labels = np.arange(rows) ** 2 % classes
    ids = [f"{row * 7919 % rows}.png" for row in range(rows)]
    split = stratified_split(ids, labels, Split(public_fraction=fraction, seed=seed))
    assert split.sum() == public
    assert hashlib.sha256(np.packbits(split).tobytes()).hexdigest().startswith(digest)


@pytest.mark.parametrize("seed", range(20))
def test_the_split_takes_the_smallest_digests_of_each_class(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 2, 3, 5, 6], rng.integers(1, 60), p=[0.5, 0.2, 0.2, 0.09, 0.01])
    ids = [f"image {row}" for row in range(len(labels))]
    split = stratified_split(ids, labels, Split(public_fraction=0.3, seed=seed))
    for label in set(labels.tolist()):
        digests = {
            hashlib.sha256(f"{seed}:{ids[row]}".encode()).digest(): bool(split[row])
            for row in np.flatnonzero(labels == label).tolist()
        }
        chosen = [digests[digest] for digest in sorted(digests)]
        assert chosen == sorted(chosen, reverse=True)
        assert len(chosen) == 1 or 0 < sum(chosen) < len(chosen)


def test_digests_that_begin_alike_are_told_apart_by_what_follows():
    digests = [bytes([first, *[7] * 20, later, *[9] * 10]) for first, later in ((1, 200), (1, 3))]
    assert by_digest(b"".join([*digests, bytes(32)])).tolist() == [2, 1, 0]
