"""The commands as a student meets them: what they print, where, and how they exit."""

import io
import json
import shutil
import zipfile

import pytest

from grader import Assignment, write_public_pack

BOARD = [
    {
        "rank": 1,
        "team_name": "zig",
        "primary": 0.91,
        "entries": 3,
        "is_mine": False,
        "interval": [0.9, 0.92],
        "indistinguishable_from": [],
    },
    {"rank": 2, "team_name": "evil\x1b[2J\ttab", "primary": 0.9, "entries": 1, "is_mine": True},
    {"rank": None, "team_name": "lenet5", "primary": 0.8, "entries": 1, "is_baseline": True},
]


def test_submit_and_wait_prints_the_receipt_then_the_score(signed_in, run, right_answers):
    result = run("submit", right_answers, "-a", "shapes", "-m", "first try", "--wait")

    assert result.exit_code == 0
    assert result.stdout.index("Receipt: accepted 2026-09-03") < result.stdout.index("OK: scored")
    assert "accuracy\t0.75000" in result.stdout
    assert "running: scoring" in result.stderr
    assert "first try" in json.dumps(signed_in.submissions)


def test_submit_without_wait_says_how_to_follow(signed_in, run, right_answers):
    result = run("submit", right_answers, "-a", "shapes")

    assert result.exit_code == 0
    assert "grader status s_0001" in result.stderr


def test_submit_with_json_prints_one_document_with_the_receipt(signed_in, run, right_answers):
    result = run("submit", right_answers, "-a", "shapes", "--wait", "--json")

    reply = json.loads(result.stdout)
    assert reply["verdict"] == "OK"
    assert reply["receipt"]["signature"] == "c2lnbmVk"


def test_a_rejected_file_shows_line_column_message_and_hint_of_each_problem(
    signed_in, run, right_answers
):
    signed_in.verdict = "REJ"
    signed_in.problems = [
        {
            "kind": "label",
            "line": 17,
            "column": "label",
            "message": "'3.0' is no class",
            "hint": "write 3",
            "count": 2,
        },
        {"kind": "missing", "line": None, "column": None, "message": "id 7 is missing"},
    ]

    result = run("submit", right_answers, "-a", "shapes", "--wait")

    assert result.exit_code == 3
    assert "REJ: rejected at upload" in result.stdout
    assert "line 17, column label: '3.0' is no class (2 times" in result.stdout
    assert "Hint: write 3" in result.stdout
    assert "id 7 is missing" in result.stdout


@pytest.mark.parametrize(("verdict", "code"), [("TLE", 3), ("LE", 3), ("IE", 4)])
def test_the_exit_code_says_whose_fault_a_verdict_is(signed_in, run, right_answers, verdict, code):
    signed_in.verdict = verdict

    assert run("submit", right_answers, "-a", "shapes", "--wait").exit_code == code


def test_a_bundle_that_would_be_rejected_is_not_even_sent(signed_in, run, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "net.py").write_text("")

    result = run("submit", folder, "-a", "shapes")

    assert result.exit_code == 3
    assert "model.py" in result.stdout
    assert signed_in.requests == []


def test_a_lost_connection_names_the_key_under_which_to_send_again(
    signed_in, run, right_answers, pauses
):
    run("quota", "-a", "shapes", "--course", "dl-2026")
    signed_in.faults.extend(["drop"] * 6)

    lost = run("submit", right_answers, "-a", "shapes", "--course", "dl-2026")
    key = lost.stderr.partition("--key ")[2].split()[0]
    again = run("submit", right_answers, "-a", "shapes", "--key", key)

    assert lost.exit_code == 5
    assert "The server is away" in lost.stderr
    assert again.exit_code == 0
    assert len(signed_in.submissions) == 1


def test_without_a_server_the_way_to_sign_in_is_named(run, right_answers):
    result = run("submit", right_answers, "-a", "shapes")

    assert result.exit_code == 5
    assert "not signed in" in result.stderr
    assert "grader login URL" in result.stderr


def test_without_a_token_it_is_an_auth_error(run, server, right_answers):
    result = run("submit", right_answers, "-a", "shapes", "--server", server.url)

    assert result.exit_code == 5
    assert "not signed in" in result.stderr


def test_an_error_with_json_is_json_too(signed_in, run):
    result = run("status", "s_nobody", "--json")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["code"] == "not_found"


def test_login_keeps_the_token_where_only_the_owner_reads_it(server, run, tmp_path):
    result = run(
        "login",
        server.url,
        "--email",
        "mei@example.edu",
        "--password-stdin",
        input="correct horse\n",
    )

    file = tmp_path / "config.toml"
    assert result.exit_code == 0
    assert "Mei <mei@example.edu>" in result.stdout
    assert "gw_token" not in result.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("quota", "-a", "shapes").stdout == "3 of 5 left today.\n"


def test_a_wrong_password_keeps_nothing(server, run, tmp_path):
    result = run(
        "login", server.url, "--email", "mei@example.edu", "--password-stdin", input="wrong\n"
    )

    assert result.exit_code == 5
    assert not (tmp_path / "config.toml").exists()


def test_the_kept_token_is_sent_to_its_own_server_only(server, run, tmp_path):
    (tmp_path / "config.toml").write_text('server = "https://other.test"\ntoken = "gw_token"\n')

    assert run("quota", "-a", "shapes", "--server", server.url).exit_code == 5
    assert server.requests == []


def test_flag_beats_environment_beats_file(signed_in, run, tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text('server = "http://127.0.0.1:9"\ntoken = "stale"\n')

    assert run("quota", "-a", "shapes").exit_code == 0
    monkeypatch.setenv("GRADER_TOKEN", "stale")
    assert run("quota", "-a", "shapes").exit_code == 5
    assert run("quota", "-a", "shapes", "--token", "gw_token").exit_code == 0


def test_a_damaged_configuration_is_named(run, tmp_path):
    (tmp_path / "config.toml").write_text("server = \n")

    result = run("quota", "-a", "shapes")

    assert result.exit_code == 2
    assert "config.toml" in result.stderr


@pytest.mark.parametrize("address", ["ftp://example.test", "http://"])
def test_login_refuses_what_is_no_address(run, address):
    assert run("login", address, "--token", "x").exit_code == 2


def test_data_downloads_and_unpacks_the_pack(signed_in, run, tmp_path, pack):
    signed_in.pack = zipped(pack)

    result = run("data", "shapes", tmp_path / "mine")

    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'mine'}\n"
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == sorted(
        p.name for p in pack.iterdir()
    )
    assert not (tmp_path / "mine.zip").exists()
    assert run("data", "shapes", tmp_path / "mine").exit_code == 0, "a pack may be renewed"


def test_data_writes_over_nothing_of_the_users(signed_in, run, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")

    result = run("data", "shapes", tmp_path / "thesis")

    assert result.exit_code == 2
    assert (tmp_path / "thesis" / "chapter.tex").exists()


def test_a_damaged_pack_is_said_to_be_damaged(signed_in, run, tmp_path):
    result = run("data", "shapes", tmp_path / "mine")

    assert result.exit_code == 5
    assert "damaged" in result.stderr
    assert list(tmp_path.glob("mine*")) == []


def zipped(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def test_status_shows_the_report_and_exits_by_its_verdict(signed_in, run, right_answers):
    run("submit", right_answers, "-a", "shapes", "--wait")

    result = run("status", "s_0001")

    assert result.exit_code == 0
    assert "SHA-256" in result.stdout
    assert "macro_f1\t0.74000" in result.stdout


def test_status_alone_shows_who_and_what(signed_in, run):
    result = run("status")

    assert "Mei <mei@example.edu>" in result.stdout
    assert "dl-2026\tshapes\tThree shapes" in result.stdout


def test_submissions_are_listed_newest_first(signed_in, run, right_answers):
    run("submit", right_answers, "-a", "shapes", "-m", "one", "--wait")
    run("submit", right_answers, "-a", "shapes", "-m", "two")

    lines = run("submissions", "-a", "shapes").stdout.splitlines()

    assert [line.split("\t")[0] for line in lines] == ["ID", "s_0002", "s_0001"]
    assert "0.75000" in lines[2]


def test_the_board_marks_ones_own_row_and_lets_no_name_steer_the_terminal(signed_in, run):
    signed_in.board_rows = BOARD

    lines = run("leaderboard", "-a", "shapes").stdout.splitlines()

    assert lines[1].split("\t")[:4] == ["1", "zig", "0.91000", "0.9000–0.9200"]
    assert lines[2].split("\t")[:2] == ["2", "* evil\ufffd[2J tab"]
    assert lines[3].split("\t")[0] == "baseline"


def test_the_board_as_json_is_the_servers_reply(signed_in, run):
    signed_in.board_rows = BOARD

    assert json.loads(run("leaderboard", "-a", "shapes", "--json").stdout)["rows"] == BOARD


def test_final_picks_are_sent_together(signed_in, run, right_answers):
    run("submit", right_answers, "-a", "shapes")
    run("submit", right_answers, "-a", "shapes")

    result = run("pick", "s_0001", "s_0002")

    assert result.exit_code == 0
    assert json.loads(signed_in.requests[-1][4]) == {"submissions": ["s_0001", "s_0002"]}


@pytest.mark.parametrize(
    ("kind", "step", "file"),
    [
        ("csv", "grader submit", "train.py"),
        ("code", "grader submit", "train.py"),
        ("notebook", "jupyter lab", "hand_in.ipynb"),
    ],
)
def test_init_writes_a_kit_and_never_over_a_file(run, tmp_path, kind, step, file):
    first = run("init", "--kind", kind, tmp_path / "work")
    before = {p: p.read_bytes() for p in (tmp_path / "work").rglob("*") if p.is_file()}

    second = run("init", "--kind", kind, tmp_path / "work")

    assert first.exit_code == 0
    assert step in first.stderr
    assert tmp_path / "work" / file in before
    assert not any("__pycache__" in str(path) for path in before)
    assert second.exit_code == 2
    assert "nothing was written" in second.stderr


def test_score_prints_the_object_of_the_contract(run, assignment_folder, right_answers):
    result = run("score", assignment_folder, right_answers, "--json")

    reply = json.loads(result.stdout)
    assert result.exit_code == 0
    assert reply["verdict"] == "OK"
    assert reply["public"]["accuracy"] == reply["private"]["accuracy"] == 1.0
    assert reply["public"]["n"] + reply["private"]["n"] == 90
    low, high = reply["private"]["intervals"]["accuracy"]
    assert 0.9 < low < high == 1.0


def test_score_is_the_same_each_time_intervals_included(run, assignment_folder, right_answers):
    right_answers.write_text(right_answers.read_text().replace(",2\n", ",1\n", 9))

    first, second = (
        json.loads(run("score", assignment_folder, right_answers, "--json").stdout)
        for _ in range(2)
    )

    assert first["private"] == second["private"]
    assert first["private"]["intervals"]["macro_f1"][0] < first["private"]["macro_f1"]


def test_score_of_a_bad_file_lists_its_problems(run, assignment_folder, right_answers):
    lines = right_answers.read_text().splitlines()
    lines[4] = lines[7]
    right_answers.write_text("\n".join(lines))

    as_json = run("score", assignment_folder, right_answers, "--json")
    as_text = run("score", assignment_folder, right_answers)

    assert as_json.exit_code == as_text.exit_code == 3
    assert json.loads(as_json.stdout)["verdict"] == "REJ"
    assert {"line", "column", "message", "hint"} <= set(json.loads(as_json.stdout)["errors"][0])
    assert "line 8" in as_text.stdout


def test_score_of_a_csv_needs_settings_and_answers_only(run, assignment_folder, right_answers):
    (assignment_folder / "README.md").unlink()
    for name in ("test", "sample", "train"):
        shutil.rmtree(assignment_folder / name)

    result = run("score", assignment_folder, right_answers, "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["private"]["accuracy"] == 1.0


def test_score_of_code_says_what_the_folder_lacks_for_it(run, assignment_folder, tmp_path):
    run("init", "--kind", "code", tmp_path / "work")
    for name in ("test", "sample"):
        shutil.rmtree(assignment_folder / name)

    result = run("score", assignment_folder, tmp_path / "work" / "bundle")

    assert result.exit_code == 2
    assert "test: has neither images.npy nor a folder images/" in result.stderr
    assert "sample/labels.csv: is missing" in result.stderr


def test_score_of_a_broken_assignment_names_file_and_line(run, assignment_folder, right_answers):
    settings = assignment_folder / "assignment.toml"
    settings.write_text(settings.read_text() + "daily_limits = 3\n")

    result = run("score", assignment_folder, right_answers)

    assert result.exit_code == 2
    assert "assignment.toml:7" in result.stderr
    assert "daily_limit" in result.stderr


def test_check_accepts_what_the_server_accepts_and_finds_the_pack(run, pack, right_answers):
    result = run("check", right_answers)

    assert result.exit_code == 0
    assert "OK: 90 rows" in result.stdout


def test_check_knows_what_the_server_would_not_take(
    run, assignment_folder, right_answers, tmp_path
):
    settings = assignment_folder / "assignment.toml"
    original = settings.read_text()
    for change, kind in (
        ('kinds = ["code"]\n', "kind_not_accepted"),
        ('[scoring]\nmetric = "macro_auc"\n', "metric_unavailable"),
    ):
        settings.write_text(original + change)
        pack = tmp_path / kind
        write_public_pack(Assignment.load(assignment_folder), pack)
        for arguments in (
            ("check", right_answers, "-a", pack),
            ("score", assignment_folder, right_answers),
        ):
            reply = json.loads(run(*arguments, "--json").stdout)
            assert [error["kind"] for error in reply["errors"]] == [kind]


def test_check_of_a_csv_without_a_pack_asks_for_it(run, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("id,label\n")

    assert "-a" in run("check", path).stderr


def test_check_wonders_about_the_sample_submission(run, pack):
    result = run("check", pack / "sample_submission.csv", "-a", pack)

    assert result.exit_code == 0
    assert "sample submission?" in result.stdout


def test_check_with_the_assignment_folder_says_the_same_as_with_the_pack(
    run, pack, assignment_folder, right_answers
):
    right_answers.write_text(right_answers.read_text().replace("\n5,", "\n5x,"))

    by_pack = run("check", right_answers, "-a", pack, "--json")
    by_folder = run("check", right_answers, "-a", assignment_folder, "--json")

    assert by_pack.exit_code == by_folder.exit_code == 3
    assert by_pack.stdout == by_folder.stdout
