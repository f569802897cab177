"""The reference of assignment.toml is made from the settings, and holds."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest
from assignment_folders import SETTINGS

import grader
from grader import AssignmentError
from grader.settings.key_reference import (
    REQUIRED,
    as_markdown,
    as_toml,
    commented_schedule,
    keys,
)
from grader.settings.tables import TABLES, read_settings

DOCUMENT = Path(grader.__file__).parents[1] / "deploy" / "assignment.md"
CHECKS = {
    (table, entry.name): entry.metadata["check"]
    for table, shape in TABLES.items()
    for entry in dataclasses.fields(shape)
}


def test_the_document_is_what_the_command_prints(request):
    assert DOCUMENT.read_text(encoding="utf-8") == as_markdown()


@pytest.mark.parametrize("key", keys(), ids=lambda key: key.path)
def test_each_example_and_each_default_is_valid(key):
    check = CHECKS[key.table, key.name]
    check(tomllib.loads(f"x = {key.example}")["x"])
    if key.default not in (REQUIRED, ""):
        assert tomllib.loads(f"x = {key.default}")["x"] is not None


def test_every_key_stands_there_once_in_both_languages():
    assert [(key.table, key.name) for key in keys()] == list(CHECKS)
    for language in ("en", "zh"):
        text = as_toml(language)
        for key in keys():
            assert key.meaning(language) in text


def test_the_file_to_start_from_is_one_and_stays_one_with_keys_switched_on():
    text = as_toml()
    assert read_settings(text)[""].slug == "fashion-mnist"
    for name in ("schedule", "limits", "rules"):
        on = re.sub(rf"(?m)^# (\[{name}\]\n(?:# .*\n)+)", lambda it: switched_on(it[1]), text)
        assert on != text
        read_settings(on)


def switched_on(text):
    return text.replace("\n# ", "\n")


def test_the_schedule_of_a_new_assignment_is_off_and_can_be_switched_on():
    assert read_settings(SETTINGS + commented_schedule())["schedule"].due is None
    on = read_settings(SETTINGS + switched_on("\n" + commented_schedule().lstrip()))
    assert on["schedule"].due.year == 2026


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ("schedule", "deadline", "unknown key 'deadline' in [schedule]; did you mean 'due'?"),
        ("", "deadline", "unknown key 'deadline'; did you mean 'due' in [schedule]?"),
        (
            "schedule",
            "late_policy",
            "unknown key 'late_policy' in [schedule]; did you mean 'late_penalty_per_day'?",
        ),
        ("limits", "timeout", "did you mean 'wall_seconds'?"),
        ("submission", "max-submissions", "did you mean 'daily_limit'?"),
        ("schedule", "Start", "did you mean 'opens'?"),
        ("scoring", "passing", "did you mean 'pass_mark' in [grading]?"),
    ],
)
def test_an_unknown_key_finds_what_was_meant(table, key, words):
    text = f"{SETTINGS}[{table}]\n{key} = 1\n" if table else f"{key} = 1\n{SETTINGS}"
    if table == "submission":
        text = f"{SETTINGS}{key} = 1\n"
    with pytest.raises(AssignmentError) as caught:
        read_settings(text)
    assert words in caught.value.problems[0]


def test_what_is_meant_by_another_name_is_a_key_and_no_key_has_such_a_name():
    from grader.settings.tables import _MEANT

    paths = {key.path for key in keys()}
    assert set(_MEANT.values()) <= paths
    assert {key.name for key in keys()} & set(_MEANT) == set()
