"""Every sentence with values in it that a student can meet is known to both translations.

The sources are read: a sentence that is added to the sandbox, a bundle's checks, the client or the
server's refusals, and not to the templates, fails here.
"""

import ast
import re
import string
from pathlib import Path

import pytest

import grader
import leaderboard
import sandbox
from grader import bundle_sentences, run_sentences
from grader.cli import chinese_sentences
from grader.cli.chinese_problems import in_chinese
from grader.wording import Templates
from leaderboard import errors, sentences

GRADER = Path(grader.__file__).parent
SANDBOX = Path(sandbox.__file__).parent
LEADERBOARD = Path(leaderboard.__file__).parent
REFUSALS = {name for name, each in vars(errors).items() if isinstance(each, type)}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def text_of(node):
    """What an expression says, `7` in the place of each value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return "7"


def said_by(path, names, place=-1):
    """The texts that a module hands to these functions, as their argument at `place`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and len(node.args) > max(place, 0):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            text = text_of(node.args[place]) if name in names else ""
            if re.search(r"[a-z]{3}", text):
                yield text


def of_failures():
    """What the sandbox says of a program that failed, from its sources."""
    for path in SANDBOX.glob("*.py"):
        for text in said_by(path, {"ProgramFailed", "fail", "_told", "UnfitBundle", "NoGpu"}):
            yield from PUT_TOGETHER.get(text, (text,))
        yield from (f"predict() returned {text}." for text in said_by(path, {"wrong"}))
        yield from (f"{text}: 7" for text in said_by(path, {"_blamed_on"}))
        for text in said_by(path, {"MalformedFrame"}):
            yield f"The program broke the channel to the grader: {text}."


def of_bundles():
    for name in ("bundle.py", "archives.py"):
        path = GRADER / name
        yield from said_by(path, {"Damaged"})
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # `self._add(kind, message, hint)`, `return kind, message, hint`
            triple = node.args if isinstance(node, ast.Call) else getattr(node, "elts", ())
            if len(triple) == 3 and re.fullmatch(r"[a-z]+(_[a-z]+)+|no_model", text_of(triple[0])):
                for text in filter(None, map(text_of, triple[1:])):
                    yield from PUT_TOGETHER.get(text, (text,) if text != "7" else ())


def of_the_exchange():
    for path in (GRADER / "transport.py", GRADER / "client.py", GRADER / "cli/data.py"):
        yield from said_by(path, {"NetworkError", "AuthError", "_Outage"}, place=0)


def of_refusals():
    """What the server's services refuse with; malformed requests of programs are left out."""
    for path in LEADERBOARD.rglob("*.py"):
        if path.parent.name not in ("api", "cli"):
            for text in said_by(path, REFUSALS, place=0):
                yield from PUT_TOGETHER.get(text, (text,))


PUT_TOGETHER = {
    "7 is not a state_dict. 7": (
        "a.pt is not a state_dict. It has one under 'net': save that one alone.",
        "a.pt is not a state_dict. Save it with torch.save(model.state_dict(), 'checkpoint.pt').",
    ),
    "The bundle has no checkpoint, but the model has 7 tensors. "
    "Expected checkpoint.safetensors or checkpoint.pt7": (
        "The bundle has no checkpoint, but the model has 7 tensors. "
        "Expected checkpoint.safetensors or checkpoint.pt.",
        "The bundle has no checkpoint, but the model has 7 tensors. Expected "
        "checkpoint.safetensors or checkpoint.pt; rename a.pth to checkpoint.pt if that is it.",
    ),
    "The checkpoint does not fit the model; 7.7": (
        "The checkpoint does not fit the model; missing: a, b and 3 more; not in the model: c.",
        "The checkpoint does not fit the model; not in the model: module.a. "
        "The names begin with `module.`: save `model.module.state_dict()`.",
    ),
    "model.py is missing7": ("model.py is missing", "model.py is missing; there is one at 'a'"),
    "This assignment takes 7, and this is 7.": (
        "This assignment takes a CSV of predictions, and this is a code bundle (.zip, .tar.gz, "
        ".tar).",
    ),
}
"""Sentences whose parts are chosen elsewhere: as they come out."""

STAFF_ONLY = ("A course code is made", "7 is no time zone", "There is a course", "There is no")


def unknown(texts, templates):
    known = Templates(templates)
    return sorted({text for text in texts if not known.find(text) and text not in templates})


def test_the_sandbox_says_many_things():
    assert len(set(of_failures())) > 30


@pytest.mark.parametrize("sentence", sorted(set(of_failures())))
def test_a_run_that_failed_is_told_in_chinese(sentence):
    told = chinese_sentences.of_run(sentence)

    assert CHINESE.search(told), told
    assert not re.search(r"\b(the|and|is|was|no|not|that|of)\b", told), told


def test_every_problem_of_a_bundle_is_known():
    said = set(of_bundles())

    assert len(said) > 30
    assert unknown(said, bundle_sentences.TEMPLATES) == []


def test_everything_the_client_says_is_known():
    said = set(of_the_exchange())

    assert len(said) > 8
    assert unknown(said, chinese_sentences.EXCHANGE) == []


def test_every_refusal_of_a_service_is_known_to_the_pages():
    said = {text for text in of_refusals() if not text.startswith(STAFF_ONLY)}

    assert len(said) > 50
    assert unknown(said, sentences.templates()) == []


def test_the_terminal_knows_every_template_with_its_values():
    runs = {*run_sentences.TEMPLATES, *run_sentences.ENDINGS, *run_sentences.CAUSES}
    assert set(chinese_sentences.RUNS) == runs
    assert set(chinese_sentences.BUNDLES) == set(bundle_sentences.TEMPLATES)
    for table in (
        chinese_sentences.RUNS,
        chinese_sentences.BUNDLES,
        chinese_sentences.EXCHANGE,
    ):
        for english, chinese in table.items():
            assert fields(english) == fields(chinese), english
            assert CHINESE.search(chinese), english


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_a_programs_own_words_and_the_advice_after_them():
    told = chinese_sentences.of_run(
        "build_model() failed: URLError: <urlopen error>. There is no network here: build the "
        "model without downloading (pretrained=False, weights=None) and put all weights in the "
        "checkpoint."
    )

    assert told.startswith("build_model() 出错：URLError: <urlopen error>.")
    assert "这里没有网络" in told


def test_a_cause_inside_a_sentence_is_told_in_chinese_too():
    assert chinese_sentences.of_run("build_model() failed: the GPU's memory is full.").endswith(
        "显存已满。"
    )


def test_a_bundles_problem_and_hint_are_told_in_chinese():
    told = in_chinese(
        {
            "kind": "no_model",
            "message": "model.py is missing; there is one at 'src/model.py'",
            "hint": "put model.py, with build_model() in it, at the top of the bundle",
        }
    )

    assert "'src/model.py'" in told["message"]
    assert "model.py is missing" not in told["message"]
    assert CHINESE.search(told["hint"])


def test_hints_that_depend_on_the_file_are_told_in_chinese():
    told = in_chinese(
        {
            "kind": "unknown_id",
            "message": "id '7' is not expected",
            "hint": "ids start at 0, not at 1",
        }
    )
    assert CHINESE.search(told["hint"])


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["foo"], "没有命令 'foo'"),
        (["check"], "缺少参数 'PATH'"),
        (["check", "nowhere.csv"], "路径 'nowhere.csv' 不存在"),
        (["submit", "--bad"], "没有选项"),
        (["leaderboard"], "缺少选项"),
        (["leaderboard", "-a", "x", "--page", "0"], "不在范围 x>=1 内"),
        (["leaderboard", "-a", "x", "--page", "y"], "'y' 不是整数"),
        (
            ["leaderboard", "-a", "x", "--track", "y"],
            "'y' 不是 'all', 'scratch', 'pretrained' 之一",
        ),
        (["quota", "-a"], "需要一个值"),
        (["quota", "-a", "x", "y"], "多出了参数（y）"),
        (["quota", "-a", "x"], "不知道服务器"),
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
