"""English and Chinese: nothing untranslated, nothing stale, the same values in both."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
from dataclasses import replace
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from flask import Flask
from flask_babel import gettext

import leaderboard
from grader import (
    ExpectedRows,
    InvalidPredictions,
    Requirements,
    Verdict,
    parse_predictions,
)
from grader.cli.chinese.talk import CHINESE as COMMAND_LINE
from grader.words.catalogue import templates
from leaderboard import errors
from leaderboard.messages import catalogues, sentences, words
from leaderboard.messages.language import init_languages
from sandbox.inside import advice
from sandbox.inside.sentences import TEMPLATES, Sentence
from sandbox.inside.sentences import said as said_of
from sandbox.limits import RunLimits
from sandbox.run import judgement
from sandbox.run.backend import Postmortem

ROOT = Path(__file__).parents[3]
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


def test_every_word_is_translated_in_one_table(chinese):
    """Of pages, of the command line and of what all say by codes: what two of them hold is said by
    a code."""
    pages = {text for each in chinese for text in _texts(each.id)}
    by_code = {*templates("en").values(), *TEMPLATES.values()}
    assert pages & by_code == set()
    assert pages & COMMAND_LINE.keys() == set()
    assert by_code & COMMAND_LINE.keys() == set()


def _texts(id_):
    """A message's text, or those of its singular and its plural."""
    return id_ if isinstance(id_, tuple) else (id_,)


def test_translations_hold_the_same_values(chinese):
    values = re.compile(r"%\(\w+\)s|\{\w+\}|%%")
    for message in chinese:
        if not message.id:
            continue
        source = message.id if isinstance(message.id, str) else message.id[-1]
        target = message.string if isinstance(message.string, str) else message.string[0]
        assert sorted(values.findall(source)) == sorted(values.findall(target)), source


def test_the_compiled_translation_says_what_the_text_says(chinese):
    catalogues.compile_all()
    with (FILES / "messages.mo").open("rb") as file:
        compiled = GNUTranslations(file)
    for message in chinese:
        if not message.id:
            continue
        if message.pluralizable:
            assert compiled.ngettext(*message.id, 1) == message.string[0]
        else:
            assert compiled.gettext(message.id) == message.string


@pytest.fixture
def checkout(tmp_path):
    """Translations of a checkout of which nothing was compiled yet."""
    folder = tmp_path / "translations"
    shutil.copytree(
        ROOT / "leaderboard/translations", folder, ignore=shutil.ignore_patterns("*.mo")
    )
    return folder


def test_what_a_fresh_checkout_lacks_is_compiled_once_and_again_after_a_change(checkout):
    (made,) = catalogues.compile_all(checkout)
    assert made.stat().st_mode & 0o777 == 0o644
    assert catalogues.compile_all(checkout) == []
    text = made.with_suffix(".po")
    text.write_bytes(text.read_bytes())
    later = made.stat().st_mtime_ns + 1
    os.utime(text, ns=(later, later))
    assert catalogues.compile_all(checkout) == [made]
    assert sorted(each.name for each in made.parent.iterdir()) == ["messages.mo", "messages.po"]


def test_an_application_speaks_chinese_in_a_checkout_where_nothing_was_compiled(
    checkout, monkeypatch
):
    monkeypatch.setattr(catalogues, "TRANSLATIONS", checkout)
    app = Flask("leaderboard", root_path=str(checkout.parent))
    init_languages(app)
    with app.test_request_context(headers={"Accept-Language": "zh"}):
        assert gettext("Submit") == "提交"


def test_problems_of_a_file_reach_the_reader_in_chinese_with_their_values(reader):
    expected = ExpectedRows(ids=("t04410", "t04411"), classes=("cat", "dog"))
    with pytest.raises(InvalidPredictions) as caught:
        parse_predictions(b"id,label\nt04410,1.0\nt04411,0\nt04411,1\n", expected)

    stored = [json.loads(json.dumps(each.as_dict())) for each in caught.value.problems]
    said = {each["kind"]: each for each in stored}
    twice, decimal = said["duplicate_id"], said["label_decimal"]
    assert sentences.in_words(twice["message"], twice["message_said"]) == (
        "编号 't04411' 已在第 3 行出现"
    )
    assert sentences.in_words(decimal["hint"], decimal["hint_said"]).startswith("请写 3")


@pytest.mark.parametrize(("kind", "metric"), [("csv", "log_loss"), ("code", "macro_auc")])
def test_the_upload_pages_script_gets_every_sentence_in_chinese(reader, kind, metric):
    required = Requirements(
        kinds=(kind,),
        classes=("cat", "dog"),
        id_column="id",
        label_column="label",
        metric=metric,
        max_upload_mb=1,
    )
    data = json.loads(json.dumps(required.as_data("zh")))
    said = [data["lacking"], data["noProbabilities"]]
    said += [*data["refused"].values(), *data["problems"].values()]
    said += [each["sentence"] for each in data["foreign"]]
    assert len(data["refused"]) == 1
    for text in said:
        assert re.search(r"[\u4e00-\u9fff]", text), text
    known_by_name = [each for each in data["foreign"] if "{suffix}" in each["sentence"]]
    assert len(known_by_name) > 10


def test_a_sentence_that_is_not_known_stays_as_it_is(reader):
    assert sentences.in_words("something quite new") == "something quite new"


def test_every_verdict_has_words_and_advice_where_the_student_can_act(reader):
    for verdict in Verdict:
        said = words.state_words("finished", verdict.value)
        assert str(said.title)
        assert str(said.meaning)
        assert str(said.advice) or verdict is Verdict.OK


def of_runs() -> list[Sentence]:
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
        build = said_of("run.build_failed", error="URLError: <urlopen error>.")
        said.append(said_of("run.with_advice", said=build, advice=hint))
    return said


@pytest.mark.parametrize("sentence", of_runs(), ids=str)
def test_what_the_sandbox_says_of_a_failed_run_reaches_the_reader_in_chinese(reader, sentence):
    told = sentences.in_words(str(sentence), sentence.as_data())
    assert not re.search(r"\b(the|and|is|was) ", told), told
    assert re.search(r"[\u4e00-\u9fff]", told)


def test_a_programs_own_words_stay_between_ours(reader):
    loading = said_of("run.unreadable_checkpoint", file="net.pt", error="UnpicklingError: bad.")
    sentence = said_of("run.with_advice", said=loading, advice=advice.WHOLE_MODEL)
    told = sentences.in_words(str(sentence), sentence.as_data())
    assert told.startswith("无法加载 net.pt：UnpicklingError: bad. 文件中含有 pickle 对象")


_OF_OPERATORS = re.compile(
    r"LEADERBOARD_|SANDBOX_|AWS_|PGPASSWORD|DOCKER_HOST|apt-get|systemctl|pip install|bubblewrap"
    r"|\.runner|(?<![\w.])/(?:srv|etc|opt|var|tmp|home|usr)/"
    r"|leaderboard (?:init|serve|worker|doctor|publish|retention|backup|restore|settings)"
)


def test_what_students_can_read_holds_no_hint_for_operators() -> None:
    """Names of settings, programs and folders of the server help nobody who can't reach it."""
    services = Path(leaderboard.__file__).parent
    said = [*templates("en").values(), *TEMPLATES.values(), *_literals_of_refusals(services)]
    pages = [
        path.read_text(encoding="utf-8")
        for path in (services / "templates").rglob("*.html")
        if "staff" not in path.parts
    ]

    assert len(said) > 200
    for text in [*said, *pages]:
        assert _OF_OPERATORS.search(text) is None, text[:300]


def _literals_of_refusals(folder: Path) -> list[str]:
    """What is passed to the errors that pages and API show, wherever they are raised."""
    refusals = {name for name, kind in vars(errors).items() if _is_refusal(kind)}
    found = []
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_call and node.func.id in refusals:
                found += [
                    each.value
                    for each in ast.walk(node)
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                ]
    return found


def _is_refusal(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, errors.RequestError)
