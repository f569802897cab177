"""Problems of assignment.toml are said by codes: in the language of whoever wrote it."""

import re
from pathlib import Path

import pytest
from assignment_folders import SETTINGS

from grader import Assignment, AssignmentError
from grader.words.message import Message, in_language

IN_CHINESE = [
    (
        "kinds =",
        "kind =",
        "assignment.toml:6：[submission] 中未知的键 'kind'；是不是想写 'kinds'？",
    ),
    (
        "[submission]",
        "deadline = 1\n[submission]",
        "assignment.toml:5：未知的键 'deadline'；是不是想写 [schedule] 中的 'due'？",
    ),
    (
        "[submission]",
        "cpus = 1\n[submission]",
        "assignment.toml:5：未知的键 'cpus'；它应放在 [limits]",
    ),
    ('title = "Pets"\n', "", "assignment.toml:1：缺少 title"),
    ('title = "Pets"', "title = 7", "assignment.toml:2：title 必须是一行文字"),
    (
        '"csv", "code"',
        '"csv", "cod"',
        "assignment.toml:6：submission.kinds 必须是以下之一：csv, code；是不是想写 'code'？",
    ),
    (
        "[submission]",
        "[submission]\ndaily_limit = -1",
        "assignment.toml:6：submission.daily_limit 必须是从 0 到 100000 的整数",
    ),
    (
        "[submission]",
        "[grading]\nanchors = 5\n[submission]",
        "assignment.toml:6：grading.anchors 必须是“基线 = 成绩”的表，例如 { lenet5 = 60 }",
    ),
    ('"dog", "bird"', '"dog", "dog"', "assignment.toml:3：classes 中 'dog' 出现了两次"),
    ('slug = "pets"', "limits = 3\nslug = 'pets'", "assignment.toml:1：[limits] 必须是一个表"),
    (
        "[submission]",
        '[data]\ntest_images = "hidden"\n[submission]',
        'assignment.toml:6：data.test_images 为 "hidden"，但 submission.kinds 接受 "csv"：'
        "预测的人需要图像",
    ),
    (
        "[submission]",
        f"{'a.' * 5}b = 1\n[submission]",
        "assignment.toml:5：不是有效的 TOML：有超过 4 段的键",
    ),
]


@pytest.mark.parametrize(("old", "new", "chinese"), IN_CHINESE)
def test_a_problem_of_the_settings_is_said_in_chinese(old: str, new: str, chinese: str) -> None:
    text = SETTINGS.replace(old, new, 1)
    with pytest.raises(AssignmentError) as caught:
        Assignment.parse(text, Path("pets"))

    (problem,) = caught.value.problems
    assert in_language(problem, "zh") == chinese
    assert not re.search(r"[\u4e00-\u9fff]", problem)
    assert isinstance(problem, Message)
    assert problem.code == "folder.problem"
