"""Chinese for the problems of a hand-in, by their kind and the English wording they come in.

A problem may come from a server, as JSON: its values are read back out of the English sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from grader.prediction_csv.tally import KINDS

# kind → (message, hint), with the placeholders of the English ones
CSV: Final[dict[str, tuple[str, str]]] = {
    "not_a_csv": ("这是 {value} 文件，不是 CSV", "请上传普通的 .csv 或其 gzip 压缩文件"),
    "utf16": ("文件是 UTF-16 编码，不是 UTF-8", "在电子表格中另存为“CSV UTF-8（逗号分隔）”"),
    "gzip_damaged": ("gzip 数据损坏或被截断", "请重新压缩或上传"),
    "too_many_bytes": ("文件大于任何有效文件；读到 {value} 字节处停止", ""),
    "too_many_rows": ("有 {value} 行，应为 {expected} 行", ""),
    "reading_stopped": ("行数远多于应有的 {expected} 行；在此停止读取", ""),
    "line_too_long": ("该行比任何有效行都长", ""),
    "empty_file": ("文件中没有数据行", ""),
    "no_header": ("第一行不是表头", "文件必须以 {value} 这一行开头"),
    "wrong_separator": ("列之间用的是 {value}；应为逗号", ""),
    "missing_column": ("表头缺少列 {value}", ""),
    "unknown_column": ("未知的列 {value}", ""),
    "saved_index": ("未知的列 {value}", "保存了索引列：请用 to_csv(..., index=False) 写文件"),
    "repeated_column": ("列 {value} 出现了不止一次", ""),
    "mixed_columns": (
        "列 {value} 与另一列都表示标签",
        "要么给出标签列，要么每个类别一列分数，命名方式一致",
    ),
    "nul": ("该行含有 NUL 字节", "文件损坏或不是文本文件"),
    "invalid_utf8": ("该行不是有效的 UTF-8", "请用 encoding='utf-8' 写文件"),
    "lone_cr": ("该行中间有回车符", "请用 LF 或 CRLF 换行"),
    "blank_line": ("空行之后还有数据行", ""),
    "ragged_row": ("该行有 {value} 列，表头有 {expected} 列", ""),
    "truncated_row": (
        "最后一行被截断：有 {value} 列，表头有 {expected} 列",
        "文件没有写完或没有传完",
    ),
    "unclosed_quote": ("带引号的字段在本行没有闭合", ""),
    "stray_quote": ("未加引号的字段中有引号，或引号后还有文字", ""),
    "empty_value": ("值为空", ""),
    "non_finite": ("{value} 不是有限值", ""),
    "label_decimal": ("{value} 不是类别编号", "写 3，不要写 3.0：labels.astype(int)"),
    "label_exponent": ("{value} 不是类别编号", "请写普通数字：labels.astype(int)"),
    "label_sign": ("{value} 不是类别编号", "请写不带符号的普通数字"),
    "label_unicode_digits": ("{value} 不是类别编号", "请写 ASCII 数字 0 到 9"),
    "label_out_of_range": ("{value} 不是类别：编号从 0 到 {expected}", ""),
    "label_unknown": ("{value} 既不是类别编号也不是类别名", ""),
    "score_not_number": ("{value} 不是普通的十进制数", ""),
    "unknown_id": ("id {value} 不在要求之列", ""),
    "duplicate_id": ("id {value} 已在第 {expected} 行出现", ""),
    "missing_id": ("缺少 id {value}：文件到此结束也没有它", ""),
}
# Hints that depend on the file, by their English pattern.
HINTS: Final = (
    (r"ids start at 0, not at 1", "id 从 0 开始，不是从 1"),
    (r"did you mean (?P<value>.+)\?", "是不是 {value}？"),
    (r"ids carry a folder: write (?P<value>.+)", "id 带了文件夹：应写 {value}"),
    (
        r"ids carry a file extension or a decimal point: write (?P<value>.+)",
        "id 带了扩展名或小数点：应写 {value}",
    ),
    (r"ids are padded with zeros: write (?P<value>.+)", "id 补了前导零：应写 {value}"),
    (r"ids have lost their leading zeros: write (?P<value>.+)", "id 丢了前导零：应写 {value}"),
    (r"ids lack their file extension: write (?P<value>.+)", "id 缺少扩展名：应写 {value}"),
    (r"ids are written in capitals: write (?P<value>.+)", "id 写成了大写：应写 {value}"),
    (r"ids are written in small letters: write (?P<value>.+)", "id 写成了小写：应写 {value}"),
    (r"ids carry white space: write (?P<value>.+)", "id 带了空白：应写 {value}"),
)
# Problems of a bundle: what kind it is, before the English sentence that names the file.
BUNDLE: Final = {
    "absolute_path": "必须用相对路径",
    "ambiguous_checkpoint": "有多个检查点",
    "archive_bomb": "压缩包解压后过大",
    "archive_damaged": "压缩包损坏",
    "bad_claims": "claims.toml 无效",
    "bad_name": "文件名无效",
    "bad_safetensors": "safetensors 文件无效",
    "case_collision": "文件名仅大小写不同",
    "deep_path": "路径过深或过长",
    "duplicate_name": "文件名重复",
    "kind_not_accepted": "本作业不接受这种提交",
    "metric_unavailable": "缺少计算指标所需的分数列",
    "no_model": "缺少 model.py",
    "not_a_file": "不是普通文件",
    "path_escape": "路径越出代码包",
    "too_large": "代码包过大",
    "too_many_files": "文件过多",
}


def in_chinese(problem: Mapping[str, Any]) -> dict[str, Any]:
    """The problem with message and hint in Chinese, as far as its kind is known."""
    kind, message = str(problem.get("kind")), str(problem.get("message"))
    hint = str(problem.get("hint") or "")
    if kind in BUNDLE:
        return {**problem, "message": f"{BUNDLE[kind]}（{message}）"}
    if kind not in CSV or kind not in KINDS:
        return dict(problem)
    english, chinese = KINDS[kind], CSV[kind]
    return {
        **problem,
        "message": _reworded(message, english[0], chinese[0]),
        "hint": _reworded(hint, english[1], chinese[1]) if hint else "",
    }


def _reworded(text: str, english: str, chinese: str) -> str:
    found = _pattern(english).fullmatch(text)
    if found:
        return chinese.format(**found.groupdict())
    for pattern, translation in HINTS:
        found = re.fullmatch(pattern, text)
        if found:
            return translation.format(**found.groupdict())
    return text


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """The template with its placeholders as named groups."""
    escaped = re.escape(template)
    return re.compile(re.sub(r"\\{(value|expected)\\}", r"(?P<\1>.*?)", escaped))
