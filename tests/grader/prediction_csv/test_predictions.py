"""The CSV parser: what it accepts, what it says, and what it costs."""

import gzip
import io
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import fuzz_predictions
import numpy as np
import pytest
import reference_parser
from csv_case import ANSWER, CLASSES, GOOD, IDS, SCORES
from csv_corpus import CASES
from hostile_csv import HOSTILE

from grader import ExpectedRows, InvalidPredictions, Predictions, parse_predictions
from grader.prediction_csv.lookup import Lookup
from grader.prediction_csv.parser import Parser

EXPECTED = ExpectedRows(IDS, CLASSES)


def problems_of(content, expected=EXPECTED):
    with pytest.raises(InvalidPredictions) as caught:
        parse_predictions(content, expected)
    return caught.value.problems


def test_the_corpus_holds_at_least_60_files_under_different_names():
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_corpus_file_is_read_as_stated(case):
    expected = ExpectedRows(case.ids, case.classes)
    if case.labels is not None:
        assert parse_predictions(case.content, expected).labels.tolist() == case.labels
        return
    problems = problems_of(case.content, expected)
    found = {one.kind: (one.count, one.line, one.column) for one in problems}
    assert found == case.problems
    assert case.hint in " ".join(one.hint for one in problems)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_corpus_file_is_judged_alike_by_the_reference(case):
    try:
        labels, _ = reference_parser.parse(case.content, case.ids, case.classes)
    except reference_parser.RejectedError:
        assert case.labels is None
    else:
        assert labels == case.labels


def test_mutated_files_are_read_as_by_the_reference():
    accepted = fuzz_predictions.fuzz(2_000, seed=2026)
    assert 200 < accepted < 1_800


def test_scores_are_given_in_the_order_of_classes_and_ids():
    predictions = parse_predictions(SCORES.encode(), EXPECTED)
    assert predictions.labels.tolist() == ANSWER
    assert predictions.scores[1].tolist() == [0.1, 0.8, 0.1]
    assert parse_predictions(GOOD.encode(), EXPECTED).scores is None


def test_scores_are_rounded_correctly():
    rng = np.random.default_rng(3)
    values = rng.random((200, 3)) * 10.0 ** rng.integers(-300, 300, (200, 3))
    ids = tuple(map(str, range(200)))
    lines = [
        f"{name},{','.join(map(repr, row))}" for name, row in zip(ids, values.tolist(), strict=True)
    ]
    content = "\n".join(["id,cat,dog,bird", *lines]).encode()
    assert (parse_predictions(content, ExpectedRows(ids, CLASSES)).scores == values).all()


def test_a_missing_and_a_doubled_id_are_both_named_with_lines():
    messages = [str(one) for one in problems_of(b"id,label\n0,0\n1,0\n1,0\n3,0\n4,0\n")]
    assert messages == [
        "line 4, column id: id '1' is there already, on line 3 Hint: each id stands once: "
        "were two files joined, or several rows kept of one image?",
        "line 6, column id: id '2' is missing: the file ends at this line without it",
    ]


def test_at_most_20_messages_are_given():
    lines = [case.content.partition(b"\n")[2] for case in CASES if case.problems]
    problems = problems_of(b"id,label,x,,label\n" + b"\n".join(lines))
    assert 10 < len(problems) <= 20
    assert len({one.kind for one in problems}) == len(problems)


def test_messages_show_what_the_file_says_cut_short_and_printable():
    nasty = "\u202e\x1b[31m" + "x" * 100
    (problem,) = problems_of(f"id,label\n0,{nasty}\n1,0\n2,0\n3,0\n4,0\n".encode())
    assert problem.message.isprintable()
    assert "x" * 50 not in problem.message


def test_messages_do_not_depend_on_anything_but_the_public_rows():
    # The parser is given ids and classes only: there is no way to an answer from here.
    assert set(ExpectedRows.__dataclass_fields__) == {"ids", "classes", "id_column", "label_column"}


def test_column_names_of_the_assignment_are_used():
    expected = ExpectedRows(IDS, CLASSES, id_column="image", label_column="species")
    content = GOOD.replace("id,label", "Image,Species").encode()
    assert parse_predictions(content, expected).labels.tolist() == ANSWER
    assert {one.kind for one in problems_of(GOOD.encode(), expected)} == {
        "unknown_column",
        "missing_column",
    }


def test_ids_that_start_at_1_are_explained():
    content = b"id,label\n1,0\n2,0\n3,0\n4,0\n5,0\n"
    assert any("start at 0" in one.hint for one in problems_of(content))


def test_a_stream_that_gives_few_bytes_at_a_time_is_read_alike():
    class Dripping(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 3))

    assert parse_predictions(Dripping(GOOD.encode()), EXPECTED).labels.tolist() == ANSWER
    packed = Dripping(gzip.compress(GOOD.encode()))
    assert parse_predictions(packed, EXPECTED).labels.tolist() == ANSWER


def test_lines_up_to_the_limit_are_read_and_not_one_more():
    allowed = 2 * len(IDS) + 1000
    padded = GOOD.encode() + b"\n" * (allowed - 6)
    assert parse_predictions(padded, EXPECTED).labels.tolist() == ANSWER
    assert [one.kind for one in problems_of(padded + b"\n")] == ["reading_stopped"]
    for content in (padded, padded + b"\n"):
        try:
            reference_parser.parse(content, IDS, CLASSES)
        except reference_parser.RejectedError:
            assert content != padded
        else:
            assert content == padded


def test_predictions_survive_storing():
    for text in (GOOD, SCORES):
        predictions = parse_predictions(text.encode(), EXPECTED)
        stored = predictions.to_bytes()
        again = Predictions.from_bytes(stored)
        assert again.ids == predictions.ids
        assert (again.labels == predictions.labels).all()
        assert again.labels.dtype == np.int64
        assert (again.scores is None) == (predictions.scores is None)
        assert again.scores is None or (again.scores == predictions.scores).all()
        assert predictions.to_bytes() == stored


def test_lookup_finds_every_key_and_nothing_else():
    rng = np.random.default_rng(5)
    letters = np.array(list("abcxyz0189äß日"))
    keys = {"".join(rng.choice(letters, size)) for size in rng.integers(1, 80, 5_000)}
    keys = list(keys | {str(number) for number in rng.choice(10**12, 3_000, replace=False)})
    lookup = Lookup(keys)
    assert lookup.find_all(keys).tolist() == list(range(len(keys)))
    others = {key + "y" for key in keys} - set(keys)
    assert (lookup.find_all(list(others)) == -1).all()
    assert (lookup.find_all(["", "-1", keys[-1] + "\0"]) == -1).all()


@pytest.mark.parametrize("make", ["img{:06}".format, "photo-of-something-{:06}.jpg".format])
def test_lookup_is_right_for_keys_in_order_and_nearly_in_order(make):
    keys = [make(number) for number in range(3_000)]
    lookup, here = Lookup(keys), list(range(3_000))
    assert lookup.find_all(keys[700:2_900]).tolist() == here[700:2_900]
    assert lookup.find_all(keys[::-1]).tolist() == here[::-1]
    assert lookup.find_all(keys[500:] + keys[:500]).tolist() == here[500:] + here[:500]
    wrong = [*keys[:1_000], "nobody", *keys[1_001:2_000], keys[0], *keys[2_001:]]
    expected = [*here[:1_000], -1, *here[1_001:2_000], 0, *here[2_001:]]
    assert lookup.find_all(wrong).tolist() == expected
    assert lookup.find_all([*keys[:999], keys[999] + "x"]).tolist() == [*here[:999], -1]
    assert lookup.find_all([*keys[:999], keys[999][:-1]]).tolist() == [*here[:999], -1]
    assert lookup.find_all([*keys[:999], ""]).tolist() == [*here[:999], -1]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_rejected_in_little_memory(name):
    code = f"""
        import resource, sys
        sys.path[:0] = {[str(Path(__file__).parents[1])]!r}
        from hostile_csv import HOSTILE, Endless
        from grader import ExpectedRows, InvalidPredictions, parse_predictions
        expected = ExpectedRows(tuple(map(str, range(1000))), ("cat", "dog", "bird"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            parse_predictions(Endless(*HOSTILE[{name!r}]), expected)
        except InvalidPredictions as error:
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(len(error.problems), (after - before) // 1024)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    problems, grown_mb = map(int, done.stdout.split())
    assert problems
    assert grown_mb < 40


def test_gzip_bomb_is_rejected_after_the_largest_valid_size():
    bomb = b"".join(gzip.compress(b"0,1\n" * 2**20, 9) for _ in range(20))
    kinds = {one.kind for one in problems_of(bomb)}
    assert kinds <= {"reading_stopped", "too_many_bytes", "no_header", "too_many_rows"}


def test_empty_gzip_members_do_not_go_on_for_ever():
    content = gzip.compress(b"") * 200_000
    assert problems_of(content)


def test_block_size_changes_nothing():
    content = b"id,label\n0,0.0\n1,\n1,1\n\n7,9\n3,1,\n" + os.urandom(300)
    wanted = problems_of(content)
    for block_bytes in (1, 2, 3, 5, 8, 13, 64, 200, 1000):
        with pytest.raises(InvalidPredictions) as caught:
            Parser(EXPECTED, block_bytes).parse(io.BytesIO(content))
        assert caught.value.problems == wanted


def test_memory_for_a_large_file_stays_below_ten_times_its_size():
    rows = 200_000
    expected = ExpectedRows(tuple(map(str, range(rows))), CLASSES)
    order = np.random.default_rng(1).permutation(rows).tolist()
    content = ("id,label\n" + "".join(f"{row},{row % 3}\n" for row in order)).encode()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    predictions = parse_predictions(content, expected)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert predictions.labels.tolist() == [row % 3 for row in range(rows)]
    assert grown * 1024 < 10 * len(content) + 16 * 2**20
