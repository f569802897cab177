"""English and Chinese: nothing untranslated, nothing stale, the same values in both."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask

from grader import Verdict
from leaderboard import sentences, words
from leaderboard.language import init_languages
from sandbox import advice, judgement
from sandbox.backend import Postmortem
from sandbox.limits import RunLimits

ROOT = Path(__file__).parents[2]
FILES = ROOT / "leaderboard/translations/zh/LC_MESSAGES"


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    with (FILES / "messages.po").open("rb") as file:
        return read_po(file, locale="zh")


@pytest.fixture(scope="module")
def used() -> set[str]:
    """Every sentence that the code and the pages can say."""
    keywords = {"_": None, "_l": None, "gettext": None, "ngettext": (1, 2)}
    with (ROOT / "leaderboard/translations/babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(ROOT / "leaderboard", methods_in(methods), options, keywords)
    return {message if isinstance(message, str) else message[0] for _, _, message, *_ in found}


def methods_in(methods):
    """The patterns of babel.cfg are relative to the checkout; here the walk starts below it."""
    return [(pattern.removeprefix("leaderboard/"), method) for pattern, method in methods]


@pytest.fixture
def reader():
    """Speak to a Chinese reader for as long as a block lasts."""
    app = Flask("leaderboard", root_path=str(ROOT / "leaderboard"))
    init_languages(app)
    with app.test_request_context(headers={"Accept-Language": "zh-CN,zh;q=0.9"}):
        yield


def test_every_sentence_has_a_chinese_one(used, chinese):
    translated = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in chinese
        if message.id and message.string and not message.fuzzy
    }
    assert used - translated == set()


def test_no_translation_is_of_a_sentence_that_nobody_says(used, chinese):
    kept = {m.id if isinstance(m.id, str) else m.id[0] for m in chinese if m.id}
    assert kept - used == set()


def test_translations_hold_the_same_values(chinese):
    values = re.compile(r"%\(\w+\)s|\{\w+\}|%%")
    for message in chinese:
        if not message.id:
            continue
        source = message.id if isinstance(message.id, str) else message.id[-1]
        target = message.string if isinstance(message.string, str) else message.string[0]
        assert sorted(values.findall(source)) == sorted(values.findall(target)), source


def test_the_compiled_translation_is_that_of_the_text(chinese):
    made = io.BytesIO()
    write_mo(made, chinese)
    assert made.getvalue() == (FILES / "messages.mo").read_bytes()


def test_problems_of_a_file_reach_the_reader_in_chinese_with_their_values(reader):
    assert sentences.in_words("id 't04411' is there already, on line 17") == (
        "编号 't04411' 已在第 17 行出现"
    )
    assert sentences.in_words("write 3, not 3.0: labels.astype(int)").startswith("请写 3")


def test_a_sentence_that_is_not_known_stays_as_it_is(reader):
    assert sentences.in_words("something quite new") == "something quite new"


def test_every_verdict_has_words_and_advice_where_the_student_can_act(reader):
    for verdict in Verdict:
        said = words.state_words("finished", verdict.value)
        assert str(said.title)
        assert str(said.meaning)
        assert str(said.advice) or verdict is Verdict.OK


def of_runs() -> list[str]:
    """What the sandbox says: its own constants, and what it makes of the ways a program can end."""
    said = [*judgement.HIDDEN.values()]
    limits = RunLimits(gpu_memory_mb=1024)
    quiet = Postmortem(
        exit_status=1,
        peak_memory_mb=512,
        out_of_memory=False,
        out_of_processes=False,
        tmp_full=False,
    )
    ends = (
        *(replace(quiet, exit_status=status) for status in (0, 3, 139, None)),
        replace(quiet, out_of_memory=True),
        replace(quiet, out_of_gpu_memory=True),
        replace(quiet, out_of_processes=True),
        replace(quiet, tmp_full=True),
    )
    for seen in ends:
        outcome = judgement.Outcome(logs=True, limits=limits, expected=64)
        outcome.judge(seen)
        said += outcome.faults.values()
    for hint in (advice.NO_NETWORK, advice.NO_CUDA, advice.WHOLE_MODEL):
        said.append(f"build_model() failed: URLError: <urlopen error>. {hint}")
    return said


@pytest.mark.parametrize("sentence", of_runs())
def test_what_the_sandbox_says_of_a_failed_run_reaches_the_reader_in_chinese(reader, sentence):
    told = sentences.of_run(sentence)
    assert not re.search(r"\b(the|and|is|was) ", told), told
    assert re.search(r"[\u4e00-\u9fff]", told)


def test_a_programs_own_words_stay_between_ours(reader):
    told = sentences.of_run(f"net.pt can't be loaded: UnpicklingError: bad. {advice.WHOLE_MODEL}")
    assert told.startswith("无法加载 net.pt：UnpicklingError: bad. 文件中含有 pickle 对象")
