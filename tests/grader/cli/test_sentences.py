"""What is wrong is told in Chinese to a Chinese reader, with its values, on the terminal.

That every code has both languages is `tests/grader/test_words.py`.
"""

import ast
import inspect
import re
import string

import click
import pytest

from grader.bundles.bundle import inspect_bundle
from grader.cli.chinese.usage import USAGE
from grader.cli.terminal.console import in_words, problem_line
from grader.errors import InvalidBundle
from grader.words.message import with_data
from sandbox.inside.sentences import said

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def chinese_reader(monkeypatch):
    monkeypatch.setenv("GRADER_LANG", "zh")


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def told(sentence):
    """What a terminal makes of a sentence of the sandbox, as it comes from there."""
    return in_words(with_data(str(sentence), sentence.as_data()))


def test_a_programs_own_words_and_the_advice_after_them(chinese_reader):
    build = said("run.build_failed", error="URLError: <urlopen error>.")
    advised = said("run.with_advice", said=build, advice=said("run.advice_no_network"))

    assert told(advised).startswith("build_model() 出错：URLError: <urlopen error>.")
    assert "这里没有网络" in told(advised)


def test_a_cause_inside_a_sentence_is_told_in_chinese_too(chinese_reader):
    failed = said("run.build_failed", error=said("run.cause_gpu_full"))

    assert told(failed).endswith("显存已满。")


def test_a_bundles_problem_and_hint_are_told_in_chinese(chinese_reader, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/model.py").touch()
    (tmp_path / "README.md").touch()
    with pytest.raises(InvalidBundle) as refused:
        inspect_bundle(tmp_path)

    (problem,) = (each.as_dict() for each in refused.value.problems)
    assert problem["message"] == "model.py is missing; there is one at 'src/model.py'"
    assert problem_line(problem) == "缺少 model.py；在 'src/model.py' 处有一个"
    assert CHINESE.search(in_words(with_data(problem["hint"], problem["hint_said"])))


def test_a_problem_of_a_server_that_sends_no_codes_stays_as_it_came(chinese_reader):
    problem = {"kind": "no_model", "line": 3, "message": "model.py is missing", "count": 2}

    assert problem_line(problem) == "第 3 行: model.py is missing（共 2 处，此为第一处）"


def test_click_words_its_errors_by_these_templates():
    """Click's templates are looked for in its sources: one that it words anew is found here."""
    words = {
        node.value
        for module in ("core", "exceptions", "parser", "types")
        for node in ast.walk(ast.parse(inspect.getsource(getattr(click, module))))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    of_older_ones = {"No such option: {name}", "(Possible options: {possibilities})"}
    of_newer_ones = {
        "No such option {name!r}.",
        "(Did you mean one of: {possibilities}?)",
        "{value!r} is not {choice}.",
    }

    assert USAGE.keys() - words <= of_older_ones | of_newer_ones
    assert all(fields(text) >= fields(chinese) for text, chinese in USAGE.items())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["foo"], "没有命令 'foo'"),
        (["check"], "缺少参数 'PATH'"),
        (["check", "nowhere.csv"], "路径 'nowhere.csv' 不存在"),
        (["submit", "--bad"], "没有选项"),
        (["leaderboard"], "缺少选项"),
        (["leaderboard", "-a", "x", "--page", "0"], "不在范围 x>=1 内"),
        (["leaderboard", "-a", "x", "--page", "y"], "'y' 不是有效的数"),
        (
            ["leaderboard", "-a", "x", "--track", "y"],
            "'y' 不是 'all', 'scratch', 'pretrained' 之一",
        ),
        (["quota", "-a"], "需要一个值"),
        (["quota", "-a", "x", "y"], "多出了参数（y）"),
        (["quota", "-a", "x", "--server", "ftp://x"], "不是 http(s) 地址"),
    ],
)
def test_a_command_written_wrongly_is_told_in_chinese(run_program, command, said):
    result = run_program(*command, GRADER_LANG="zh")

    assert result.returncode == 2
    assert said in result.stderr
    assert not re.search(r"Error|Try |Usage|for help|Invalid|Missing|such", result.stderr)


def test_what_is_right_ends_as_in_english(run_program):
    assert run_program("--help", GRADER_LANG="zh").returncode == 0
    assert run_program("--version", GRADER_LANG="zh").returncode == 0
    assert run_program("--version").stdout == run_program("--version", GRADER_LANG="zh").stdout
