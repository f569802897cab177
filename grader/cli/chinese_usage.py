"""Chinese for what Click says of a command that was written wrongly."""

from __future__ import annotations

from functools import cache
from typing import Final

from grader.wording import Templates

# of Click 8.1 and later, which word some of them differently
AROUND: Final[dict[str, str]] = {
    "Invalid value: {message}": "值无效：{message}",
    "Invalid value for {parameter}: {message}": "{parameter} 的值无效：{message}",
}
USAGE: Final[dict[str, str]] = {
    "Missing argument {parameter}.": "缺少参数 {parameter}。",
    "Missing argument {parameter}. {message}": "缺少参数 {parameter}。{message}",
    "Missing option {parameter}.": "缺少选项 {parameter}。",
    "Missing option {parameter}. {message}": "缺少选项 {parameter}。{message}",
    "Missing command.": "缺少命令。",
    "No such command {name}.": "没有命令 {name}。",
    "No such command {name}. {message}": "没有命令 {name}。{message}",
    "No such option: {name}": "没有选项 {name}",
    "No such option: {name} {message}": "没有选项 {name}。{message}",
    "No such option {name}.": "没有选项 {name}。",
    "No such option {name}. {message}": "没有选项 {name}。{message}",
    "Did you mean {name}?": "是不是 {name}？",
    "(Did you mean one of: {name}?)": "（是不是其中之一：{name}？）",
    "(Possible options: {name})": "（可能的选项：{name}）",
    "Got unexpected extra argument ({name})": "多出了参数（{name}）",
    "Got unexpected extra arguments ({name})": "多出了参数（{name}）",
    "Option {name} requires an argument.": "选项 {name} 需要一个值。",
    "Option {name} does not take a value.": "选项 {name} 不带值。",
    "Choose from:\n\t{choices}": "可选：\n\t{choices}",
    "{value} is not one of {choices}.": "{value} 不是 {choices} 之一。",
    "{value} is not in the range {range}.": "{value} 不在范围 {range} 内。",
    "{value} is not a valid integer.": "{value} 不是整数。",
    "{value} is not a valid integer range.": "{value} 不是整数。",
    "{value} is not a valid float.": "{value} 不是数。",
    "Path {value} does not exist.": "路径 {value} 不存在。",
    "Path {value} is not readable.": "路径 {value} 无法读取。",
    "File {value} does not exist.": "文件 {value} 不存在。",
    "File {value} is a directory.": "{value} 是文件夹，不是文件。",
    "File {value} is not readable.": "文件 {value} 无法读取。",
    "Directory {value} does not exist.": "文件夹 {value} 不存在。",
    "Directory {value} is a file.": "{value} 是文件，不是文件夹。",
    "Directory {value} is not readable.": "文件夹 {value} 无法读取。",
}


def of_usage(message: str) -> str:
    """The message in Chinese; what is not known stays as it is."""
    for table, templates in _tables():
        found = templates.find(message)
        if found is not None:
            values = {
                name: of_usage(value) if name == "message" else value
                for name, value in found.values.items()
            }
            return table[found.template].format(**values)
    return message


@cache
def _tables() -> tuple[tuple[dict[str, str], Templates], ...]:
    return tuple((table, Templates(table)) for table in (AROUND, USAGE))
