"""Everything the command line says exists in Chinese, and a Chinese reader gets it."""

import ast
import inspect
import re
import string
from pathlib import Path

import click
import pytest

import grader.cli
from grader import parse_predictions
from grader.cli import cli
from grader.cli.chinese.talk import CHINESE
from grader.client.replies import DONE
from grader.errors import InvalidPredictions
from grader.prediction_csv.expected import ExpectedRows
from grader.verdicts import Verdict
from grader.words.message import Message, in_language

SOURCES = sorted(Path(grader.cli.__file__).parent.rglob("*.py"))


def said_in(path):
    """The texts that a module hands to `tr` or declares as help."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        texts = [word.value for word in node.keywords if word.arg == "help"]
        if isinstance(node.func, ast.Name) and node.func.id == "tr":
            texts.append(node.args[0])
        yield from (text.value for text in texts if isinstance(text, ast.Constant))


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_text_of_a_module_has_a_translation(path):
    missing = [text for text in said_in(path) if text not in CHINESE]

    assert missing == []


def test_every_commands_help_has_a_translation():
    context = click.Context(cli)
    commands = [cli, *(cli.get_command(context, name) for name in cli.list_commands(context))]
    helps = [inspect.cleandoc(command.help) for command in commands]
    helps += [entry[2] for entry in grader.cli.COMMANDS.values()]

    assert [text for text in helps if text not in CHINESE] == []


def test_every_verdict_status_and_phase_has_a_translation():
    words = [verdict.title for verdict in Verdict]
    words += ["within noise", "more than noise"]
    words += [*DONE, "queued", "running", "checking", "sample", "hidden", "scoring"]

    assert [each for each in words if not isinstance(each, Message) and each not in CHINESE] == []


def test_translations_have_the_placeholders_of_their_source():
    wrong = [source for source, chinese in CHINESE.items() if fields(source) != fields(chinese)]

    assert wrong == []


def test_problems_keep_their_values_in_chinese():
    expected = ExpectedRows(ids=("0", "1", "2"), classes=("cat", "dog"))
    with pytest.raises(InvalidPredictions) as caught:
        parse_predictions(b"id,label\n0,3.0\n1,9\n1,0\n", expected)

    said = {
        p.kind: (in_language(p.message, "zh"), in_language(p.hint, "zh"))
        for p in caught.value.problems
    }

    assert said["label_decimal"][0] == "'3.0' 不是类别编号"
    assert said["label_decimal"][1].startswith("请写 3，不要写 3.0")
    assert said["label_out_of_range"][0] == "'9' 不是类别：编号从 0 到 1"
    assert said["duplicate_id"][0] == "编号 '1' 已在第 3 行出现"
    assert said["missing_id"][0].startswith("缺少编号 '2'")


def test_a_chinese_reader_gets_chinese(run_program, signed_in, right_answers):
    help_text = run_program("submit", "--help", GRADER_LANG="zh").stdout
    result = run_program("submit", right_answers, "-a", "shapes", "--wait", GRADER_LANG="zh_CN")

    assert "预测 CSV" in help_text
    assert "选项" in help_text
    assert "回执" in result.stdout
    assert "已评分" in result.stdout
    assert signed_in.requests[-1][3]["Accept-Language"] == "zh"


def of_kit(path):
    """What a README tells to type or names: its commands, without their comments and messages, and
    its code spans; and how many paragraphs and items it has."""
    text = path.read_text(encoding="utf-8")
    _, commands, _ = text.split("```")
    typed = [re.sub(r'\s*#.*|"[^"]*"', "", line) for line in commands.strip().splitlines()]
    prose = text.replace(commands, "")
    return typed, sorted(re.findall(r"`([^`\n]+)`", prose)), len(re.findall(r"\n\n|\n- ", prose))


@pytest.mark.parametrize("kind", ["csv", "code"])
def test_a_chinese_readers_kit_says_the_same_in_chinese(run_program, tmp_path, kind):
    run_program("init", "--kind", kind, tmp_path / "zh", GRADER_LANG="zh_CN")
    run_program("init", "--kind", kind, tmp_path / "en", GRADER_LANG="en")

    english, chinese = (
        {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "en", tmp_path / "zh")
    )
    assert set(english) == set(chinese)
    for name in set(english) - {"README.md"}:
        assert english[name].read_bytes() == chinese[name].read_bytes()
    assert chinese["README.md"].read_text(encoding="utf-8").startswith("# 第一次提交")
    assert english["README.md"].read_text(encoding="utf-8").startswith("# A first hand-in")
    assert of_kit(chinese["README.md"]) == of_kit(english["README.md"])


def test_the_locale_decides_where_nothing_else_does(run_program):
    assert "命令" in run_program("--help", GRADER_LANG="", LC_ALL="zh_CN.UTF-8").stdout
    assert "Commands" in run_program("--help", GRADER_LANG="", LC_ALL="C.UTF-8").stdout
