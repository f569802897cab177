"""One list of metrics: what names them all reads `grader.metric_list`."""

import ast
import re
from pathlib import Path

from grader.metric_list import EVERY

ROOT = Path(__file__).parents[2]
HOME = "grader/metric_list.py"
BOARD_COLUMNS = {"accuracy", "macro_f1"}
# where certain metrics are meant, and no list of them all
MEANT = {
    # the Ladder is of accuracy; top 5 of five classes says nothing
    "grader/settings/conflicts.py": {"accuracy", "top5_accuracy"},
    "grader/settings/tables.py": {"accuracy"},
    # slips of certain metrics, and what a printed class table gives
    "grader/claims/claims.py": {"accuracy", "macro_f1"},
    "grader/claims/figures.py": {"accuracy", "balanced_accuracy"},
    "grader/claims/reports.py": {"accuracy"},
    "grader/cli/terminal/claims_view.py": {"accuracy"},
    # of the sample, and of a server that names no metric
    "grader/cli/check.py": {"accuracy"},
    "grader/client/replies.py": {"accuracy"},
    # what a grade's scale is of where nothing else is said
    "grader/scoring/grading.py": {"accuracy"},
    # columns of the database, which a board shows beside the ranking metric
    "leaderboard/boards/placing.py": BOARD_COLUMNS,
    "leaderboard/web/student/board.py": BOARD_COLUMNS,
    # how many images are right
    "leaderboard/web/student/report.py": {"accuracy"},
    "leaderboard/migrations/versions/0001_the_first_schema.py": {
        *("accuracy", "macro_f1", "macro_precision", "macro_recall")
    },
    # the last row of the classes' table, and a column of the list of submissions
    "leaderboard/templates/_report.html": {
        *("macro_auc", "macro_f1", "macro_precision", "macro_recall")
    },
    "leaderboard/templates/submissions.html": {"macro_f1"},
    "leaderboard/views/handed_in.py": {"macro_f1"},
    # columns of the database, which are held against what is computed anew
    "leaderboard/operations/verifying/scores.py": {
        *("accuracy", "macro_f1", "macro_precision", "macro_recall")
    },
    "leaderboard/operations/verifying/columns.py": {
        *("accuracy", "macro_f1", "macro_precision", "macro_recall")
    },
    # whose standard error has a form of its own
    "reference/calibration/measuring.py": {"accuracy"},
    # fields of the cards and files that are kept of a training
    "reference/results/card_page.py": {"macro_f1"},
    "reference/results/cards.py": {"macro_f1"},
    "reference/results/compare.py": {"macro_f1"},
    "reference/results/curves.py": {"accuracy"},
    "reference/results/shots.py": {"accuracy"},
    "reference/submitting/rerun.py": {*("accuracy", "macro_f1", "macro_precision", "macro_recall")},
}


def names_in_python(path):
    """Metric names among the strings of a module; docstrings and words within a text are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in EVERY
    }


def names_in_page(path):
    """Metric names among the attributes and strings of what a template computes."""
    computed = re.findall(r"\{[{%](.*?)[%}]\}", path.read_text(encoding="utf-8"), re.DOTALL)
    return {word for text in computed for word in re.findall(r"\w+", text)} & set(EVERY)


def test_no_metric_is_named_outside_the_list_but_where_that_one_is_meant():
    found = {}
    for package in ("grader", "leaderboard", "sandbox", "reference"):
        for path in sorted((ROOT / package).rglob("*")):
            names_in = {".py": names_in_python, ".html": names_in_page}.get(path.suffix)
            if names_in and (names := names_in(path)):
                found[str(path.relative_to(ROOT))] = names
    assert found.pop(HOME) == set(EVERY)
    assert found == MEANT


def test_only_what_labels_determine_has_an_interval():
    assert {each.needs for each in EVERY.values() if each.interval} == {"labels"}


def test_what_reports_call_a_metric_means_one_metric_only():
    names = [name for each in EVERY.values() for name in (each.name, *each.aliases)]
    assert len(set(names)) == len(names)
