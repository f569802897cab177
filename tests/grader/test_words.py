"""One catalogue a language: every code in both, every code said, and nothing read back from words.

The sources of grader, leaderboard and sandbox are read for what they say.
"""

from __future__ import annotations

import ast
import copy
import pickle
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import grader
from grader.claims.claims import Slip
from grader.settings.key_reference import keys
from grader.words.catalogue import templates
from grader.words.message import Message, data_of, in_language, said, with_data
from sandbox.inside.sentences import TEMPLATES as OF_RUNS

ROOT = Path(grader.__file__).parents[1]
ENGLISH = {**templates("en"), **OF_RUNS}
CHINESE = templates("zh")
SOURCES = [
    path
    for room in ("grader", "leaderboard", "sandbox")
    for path in sorted((ROOT / room).rglob("*.py"))
    if "migrations" not in path.parts and "kits" not in path.parts
]
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_bytes()) for path in SOURCES}
# a code that is put together, and the modules whose words complete it
PUT_TOGETHER = {
    "csv.": [name for name in TREES if name.startswith("grader/prediction_csv/")],
    "hint.": ["grader/prediction_csv/hints.py"],
    "claim.": ["grader/claims/claims.py"],
    "key.": ["grader/settings/key_reference.py"],
}


def fields(template: str) -> list[str]:
    return sorted({name for _, name, _, _ in string.Formatter().parse(template) if name})


def words_of(*names: str) -> set[str]:
    """Every string that stands in these modules."""
    return {
        node.value
        for name in names
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def codes_on_pages() -> set[str]:
    pages = (ROOT / "leaderboard/templates").rglob("*.html")
    found = {
        code
        for page in pages
        for code in re.findall(r"""said\(["']([^"']+)["']\)""", page.read_text("utf-8"))
    }
    assert found
    return found


def calls_of_said() -> Iterator[tuple[str, ast.Call]]:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "said":
                yield f"{name}:{node.lineno}", node


def test_what_a_sandbox_says_stands_in_the_sandbox_alone() -> None:
    assert OF_RUNS.keys() & templates("en").keys() == set()
    assert all(code.startswith("run.") for code in OF_RUNS)


def test_every_code_has_both_languages_with_the_same_values() -> None:
    assert CHINESE.keys() == ENGLISH.keys()
    assert {code for code in ENGLISH if fields(ENGLISH[code]) != fields(CHINESE[code])} == set()
    wordless = {code for code in CHINESE if not re.search(r"[\u4e00-\u9fff]", CHINESE[code])}
    assert wordless == {"run.with_advice", "class_list.lines", "folder.problem", "setting.wrong"}


def test_every_place_that_says_something_uses_a_code_with_its_values() -> None:
    wrong, seen = [], 0
    for place, call in calls_of_said():
        code = call.args[0]
        if not isinstance(code, ast.Constant):
            continue
        seen += 1
        given = sorted(word.arg or "**" for word in call.keywords)
        if code.value not in ENGLISH or fields(ENGLISH[code.value]) != given:
            wrong.append((place, code.value, given))
    assert wrong == []
    assert seen > 200


def test_a_code_is_chosen_by_another_word_in_few_places_only() -> None:
    chosen = {
        place.partition(":")[0]
        for place, call in calls_of_said()
        if not isinstance(call.args[0], ast.Constant)
    }
    assert chosen == {
        "grader/bundles/bundle.py",
        "grader/claims/claims.py",
        "grader/file_kinds.py",
        "grader/prediction_csv/hints.py",
        "grader/prediction_csv/tally.py",
        "grader/requirements.py",
        "sandbox/inside/failing.py",
        "sandbox/inside/harness.py",
    }


def test_every_code_is_said_somewhere() -> None:
    said_whole = words_of(*(TREES.keys() - {"sandbox/inside/sentences.py"})) | codes_on_pages()
    said_in_parts = {
        start + word for start, names in PUT_TOGETHER.items() for word in words_of(*names)
    }
    said_in_parts |= {f"claim.{slip}" for slip in Slip}
    said_in_parts |= {f"key.{key.table or 'top'}.{key.name}" for key in keys()}
    unsaid = {
        code
        for code in ENGLISH
        if code not in said_whole and code.removesuffix(".hint") not in said_in_parts
    }
    assert unsaid == set()


def test_pages_say_only_what_the_catalogue_holds_and_needs_no_value() -> None:
    assert codes_on_pages() <= ENGLISH.keys()
    assert [code for code in codes_on_pages() if fields(ENGLISH[code])] == []


def test_no_sentence_of_the_catalogue_stands_a_second_time_in_a_module() -> None:
    own = {"sandbox/inside/sentences.py", "grader/cli/chinese/usage.py"}
    sentences = {text for text in ENGLISH.values() if " " in text.replace("{said} {advice}", "")}
    again = {
        (name, text) for name in TREES if name not in own for text in words_of(name) & sentences
    }
    assert again == set()


def test_what_is_refused_to_somebody_is_said_by_a_code() -> None:
    """No sentence without one: in no error that a student, a teacher or their script reads."""
    errors = {
        node.name
        for name in ("grader/errors.py", "leaderboard/errors.py")
        for node in TREES[name].body
        if isinstance(node, ast.ClassDef) and node.name != "PlatformFault"
    }
    wrong, seen = [], 0
    for name, tree in TREES.items():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and _name_of(call.func) in errors:
                seen += 1
                wrong += [f"{name}:{call.lineno}" for _ in _sentences_without_code(call)]
    assert wrong == []
    assert seen > 250


def _sentences_without_code(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and _name_of(child.func) in {"said", "tr", "placed"}:
            continue
        is_sentence = isinstance(child, ast.Constant) and " " in str(child.value)
        is_code = ast.unparse(child) in ("f'{code}.hint'", "f'http_{status}'")
        if is_sentence or (isinstance(child, ast.JoinedStr) and not is_code):
            yield child
        else:
            yield from _sentences_without_code(child)


def _name_of(function: ast.expr) -> str:
    return str(getattr(function, "attr", getattr(function, "id", "")))


def test_nothing_that_speaks_to_readers_looks_for_a_pattern_in_a_sentence() -> None:
    """What reads a sentence back would need one: values come with the code, and from nowhere else.

    The patterns that are left read files, addresses and settings.
    """
    rooms = ("grader/words/", "grader/cli/", "leaderboard/messages/", "leaderboard/web/")
    rooms += ("leaderboard/api/", "leaderboard/views/", "grader/client/")
    readers = {
        name
        for name, tree in TREES.items()
        if name.startswith(rooms)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if "re" in (alias.name, getattr(node, "module", None))
    }
    # paths, numbers and ids of a request
    assert readers == {"leaderboard/web/reading.py", "leaderboard/web/request_ids.py"}


def test_a_message_is_its_english_sentence_and_keeps_its_code_when_copied_stored_and_sent() -> None:
    reason = said("exchange.timed_out")
    message = said("exchange.unreachable", server="https://example.edu", reason=reason)

    assert message == "https://example.edu can't be reached: timed out"
    stored = with_data(str(message), data_of(message))
    for same in (message, copy.deepcopy(message), pickle.loads(pickle.dumps(message)), stored):
        assert in_language(same, "zh") == "无法连接 https://example.edu：超时"
        assert in_language(same, "en") == message


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        "archive.cut_off",
        {"code": 7, "values": {}},
        {"code": "archive.cut_off", "values": []},
        {"code": "of.another.version", "values": {}},
        {"code": "file.too_large", "values": {"size": "7"}},
        {"code": "file.too_large", "values": {"size": None, "most": {"text": 7}}},
    ],
)
def test_a_sentence_with_a_code_that_says_nothing_here_stays_as_it_came(data: object) -> None:
    assert in_language(with_data("as it came", data), "zh") == "as it came"


def test_a_value_that_came_from_elsewhere_is_put_in_and_not_read() -> None:
    data = {"code": "archive.damaged", "values": {"error": "{error.__class__} {0}"}}
    told = in_language(with_data("as it came", data), "zh")
    assert told.endswith("{error.__class__} {0}")


def test_a_text_without_a_code_is_no_message() -> None:
    assert data_of("as it came") is None
    assert not isinstance(with_data("as it came", None), Message)


def test_no_pattern_is_held_against_what_an_error_says() -> None:
    patterns = {"match", "fullmatch", "search", "sub", "findall", "finditer", "split"}
    readers = [
        f"{name}:{call.lineno}"
        for name, tree in TREES.items()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in patterns
        for argument in call.args
        if ast.unparse(argument).startswith("str(error")
    ]
    assert readers == []
