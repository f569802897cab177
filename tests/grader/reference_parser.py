"""The prediction CSV of the contract, read slowly and obviously: the yardstick of the real parser.

It shares no code with `grader.prediction_csv`, says only yes or no, and is not bounded in memory.
"""

from __future__ import annotations

import math
import re
import zlib

NUMBER = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


class RejectedError(Exception):
    """The file is not a valid prediction CSV."""


def parse(content, ids, classes, id_column="id", label_column="label"):
    """Give (labels, scores or None) in the order of `ids`, as lists; or raise RejectedError."""
    lines, blank_at_end = lines_of(content)
    num_lines = len(lines + blank_at_end) - (blank_at_end[-1:] == [b""])
    if num_lines > 2 * len(ids) + 1000:
        raise RejectedError("too many lines")
    header = values_of(lines[0])
    id_at, label_at, scores_at = columns_of(header, classes, id_column, label_column)
    longest_id = max(len(name.encode()) for name in ids)
    longest_label = max(len(name.encode()) for name in [*classes, str(len(classes) - 1)])
    room = max(64 * len(classes) if scores_at else 0, 2 * longest_label)
    if any(len(line) > 1024 + 2 * longest_id + room for line in lines[1:] + blank_at_end):
        raise RejectedError("line too long")
    found = {}
    for line in lines[1:]:
        values = values_of(line)
        if len(values) != len(header):
            raise RejectedError("ragged")
        row_id = values[id_at]
        if row_id not in ids:
            raise RejectedError("unknown id")
        if row_id in found:
            raise RejectedError("duplicate id")
        if scores_at:
            scores = [score_of(values[at]) for at in scores_at]
            found[row_id] = scores.index(max(scores)), scores
        else:
            found[row_id] = label_of(values[label_at], classes), None
    if len(found) != len(ids):
        raise RejectedError("missing id")
    labels = [found[row_id][0] for row_id in ids]
    return labels, [found[row_id][1] for row_id in ids] if scores_at else None


def lines_of(content):
    if content[:2] == b"\x1f\x8b":
        content = gunzip(content)
    if content[:3] == b"\xef\xbb\xbf":
        content = content[3:]
    lines = content.split(b"\n")
    end = len(lines)
    while end and is_blank(lines[end - 1]):
        end -= 1
    if not end:
        raise RejectedError("empty")
    return lines[:end], lines[end:]


def gunzip(content):
    """Unpack one gzip member after the other; zero bytes may stand between and behind them."""
    text = b""
    while content.strip(b"\0"):
        member = zlib.decompressobj(wbits=31)
        try:
            text += member.decompress(content.lstrip(b"\0"))
        except zlib.error as error:
            raise RejectedError("gzip") from error
        if not member.eof:
            raise RejectedError("gzip")
        content = member.unused_data
    return text


def is_blank(line):
    return line.removesuffix(b"\r").strip(b" ") == b""


def values_of(line):
    if is_blank(line):
        raise RejectedError("blank line")
    try:
        text = line.removesuffix(b"\r").decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise RejectedError("encoding") from error
    if "\0" in text or "\r" in text:
        raise RejectedError("control character")
    values, state, value = [], "before", ""
    for letter in [*text, "end"]:
        if state == "inside" and letter == "end":
            raise RejectedError("unclosed quote")
        if state == "inside" and letter == '"':
            state = "closed"
        elif state == "inside":
            value += letter
        elif state == "closed" and letter == '"':
            state, value = "inside", value + '"'
        elif letter in (",", "end"):
            values.append(value.strip(" "))
            state, value = "before", ""
        elif state in ("closed", "behind"):
            if letter != " ":
                raise RejectedError("text after a quote")
            state = "behind"
        elif letter == '"' and state == "before":
            state, value = "inside", ""
        elif letter == '"':
            raise RejectedError("quote in a plain value")
        else:
            state = "before" if state == "before" and letter == " " else "plain"
            value += letter
    return values


def columns_of(header, classes, id_column, label_column):
    names = {id_column: "id", label_column: "label"}
    names |= {str(index): index for index in range(len(classes))}
    names |= {name: index for index, name in enumerate(classes)}
    columns = {}
    by_name = by_index = True
    for at, value in enumerate(header):
        if value in names:
            name = value
        else:
            alike = [name for name in names if name.casefold() == value.casefold()]
            if len(alike) != 1:
                raise RejectedError("unknown column")
            name = alike[0]
        if names[name] in columns:
            raise RejectedError("repeated column")
        columns[names[name]] = at
        if isinstance(names[name], int):
            by_name = by_name and name in classes
            by_index = by_index and name == str(names[name])
    if "id" not in columns:
        raise RejectedError("no id column")
    if set(columns) == {"id", "label"}:
        return columns["id"], columns["label"], None
    if set(columns) != {"id", *range(len(classes))} or not (by_name or by_index):
        raise RejectedError("columns")
    return columns["id"], None, [columns[index] for index in range(len(classes))]


def label_of(value, classes):
    if value in classes:
        return classes.index(value)
    if re.fullmatch("[0-9]+", value) and len(value.lstrip("0")) < 10 and int(value) < len(classes):
        return int(value)
    raise RejectedError("label")


def score_of(value):
    if not NUMBER.fullmatch(value) or not math.isfinite(float(value)):
        raise RejectedError("score")
    return float(value)
