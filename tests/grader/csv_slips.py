"""Prediction CSVs as people write them by mistake, each with what the hint must say."""

from __future__ import annotations

from csv_case import GOOD, Case


def slips() -> list[Case]:
    """All of them; each is rejected, and nothing of it is changed."""
    return [
        *_printed_labels(),
        *_odd_headers(),
        *_spreadsheet_ids(),
        *_odd_labels(),
        *_odd_files(),
        *_renamed_ids(),
    ]


def _printed_labels() -> list[Case]:
    """Labels printed from within a program: what stands for the row 2,2 of GOOD."""
    table = [
        ("label-tensor", "2,tensor(2)", {"label_tensor": (1, 4, "label")}, "item()"),
        (
            "label-tensor-on-a-device",
            "2,\"tensor(2, device='cuda:0')\"",
            {"label_tensor": (1, 4, "label")},
            "item()",
        ),
        ("label-numpy-scalar", "2,np.int64(2)", {"label_tensor": (1, 4, "label")}, "item"),
        ("label-list", "2,[2]", {"label_list": (1, 4, "label")}, "label[0]"),
        ("label-list-of-a-name", "2,['bird']", {"label_list": (1, 4, "label")}, "label[0]"),
        ("label-tuple", '2,"(2,)"', {"label_list": (1, 4, "label")}, "label[0]"),
        (
            "label-scores",
            '2,"[0.1, 0.2, 0.7]"',
            {"label_scores": (1, 4, "label")},
            "argmax",
        ),
        ("label-scores-of-numpy", "2,[.1 .2 .7]", {"label_scores": (1, 4, "label")}, "arg"),
        ("label-scores-unquoted", "2,[.1,.2,.7]", {"ragged_row": (1, 4, None)}, "argmax"),
        ("label-truth-value", "2,True", {"label_bool": (1, 4, "label")}, "astype(int)"),
    ]
    return [
        Case(name=name, content=GOOD.replace("2,2", row).encode(), problems=problems, hint=hint)
        for name, row, problems, hint in table
    ]


def _odd_headers() -> list[Case]:
    good = GOOD.encode()
    table = [
        (
            "empty-last-column",
            b"id,label,\n0,0,\n1,1,\n2,2,\n3,1,\n4,0,\n",
            {"trailing_comma": (1, 1, "")},
            "end of each line",
        ),
        ("separator-line", b"sep=,\r\n" + good, {"separator_line": (1, 1, None)}, "delete"),
        (
            "separator-line-and-semicolons",
            b"sep=;\n" + good.replace(b",", b";"),
            {"separator_line": (1, 1, None), "wrong_separator": (1, 2, None)},
            "commas",
        ),
        (
            "header-of-another-platform",
            good.replace(b"id,label", b"Id,Category"),
            {"unknown_column": (1, 1, "Category"), "missing_column": (1, 1, "label")},
            "rename column 'Category' to 'label'",
        ),
        (
            "header-of-other-names",
            good.replace(b"id,label", b"image,class"),
            {"unknown_column": (2, 1, "image"), "missing_column": (2, 1, "id")},
            "header as 'id,label'",
        ),
        (
            "labels-from-1",
            b"id,label\n0,1\n1,2\n2,3\n3,2\n4,1\n",
            {"label_out_of_range": (1, 4, "label")},
            "labels - 1",
        ),
        (
            "labels-too-high-beside-label-0",
            b"id,label\n0,0\n1,2\n2,3\n3,2\n4,1\n",
            {"label_out_of_range": (1, 4, "label")},
            "",
        ),
    ]
    return [
        Case(name=name, content=content, problems=problems, hint=hint)
        for name, content, problems, hint in table
    ]


def _spreadsheet_ids() -> list[Case]:
    """What a spreadsheet makes of ids: expected id, what was saved, what the hint must hold."""
    ids = ("123456789012345", "100000", "120000", "1E6", "3-4", "MAR1", "sept2")
    table = [
        ("number-with-exponent", "100000", "1E5", "write '100000'"),
        ("number-with-exponent-and-zeros", "100000", "1.00E+05", "write '100000'"),
        ("text-that-reads-as-a-number", "1E6", "1.00E+06", "write '1E6'"),
        ("number-with-decimal-comma", "120000", "1,20E+05", "write '120000'"),
        ("number-that-was-rounded", "123456789012345", "1.23457E+14", "digits lost"),
        ("date-of-the-year", "3-4", "2026-03-04", "into dates"),
        ("day-and-month", "MAR1", "01-Mar", "into dates"),
        ("month-and-year", "sept2", "Sep-02", "into dates"),
        ("chinese-date", "3-4", "3月4日", "into dates"),
    ]
    rows = "".join(f'"{name}",1\n' for name in ids)
    return [
        Case(
            name=f"ids-{name}",
            content=f"id,label\n{rows}".replace(f'"{expected}"', f'"{saved}"').encode(),
            problems={
                "unknown_id": (1, 2 + ids.index(expected), "id"),
                "missing_id": (1, 1 + len(ids), "id"),
            },
            hint=hint,
            ids=ids,
        )
        for name, expected, saved, hint in table
    ]


def _odd_labels() -> list[Case]:
    table = [
        ("label-in-quotes", "2,'2'", {"label_unknown": (1, 4, "label")}, "write '2'"),
        ("label-in-curly-quotes", "2,“bird”", {"label_unknown": (1, 4, "label")}, "write 'bird'"),
        ("label-with-a-wide-space", "2,2\u00a0", {"label_unknown": (1, 4, "label")}, "mean '2'"),
        ("label-of-a-failed-formula", "2,#REF!", {"label_unknown": (1, 4, "label")}, "formula"),
        ("label-that-is-a-score", "2,0.93", {"label_decimal": (1, 4, "label")}, "argmax"),
        ("label-that-was-lost", "2,nan", {"non_finite": (1, 4, "label")}, "no prediction"),
    ]
    return [
        Case(name=name, content=GOOD.replace("2,2", row).encode(), problems=problems, hint=hint)
        for name, row, problems, hint in table
    ]


def _odd_files() -> list[Case]:
    rows = GOOD.removeprefix("id,label\n")
    missing = {"unknown_column": (1, 1, None), "missing_column": (2, 1, "id")}
    scores = "id,score_0,score_1,score_2\n" + "".join(f"{row},.1,.2,.7\n" for row in range(5))
    extra = GOOD.replace("\n", ",.9\n").replace("label,.9", "label,confidence")
    table = [
        ("json", '[{"id": 0, "label": 1}]', {"stray_quote": (1, 1, None)}, "JSON"),
        (
            "quotes-and-semicolons",
            '"id";"label"\n"0";"0"\n',
            {"stray_quote": (1, 1, None)},
            "separated by ';'",
        ),
        ("lines-in-quotes", '"id,label"\n"0,0"\n', missing, "each line stands in quotation"),
        ("wide-commas", "id，label\n0，0\n", missing, "separated by '，'"),
        ("printed-table", "    id  label\n0    0      1\n", missing, "separated by ' '"),
        ("web-page", "<!DOCTYPE html>\n<p>sign in</p>\n", missing, "web page"),
        ("comment-above", f"# epoch 3\n{GOOD}", missing, "lines above the header 'id,label'"),
        (
            "rows-and-a-column-more",
            extra,
            {"unknown_column": (1, 1, "confidence")},
            '"id", "label"',
        ),
        (
            "scores-by-number",
            scores,
            {"unknown_column": (3, 1, "score_0"), "missing_column": (1, 1, "label")},
            "'id,cat,dog,bird'",
        ),
        ("blank-lines", f"id,label\n\n{rows}", {"blank_line": (1, 2, None)}, "delete the blank"),
        (
            "two-files-joined",
            GOOD + GOOD,
            {
                "label_unknown": (1, 7, "label"),
                "unknown_id": (1, 7, "id"),
                "duplicate_id": (5, 8, "id"),
                "too_many_rows": (6, 12, None),
            },
            "header stands here again",
        ),
    ]
    return [
        Case(
            name=f"odd-{name}",
            content=text.encode(),
            problems=_of_first_line(problems, text),
            hint=hint,
        )
        for name, text, problems, hint in table
    ]


def _of_first_line(
    problems: dict[str, tuple[int, int | None, str | None]], text: str
) -> dict[str, tuple[int, int | None, str | None]]:
    """With the first line as the name of the column that is unknown, where none is given."""
    first = text.partition("\n")[0].strip(' "')
    return {
        kind: (count, line, first if kind == "unknown_column" and column is None else column)
        for kind, (count, line, column) in problems.items()
    }


def _renamed_ids() -> list[Case]:
    table = [
        ("with-a-word", "img_2", ("0", "1", "2", "3", "4"), "word in front: write '2'"),
        ("in-quotes", "'2", ("0", "1", "2", "3", "4"), "quotation marks: write '2'"),
        ("positions", "2", ("i00", "i01", "i02", "i03", "i04"), "such as 'i02'"),
        ("thousands", "1.002", ("1000", "1001", "1002", "1003", "1004"), "write '1002'"),
    ]
    return [
        Case(
            name=f"ids-{name}",
            content=("id,label\n" + "".join(f"{each},1\n" for each in ids))
            .replace(f"{ids[2]},", f"{saved},")
            .encode(),
            problems={"unknown_id": (1, 4, "id"), "missing_id": (1, 6, "id")},
            hint=hint,
            ids=ids,
        )
        for name, saved, ids, hint in table
    ]
