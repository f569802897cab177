"""Tables beyond the terminal: what models cost, and CSV."""

import csv
import io

import pytest

from grader.cli.terminal import console

ROWS = [
    {
        "rank": 1,
        "team_name": '=HYPERLINK("x")',
        "primary": 0.91,
        "entries": 3,
        "efficiency": {"parameters": 61706, "seconds_per_1000": 0.4},
    },
    {"rank": 2, "team_name": "csv, only", "primary": 0.9, "entries": 1, "efficiency": {}},
]


def test_the_board_shows_what_models_cost_where_the_assignment_does(signed_in, run):
    signed_in.board_rows = ROWS

    lines = [line.split("\t") for line in run("leaderboard", "-a", "shapes").stdout.splitlines()]

    assert lines[0][5:7] == ["parameters", "s per 1000"]
    assert lines[1][5:7] == ["61706", "0.4"]
    assert lines[2][5:7] == ["-", "-"]


def test_the_board_shows_no_such_columns_elsewhere(signed_in, run):
    signed_in.board_rows = [{**row, "efficiency": {}} for row in ROWS]

    assert "parameters" not in run("leaderboard", "-a", "shapes").stdout


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_board_as_csv_reads_the_same_in_every_language_and_runs_no_formula(
    signed_in, run, monkeypatch, language
):
    monkeypatch.setenv("GRADER_LANG", language)
    signed_in.board_rows = ROWS

    table = list(csv.DictReader(io.StringIO(run("leaderboard", "-a", "shapes", "--csv").stdout)))

    assert [row["team"] for row in table] == ['\'=HYPERLINK("x")', "csv, only"]
    assert [row["score"] for row in table] == ["0.91000", "0.90000"]


def test_submissions_as_csv(signed_in, run, right_answers):
    run("submit", right_answers, "-a", "shapes", "-m", "-1 epoch, +aug")

    (row,) = csv.DictReader(io.StringIO(run("submissions", "-a", "shapes", "--csv").stdout))

    assert row["message"] == "'-1 epoch, +aug"


@pytest.mark.parametrize("cell", ["＝1+1", "＠SUM(A1)", "\u3000=1", "－lr", " +aug"])
def test_full_width_signs_and_leading_spaces_begin_no_formula(cell, capsys):
    console.show_csv(["message"], [[cell], ["-0.5"]])
    assert capsys.readouterr().out.splitlines()[1:] == [f"'{cell}", "-0.5"]


def test_the_board_of_a_track_is_asked_for_and_marks_pretrained_weights(signed_in, run):
    signed_in.board_rows = [
        {**ROWS[0], "is_pretrained": True},
        {**ROWS[1], "is_pretrained": False},
    ]

    table = run("leaderboard", "-a", "shapes", "--track", "pretrained", "--csv").stdout

    assert [row["pretrained"] for row in csv.DictReader(io.StringIO(table))] == ["yes", ""]
    assert "track=pretrained" in signed_in.requests[-1][2]


def test_every_list_comes_as_csv_in_english(signed_in, run, monkeypatch, right_answers):
    monkeypatch.setenv("GRADER_LANG", "zh")
    run("submit", right_answers, "-a", "shapes")

    firsts = [
        next(csv.reader(io.StringIO(run(*command, "--csv").stdout)))
        for command in (
            ("status",),
            ("submissions", "-a", "shapes"),
            ("leaderboard", "-a", "shapes"),
            ("quota", "-a", "shapes"),
        )
    ]

    assert [each[:2] for each in firsts] == [
        ["course", "assignment"],
        ["ID", "accepted"],
        ["rank", "team"],
        ["time", "ID"],
    ]
