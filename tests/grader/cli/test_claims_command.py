"""`grader claims` tells a reader which of a report's figures hold."""

import json
from pathlib import Path

REPORTS = Path(__file__).parents[1] / "claims" / "reports"


def test_the_marine_report_is_corrected(run):
    result = run("claims", REPORTS / "marine_animals.txt")

    assert result.exit_code == 3
    assert result.stdout.count("it is the mean over classes 0–2 only, the first 3 of 19") == 12
    assert "precision 0.400, recall 0.409, F1 0.386" in result.stdout
    assert (
        "Ranking by macro_f1: claimed ResNet34 > MyNetPro > VGG16 > MyNet; "
        "by the tables VGG16 > ResNet34 > MyNetPro > MyNet"
    ) in result.stdout


def test_a_matrix_from_a_paste_is_held_against_a_claim(run):
    paste = (REPORTS / "remote_sensing.txt").read_text()

    result = run("claims", "-", "--claim", "accuracy=.8006", "--json", input=paste)

    (table,) = json.loads(result.stdout)["report"]["tables"]
    assert result.exit_code == 3
    assert round(table["accuracy"], 4) == 0.8046
    assert table["findings"][0]["explanation"][0]["slip"] == "uncounted_batch"


def test_a_public_and_a_private_score_name_their_split(run):
    result = run("claims", "--test-size", 5000, "--public", "0.90200", "--private", "0.88942")

    assert result.exit_code == 0
    assert "only one fits" in result.stdout
    assert "30/70: 1353/1500 and 3113/3500 right, if the digits were cut off" in result.stdout
    assert "z = 1.35: within noise" in result.stdout


def test_claims_are_held_against_a_score_piped_in(run, assignment_folder, right_answers, tmp_path):
    scored = run("score", assignment_folder, right_answers, "--json").stdout
    (tmp_path / "claims.toml").write_text('accuracy = 1.0\nmacro_f1 = "100%"\n')

    right = run(
        "claims", "--measured", "-", "--claims-file", tmp_path / "claims.toml", input=scored
    )
    wrong = run("claims", "--measured", "-", "--claim", "acc=100", input=scored)

    assert right.exit_code == 0
    assert right.stdout.count("agrees") == 2
    assert wrong.exit_code == 3
    assert "in percent" in wrong.stdout


def test_what_cannot_be_read_is_wrong_usage_that_says_why(run, tmp_path):
    (tmp_path / "empty.txt").write_text("no tables here")

    for arguments, complaint in (
        ((), "--help"),
        ((tmp_path / "empty.txt",), "no class table"),
        ((REPORTS / "remote_sensing.txt", "--claim", "accuracy"), "metric=value"),
        ((REPORTS / "remote_sensing.txt", "--claim", "luck=.9"), "'luck' is no metric"),
        (("--public", ".9"), "belong together"),
        (("--test-size", 100, "--public", "high", "--private", ".9"), "plain decimal"),
    ):
        result = run("claims", *arguments)
        assert result.exit_code == 2, arguments
        assert complaint in result.stderr
