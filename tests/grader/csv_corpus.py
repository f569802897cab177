"""The corpus of prediction CSVs: named files, each with what must become of it.

    python tests/grader/csv_corpus.py FOLDER      write every file there

Whatever reads a prediction CSV (the parser, `grader check`, the server) is held to this table.
"""

from __future__ import annotations

import gzip
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from csv_case import ANSWER, GOOD, SCORES, Case
from csv_slips import slips


def _accepted() -> list[Case]:
    texts = {
        "plain": GOOD,
        "shuffled": "id,label\n4,0\n2,2\n0,0\n3,1\n1,1\n",
        "crlf": GOOD.replace("\n", "\r\n"),
        "mixed-line-ends": GOOD.replace("\n1", "\r\n1"),
        "byte-order-mark": "\ufeff" + GOOD,
        "no-last-newline": GOOD.rstrip(),
        "trailing-blank-lines": GOOD + "\n\n\n",
        "trailing-blank-lines-crlf": GOOD.replace("\n", "\r\n") + "\r\n\r\n",
        "trailing-lines-of-spaces": GOOD + "  \n ",
        "header-in-capitals": GOOD.replace("id,label", "ID,LABEL"),
        "header-in-title-case": GOOD.replace("id,label", "Id,Label"),
        "columns-swapped": "label,id\n0,0\n1,1\n2,2\n1,3\n0,4\n",
        "quoted-fields": 'id,label\n"0","0"\n"1","1"\n"2","2"\n"3","1"\n"4","0"\n',
        "quoted-header": GOOD.replace("id,label", '"id","label"'),
        "some-fields-quoted": GOOD.replace("2,2", '"2",2'),
        "spaces-around": "id , label\n 0, 0\n1 ,1 \n  2  ,  2  \n3,1\n4, 0\n",
        "many-spaces-around": GOOD.replace("2,2", f"{' ' * 300}2,2{' ' * 300}"),
        "spaces-inside-quotes": GOOD.replace("2,2", '" 2 "," 2"'),
        "spaces-outside-quotes": GOOD.replace("2,2", ' "2" , "2" '),
        "class-names": "id,label\n0,cat\n1,dog\n2,bird\n3,dog\n4,cat\n",
        "class-names-and-indices": "id,label\n0,cat\n1,1\n2,bird\n3,dog\n4,0\n",
        "zero-padded-labels": "id,label\n0,00\n1,01\n2,02\n3,01\n4,000\n",
        "scores-by-name": SCORES,
        "scores-by-index": SCORES.replace("cat,dog,bird", "0,1,2"),
        "scores-by-name-in-capitals": SCORES.replace("cat,dog,bird", "CAT,Dog,BIRD"),
        "scores-in-another-order": (
            "bird,id,dog,cat\n0.2,0,0.3,0.5\n0.1,1,0.8,0.1\n1,2,0,0\n0.3,3,0.4,0.3\n0,4,0,0\n"
        ),
        "scores-with-exponents": SCORES.replace("0.1", "1e-1").replace("0.2", "2.0E-1"),
        "scores-negative-and-large": (
            "id,cat,dog,bird\n0,-1,-2,-3\n1,1e3,2e3,.5\n2,-0,0.,1e300\n3,-5,7,7\n4,5,5,5\n"
        ),
        "scores-quoted-with-spaces": SCORES.replace("0.8", ' "0.8" '),
        "scores-crlf": SCORES.replace("\n", "\r\n"),
    }
    cases = [Case(name=name, content=text.encode(), labels=ANSWER) for name, text in texts.items()]
    return [
        *cases,
        Case(name="gzip", content=gzip.compress(GOOD.encode(), mtime=0), labels=ANSWER),
        Case(
            name="gzip-of-two-members",
            content=gzip.compress(GOOD[:14].encode(), mtime=0)
            + gzip.compress(GOOD[14:].encode(), mtime=0),
            labels=ANSWER,
        ),
        Case(
            name="string-ids",
            content=b"id,label\nimg_2.png,1\nimg_1.png,0\n",
            labels=[0, 1],
            ids=("img_1.png", "img_2.png"),
        ),
        Case(
            name="ids-with-commas-and-quotes",
            content=b'id,label\n"a,b",1\n"say ""x""",2\n',
            labels=[1, 2],
            ids=("a,b", 'say "x"'),
        ),
        Case(
            name="ids-beyond-ascii",
            content="id,label\nkäse,1\n日本,2\n".encode(),
            labels=[1, 2],
            ids=("käse", "日本"),
        ),
        Case(
            name="ids-that-are-long",
            content=f"id,label\n{'x' * 80},1\n{'x' * 81},2\n".encode(),
            labels=[1, 2],
            ids=("x" * 80, "x" * 81),
        ),
        Case(
            name="ids-zero-padded-as-expected",
            content=b"id,label\n007,1\n7,2\n",
            labels=[1, 2],
            ids=("007", "7"),
        ),
        Case(
            name="classes-with-spaces-and-slashes",
            content=b"id,label\n0,Ankle boot\n1,T-shirt/top\n",
            labels=[1, 0],
            ids=("0", "1"),
            classes=("T-shirt/top", "Ankle boot"),
        ),
        Case(
            name="classes-named-by-digits",
            content=b"id,label\n0,1\n1,0\n",
            labels=[1, 0],
            ids=("0", "1"),
            classes=("0", "1"),
        ),
    ]


def _rejected_rows() -> list[Case]:
    """Files with one thing wrong in their rows: what replaces what in GOOD, and the finding."""
    missing_2 = {"missing_id": (1, 6, "id")}
    table = [
        ("missing-id", "2,2\n", "", {"missing_id": (1, 5, "id")}, ""),
        (
            "one-missing-another-doubled",
            "2,2",
            "3,2",
            {"duplicate_id": (1, 5, "id"), **missing_2},
            "",
        ),
        (
            "duplicate-id",
            "4,0\n",
            "4,0\n4,0\n",
            {"duplicate_id": (1, 7, "id"), "too_many_rows": (1, 7, None)},
            "",
        ),
        ("unknown-id", "2,2", "9,2", {"unknown_id": (1, 4, "id"), **missing_2}, ""),
        ("empty-id", "2,2", ",2", {"empty_value": (1, 4, "id"), **missing_2}, ""),
        ("empty-label", "2,2", "2,", {"empty_value": (1, 4, "label")}, ""),
        ("empty-label-in-quotes", "2,2", '2,""', {"empty_value": (1, 4, "label")}, ""),
        ("label-nan", "2,2", "2,nan", {"non_finite": (1, 4, "label")}, ""),
        ("label-infinity", "2,2", "2,-inf", {"non_finite": (1, 4, "label")}, ""),
        ("label-none", "2,2", "2,None", {"non_finite": (1, 4, "label")}, ""),
        ("label-decimal", "2,2", "2,2.0", {"label_decimal": (1, 4, "label")}, "astype(int)"),
        ("label-exponent", "2,2", "2,1e0", {"label_exponent": (1, 4, "label")}, "digits"),
        ("label-plus", "2,2", "2,+1", {"label_sign": (1, 4, "label")}, "sign"),
        ("label-negative", "2,2", "2,-1", {"label_sign": (1, 4, "label")}, "sign"),
        ("label-arabic-digits", "2,2", "2,٢", {"label_unicode_digits": (1, 4, "label")}, "ASCII"),
        ("label-full-width", "2,2", "2,２", {"label_unicode_digits": (1, 4, "label")}, "ASCII"),
        ("label-too-high", "2,2", "2,3", {"label_out_of_range": (1, 4, "label")}, ""),
        ("label-huge", "2,2", f"2,{'9' * 500}", {"label_out_of_range": (1, 4, "label")}, ""),
        ("label-unknown-name", "2,2", "2,brid", {"label_unknown": (1, 4, "label")}, "'bird'"),
        ("label-name-in-capitals", "2,2", "2,BIRD", {"label_unknown": (1, 4, "label")}, "'bird'"),
        ("label-underscore", "2,2", "2,1_0", {"label_unknown": (1, 4, "label")}, ""),
        ("label-after-tab", "2,2", "2,\t2", {"label_unknown": (1, 4, "label")}, ""),
        ("label-after-hard-space", "2,2", "2,\u00a02", {"label_unknown": (1, 4, "label")}, ""),
        ("row-too-long", "2,2", "2,2,2", {"ragged_row": (1, 4, None)}, ""),
        ("row-too-short", "2,2", "2", {"ragged_row": (1, 4, None)}, ""),
        ("trailing-comma", "2,2", "2,2,", {"ragged_row": (1, 4, None)}, ""),
        ("last-row-cut-off", "4,0\n", "4", {"truncated_row": (1, 6, None)}, "end"),
        ("blank-line-in-the-middle", "2,2", "\n2,2", {"blank_line": (1, 4, None)}, ""),
        ("blank-line-before-header", "id,", "\nid,", {"blank_line": (1, 1, None)}, ""),
        ("nul-byte", "2,2", "2,2\0", {"nul": (1, 4, None), **missing_2}, ""),
        ("lone-carriage-return", "2,2", "2,\r2", {"lone_cr": (1, 4, None), **missing_2}, ""),
        ("unclosed-quote", "2,2", '2,"2', {"unclosed_quote": (1, 4, None), **missing_2}, ""),
        ("stray-quote", "2,2", '2,2"', {"stray_quote": (1, 4, None), **missing_2}, ""),
        ("text-after-quote", "2,2", '"2"x,2', {"stray_quote": (1, 4, None), **missing_2}, ""),
        (
            "newline-in-quotes",
            "2,2",
            '"2\n",2',
            {
                "unclosed_quote": (2, 4, None),
                "missing_id": (1, 7, "id"),
                "too_many_rows": (1, 7, None),
            },
            "",
        ),
        (
            "line-too-long",
            "2,2",
            f"2,{' ' * 5000}2",
            {"line_too_long": (1, 4, None), **missing_2},
            "",
        ),
        (
            "ids-with-extension",
            "2,2",
            "2.jpg,2",
            {"unknown_id": (1, 4, "id"), **missing_2},
            "'2'",
        ),
        ("ids-with-folder", "2,2", "test/2,2", {"unknown_id": (1, 4, "id"), **missing_2}, "'2'"),
        ("ids-zero-padded", "2,2", "0002,2", {"unknown_id": (1, 4, "id"), **missing_2}, "'2'"),
        ("ids-as-decimals", "2,2", "2.0,2", {"unknown_id": (1, 4, "id"), **missing_2}, "'2'"),
    ]
    cases = []
    for name, old, new, problems, hint in table:
        assert GOOD.count(old) == 1, name
        content = GOOD.replace(old, new).encode()
        cases.append(Case(name=name, content=content, problems=problems, hint=hint))
    return cases


def _rejected_files() -> list[Case]:
    good = GOOD.encode()
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("predictions.csv", good)
    table = [
        ("empty-file", b"", {"empty_file": (1, None, None)}, ""),
        ("only-blank-lines", b"\n\n\n", {"empty_file": (1, None, None)}, ""),
        ("only-byte-order-mark", b"\xef\xbb\xbf", {"empty_file": (1, None, None)}, ""),
        ("only-header", b"id,label\n", {"missing_id": (5, 1, "id")}, ""),
        ("no-header", good.split(b"\n", 1)[1], {"no_header": (1, 1, None)}, "id,label"),
        (
            "saved-index",
            b",id,label\n0,0,0\n1,1,1\n2,2,2\n3,3,1\n4,4,0\n",
            {"saved_index": (1, 1, "")},
            "index=False",
        ),
        (
            "saved-index-twice",
            b"Unnamed: 0,id,label\n0,0,0\n1,1,1\n2,2,2\n3,3,1\n4,4,0\n",
            {"saved_index": (1, 1, "Unnamed: 0")},
            "index=False",
        ),
        ("semicolons", good.replace(b",", b";"), {"wrong_separator": (1, 1, None)}, ""),
        ("tabs", good.replace(b",", b"\t"), {"wrong_separator": (1, 1, None)}, ""),
        (
            "semicolons-in-rows-only",
            good.replace(b",", b";").replace(b"id;", b"id,"),
            {"ragged_row": (5, 2, None), "missing_id": (5, 6, "id")},
            "",
        ),
        (
            "unknown-column",
            b"id,label,comment\n0,0,a\n1,1,b\n2,2,c\n3,1,d\n4,0,e\n",
            {"unknown_column": (1, 1, "comment")},
            "",
        ),
        (
            "repeated-column",
            b"id,label,label\n0,0,0\n1,1,1\n2,2,2\n3,1,1\n4,0,0\n",
            {"repeated_column": (1, 1, "label")},
            "",
        ),
        (
            "wrong-label-column",
            good.replace(b"label", b"prediction"),
            {"unknown_column": (1, 1, "prediction"), "missing_column": (1, 1, "label")},
            "",
        ),
        (
            "label-and-scores",
            b"id,label,cat,dog,bird\n0,0,1,0,0\n",
            {"mixed_columns": (1, 1, "label")},
            "",
        ),
        (
            "score-column-missing",
            b"id,cat,dog\n0,1,0\n",
            {"missing_column": (1, 1, "bird")},
            "",
        ),
        (
            "score-columns-named-both-ways",
            SCORES.encode().replace(b"cat,dog", b"0,dog"),
            {"mixed_columns": (1, 1, "0")},
            "",
        ),
        (
            "score-not-finite",
            SCORES.encode().replace(b"0.8", b"nan").replace(b"0.5", b"1e999"),
            {"non_finite": (2, 2, "cat")},
            "",
        ),
        (
            "score-not-a-number",
            SCORES.encode().replace(b"0.8", b"0.8f").replace(b"0.5", b"+0.5"),
            {"score_not_number": (2, 2, "cat")},
            "",
        ),
        (
            "score-empty",
            SCORES.encode().replace(b"0.8", b""),
            {"empty_value": (1, 3, "dog")},
            "",
        ),
        (
            "invalid-utf-8",
            good.replace(b"2,2", b"2,\xff"),
            {"invalid_utf8": (1, 4, None), "missing_id": (1, 6, "id")},
            "utf-8",
        ),
        ("latin-1-header", b"id,l\xe4bel\n", {"invalid_utf8": (1, 1, None)}, ""),
        ("utf-16-little-endian", GOOD.encode("utf-16"), {"utf16": (1, None, None)}, "UTF-8"),
        (
            "utf-16-big-endian",
            b"\xfe\xff" + GOOD.encode("utf-16-be"),
            {"utf16": (1, None, None)},
            "",
        ),
        ("utf-16-without-mark", GOOD.encode("utf-16-le"), {"utf16": (1, None, None)}, ""),
        ("old-mac-line-ends", good.replace(b"\n", b"\r"), {"lone_cr": (1, 1, None)}, "LF"),
        ("zip-named-csv", archive.getvalue(), {"not_a_csv": (1, None, None)}, "gzip"),
        ("gzip-cut-off", gzip.compress(good, mtime=0)[:-9], {"gzip_damaged": (1, None, None)}, ""),
        (
            "gzip-with-wrong-checksum",
            gzip.compress(good, mtime=0)[:-8] + bytes(8),
            {"gzip_damaged": (1, None, None)},
            "",
        ),
        (
            "gzip-in-gzip",
            gzip.compress(gzip.compress(good, mtime=0), mtime=0),
            {"not_a_csv": (1, None, None)},
            "",
        ),
        (
            "several-problems",
            b"id,label\n0,0.0\n1,\n1,1\n\n7,9\n3,1,\n",
            {
                "label_decimal": (1, 2, "label"),
                "empty_value": (1, 3, "label"),
                "duplicate_id": (1, 4, "id"),
                "blank_line": (1, 5, None),
                "unknown_id": (1, 6, "id"),
                "label_out_of_range": (1, 6, "label"),
                "ragged_row": (1, 7, None),
                "missing_id": (2, 7, "id"),
            },
            "",
        ),
    ]
    return [
        Case(name=name, content=content, problems=problems, hint=hint)
        for name, content, problems, hint in table
    ]


def _rejected_text_ids() -> list[Case]:
    """Ids whose bytes, or some of them, are those of an expected id, and yet they are not it."""
    ids = ("img_1", 'say "x"', 'a""b', "a,b")
    good = 'id,label\nimg_1,0\n"say ""x""",0\n"a""""b",0\n"a,b",0\n'
    table = [
        ("nul-after-id", "img_1,", "img_1\0,", {"nul": (1, 2, None)}),
        ("id-with-bare-quotes", '"say ""x"""', 'say "x"', {"stray_quote": (1, 3, None)}),
        ("id-with-single-quotes-inside", '"say ""x"""', '"say "x""', {"stray_quote": (1, 3, None)}),
        ("id-with-bare-double-quotes", '"a""""b"', 'a""b', {"stray_quote": (1, 4, None)}),
        ("id-with-halved-quotes", '"a""""b"', '"a""b"', {"unknown_id": (1, 4, "id")}),
        ("id-with-bare-comma", '"a,b"', "a,b", {"ragged_row": (1, 5, None)}),
        ("id-in-capitals", "img_1,", "IMG_1,", {"unknown_id": (1, 2, "id")}),
        ("id-begins-alike", "img_1,", "img_10,", {"unknown_id": (1, 2, "id")}),
        ("id-is-cut", "img_1,", "img_,", {"unknown_id": (1, 2, "id")}),
    ]
    cases = []
    for name, old, new, problems in table:
        assert good.count(old) == 1, name
        content = good.replace(old, new).encode()
        problems = {**problems, "missing_id": (1, 5, "id")}
        cases.append(Case(name=name, content=content, problems=problems, ids=ids))
    return [Case(name="ids-of-odd-text", content=good.encode(), labels=[0] * 4, ids=ids), *cases]


CASES = [
    *_accepted(),
    *_rejected_rows(),
    *_rejected_files(),
    *_rejected_text_ids(),
    *slips(),
]


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        (folder / case.file_name).write_bytes(case.content)
    print(f"{len(CASES)} files")


if __name__ == "__main__":
    main()
