"""Chinese for the problems of a hand-in, by their kind and the English wording they come in.

A problem may come from a server, as JSON: its values are read back out of the English sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from grader.cli.chinese_sentences import of_bundle
from grader.prediction_csv.tally import KINDS
from grader.wording import Templates

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


def in_chinese(problem: Mapping[str, Any]) -> dict[str, Any]:
    """The problem with message and hint in Chinese, as far as it is known."""
    kind, message = str(problem.get("kind")), str(problem.get("message"))
    hint = str(problem.get("hint") or "")
    english = KINDS.get(kind, ("", ""))
    chinese = CSV.get(kind, ("", ""))
    return {
        **problem,
        "message": _reworded(message, english[0], chinese[0]),
        "hint": _reworded(hint, english[1], chinese[1]) if hint else "",
    }


def _reworded(text: str, english: str, chinese: str) -> str:
    found = Templates([english]).find(text) if chinese else None
    return chinese.format(**found.values) if found else of_bundle(text)
