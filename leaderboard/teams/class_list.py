"""Class lists as people have them: exports of Canvas, Moodle and Blackboard, spreadsheets, CSV.

Encoding, separator and columns are recognised by what is there; `ClassList` says what was taken for
what, so that a person can look before anybody is enrolled. A list with one wrong line is refused
with all of its wrong lines.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from itertools import islice
from typing import Final

from grader.words.message import Message, said
from leaderboard.accounts.accounts import email_address
from leaderboard.errors import BadRequest
from leaderboard.models import Role
from leaderboard.teams import numbers
from leaderboard.teams.class_lists.decoding import LINES_ABOVE, decoded, separated
from leaderboard.teams.class_lists.headings import (
    CALLED,
    WHO,
    columns_of,
    names_people,
    plain,
    role_of,
)

MOST_BYTES: Final = 1 << 20  # as much as a form may hold
LONGEST_SECTION: Final = 64  # Canvas lists all of a person's in one cell
MOST_TOLD: Final = 40  # lines that are wrong in one way are often all of them
# what spreadsheets and programs write into cells that have nothing
_ERRORS: Final = frozenset({"#N/A", "#NV", "#REF!", "#NAME?", "#VALUE!", "#WERT!", "-", "–"})
_NOTHING: Final = frozenset(
    {"", "n/a", "na", "nan", "none", "null", "keine", "无", *map(str.casefold, _ERRORS)}
)
_UNSEEN: Final = r"\s\u200b-\u200f\u2060\ufeff"
_AROUND_AN_ADDRESS: Final = re.compile(
    rf"^(mailto:|[{_UNSEEN}\"'])+|[{_UNSEEN}\"',;]+$", re.IGNORECASE
)
_NO_TEAM: Final = frozenset({"nogroups", "keinegruppen", "没有小组", "无小组"})  # Moodle's


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One person of a class list.

    `role` is None where the list has no column for it; `number` is that of the institution, with
    its leading zeros; `team` is empty where the list forms none; `email` where it has none.
    """

    email: str
    name: str
    section: str = ""
    role: Role | None = None
    number: str = ""
    team: str = ""

    @property
    def login(self) -> str:
        """What they are known by in the list: their address, else their number."""
        return self.email or self.number


@dataclass(frozen=True, kw_only=True)
class ClassList:
    """What was understood of a file.

    `columns`: meaning → the header that has it; `ignored`: headers that mean nothing here;
    `skipped`: lines that are no person (empty, or Canvas's points possible and test student);
    `undecided`: whose names, in several groups, are in no team by it.
    """

    entries: tuple[Entry, ...]
    encoding: str
    separator: str
    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    skipped: int
    undecided: tuple[str, ...]

    @property
    def guessed(self) -> Message | None:
        """Asks to look at some names with letters beyond ASCII, where the encoding is a guess."""
        if self.encoding.startswith(("utf", "text")):
            return None
        beyond = islice((each.name for each in self.entries if not each.name.isascii()), 5)
        names = ", ".join(beyond)
        return said("class_list.guessed", encoding=self.encoding, names=names) if names else None


def read(content: bytes | str, *, domain: str = "") -> ClassList:
    """Read a class list. `domain`: what makes addresses of logins that are none.

    Raises:
        BadRequest: it has neither addresses nor numbers, or names every line that is wrong.
    """
    if len(content) > MOST_BYTES:
        raise BadRequest(said("class_list.too_large", most=MOST_BYTES >> 20))
    text, encoding = (content, "text") if isinstance(content, str) else decoded(content)
    lines_apart = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if lines_apart.lstrip().startswith(("<", "[{", "{")):  # some systems call a web page .xls
        raise BadRequest(said("class_list.no_text"))
    text, separator = separated(lines_apart)
    rows = _rows(text, separator)
    header, above = _header(rows)
    columns = columns_of(header)
    _check_columns(header, columns)
    lines = _Lines(header=header, columns=columns, domain=domain.strip().removeprefix("@"))
    for number, cells in rows:
        lines.add(number, cells)
    if lines.problems:
        raise BadRequest(unreadable(lines.problems))
    if not lines.entries:
        raise BadRequest(said("class_list.nobody"))
    return ClassList(
        entries=tuple(lines.entries.values()),
        encoding=encoding,
        separator=separator,
        columns={meaning: header[place] for meaning, place in columns.items()},
        ignored=tuple(
            name for place, name in enumerate(header) if name and place not in columns.values()
        ),
        skipped=lines.skipped + above,
        undecided=tuple(lines.undecided),
    )


def unreadable(problems: Sequence[Message]) -> Message:
    """All wrong lines in one message; of very many the first, and how many more."""
    shown = list(problems[:MOST_TOLD])
    if rest := len(problems) - len(shown):
        shown.append(said("class_list.more", lines=rest))
    told = shown.pop()
    while shown:
        told = said("class_list.lines", first=shown.pop(), then=told)
    return said("roster.unreadable", problems=told)


def written(entries: Sequence[Entry]) -> str:
    """Entries as a CSV that `read` gives back alike."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    has_roles = any(entry.role is not None for entry in entries)
    has_addresses = any(entry.email for entry in entries)
    header = ("name", "section", "number", "team", *(["role"] * has_roles))
    lines.writerow((*(["email"] * has_addresses), *header))
    for each in entries:
        role = [each.role.value if each.role else ""] if has_roles else []
        address = [each.email] * has_addresses
        lines.writerow((*address, each.name, each.section, each.number, each.team, *role))
    return file.getvalue()


class _Lines:
    """Collects people and what is wrong, line by line."""

    def __init__(self, *, header: Sequence[str], columns: Mapping[str, int], domain: str) -> None:
        self._width, self._columns, self._domain = len(header), columns, domain
        self.entries: dict[str, Entry] = {}
        self.problems: list[Message] = []
        self.skipped = 0
        self.undecided: list[str] = []
        self._first: dict[str, int] = {}  # address, or number without regard to case → its line

    def add(self, number: int, cells: Sequence[str]) -> None:
        named = {
            meaning: cells[place].strip() if place < len(cells) else ""
            for meaning, place in self._columns.items()
        }
        if not any(cell.strip() for cell in cells) or _is_canvas_row(named):
            self.skipped += 1
            return
        try:
            entry = _entry(named, cells, self._width, self._domain)
        except BadRequest as error:
            self._wrong(number, error.detail)
            return
        for told in filter(None, (entry.email, entry.number.casefold())):
            if told in self._first:
                first = self._first[told]
                self._wrong(number, said("class_list.twice", address=told, line=first))
                return
        self.entries[entry.login] = entry
        if len(_teams(named)) > 1:
            self.undecided.append(entry.name)
        known_by = filter(None, (entry.email, entry.number.casefold()))
        self._first |= dict.fromkeys(known_by, number)

    def _wrong(self, number: int, problem: Message) -> None:
        self.problems.append(said("class_list.line", line=number, problem=problem))


def _entry(named: Mapping[str, str], cells: Sequence[str], width: int, domain: str) -> Entry:
    """One line's person.

    Raises:
        BadRequest: what is wrong with the line, without its number.
    """
    filled = len(cells) - next((n for n, cell in enumerate(reversed(cells)) if cell.strip()), 0)
    if filled > width:
        raise BadRequest(said("class_list.cells", cells=filled, header=width))
    name = _name(named)
    if not name:
        raise BadRequest(said("class_list.no_name"))
    teams = _teams(named)
    if not named.keys() & {"email", "login"} and not _number(named):
        raise BadRequest(said("class_list.no_number"))
    return Entry(
        email=_address(named, domain) if named.keys() & {"email", "login"} else "",
        name=name,
        section=named.get("section", "")[:LONGEST_SECTION],
        role=_role(named.get("role")),
        number=_number(named),
        team=teams[0] if len(teams) == 1 else "",
    )


def _role(cell: str | None) -> Role | None:
    """The highest of those named; None where there is no column."""
    if cell is None:
        return None
    role = role_of(cell)
    if role is None:
        raise BadRequest(said("class_list.no_role", role=repr(cell)))
    return role


def _number(named: Mapping[str, str]) -> str:
    """The student number, without the mark that Brightspace puts before each."""
    text = named.get("number", "")
    return "" if text.casefold() in _NOTHING else numbers.clean(text.removeprefix("#"))


def _teams(named: Mapping[str, str]) -> list[str]:
    """The teams of a cell: Moodle lists all groups of a person in one."""
    parts = (part.strip() for part in re.split(r", |[;、]", named.get("team", "")))
    return [part for part in parts if part and plain(part) not in _NO_TEAM]


def _address(named: Mapping[str, str], domain: str) -> str:
    """The e-mail address, also of `Jane Doe <jane@example.edu>`, else a login that is one or
    becomes one with the domain."""
    text = unicodedata.normalize("NFKC", named.get("email") or named.get("login", ""))
    text = _AROUND_AN_ADDRESS.sub("", text)
    if not text:
        raise BadRequest(said("class_list.no_address"))
    if "email" not in named and "@" not in text:
        if not domain:
            raise BadRequest(said("class_list.login", login=repr(text)))
        text = f"{text}@{domain}"
    written = parseaddr(text)[1] if text.endswith(">") else text
    return email_address(written)


def _name(named: Mapping[str, str]) -> str:
    """The whole name in one line. A column called Name beside only one for first names has the
    family name alone, or all of it; likewise the other way round."""
    parts = {
        meaning: " ".join(unicodedata.normalize("NFC", cell).split())
        for meaning, cell in named.items()
        if meaning in CALLED and cell not in _ERRORS
    }
    if parts.get("name"):
        return _whole(parts["name"], parts.get("first", ""), parts.get("last", ""))
    return _listed(parts) or _joined(parts.get("first", ""), parts.get("last", ""))


def _whole(name: str, first: str, last: str) -> str:
    if bool(first) == bool(last) or (first or last).casefold() in name.casefold():
        return name
    return _joined(first or name, last or name)


def _listed(named: Mapping[str, str]) -> str:
    if named.get("listed_name"):  # Canvas lists "Doe, Jane"
        last, comma, first = named["listed_name"].partition(",")
        return f"{first.strip()} {last.strip()}" if comma else last.strip()
    return ""


def _joined(first: str, last: str) -> str:
    # Chinese names are written family name first, without a blank
    return f"{last}{first}" if _is_chinese(first + last) else f"{first} {last}".strip()


def _is_chinese(text: str) -> bool:
    return bool(text) and all(unicodedata.name(each, "").startswith("CJK") for each in text)


def _is_canvas_row(named: Mapping[str, str]) -> bool:
    """Canvas writes how and up to what is graded below the header, and a test student at the
    end."""
    listed = named.get("listed_name", "")
    if listed.startswith("Points Possible"):
        return True
    if listed == "Student, Test" and not named.get("number"):
        return True
    return "listed_name" in named and not any(named.values())  # "Manual Posting", in any language


def _header(rows: Iterator[tuple[int, list[str]]]) -> tuple[list[str], int]:
    """The first line that names who a person is and how they are called, or else the first of all;
    and how many stand above it, such as a title."""
    first: list[str] = []
    for above, (_, cells) in enumerate(islice(rows, LINES_ABOVE)):
        header = [cell.strip() for cell in cells]
        first = first or header
        if names_people(columns_of(header)):
            return header, above
    return first, 0


def _check_columns(header: Sequence[str], columns: Mapping[str, int]) -> None:
    if names_people(columns):
        return
    seen = ", ".join(name for name in header if name)[:300] or "–"
    if any("@" in name for name in header):
        raise BadRequest(said("class_list.no_header", line=seen))
    if columns.keys() & WHO:
        raise BadRequest(said("class_list.names_missing", columns=seen))
    raise BadRequest(said("class_list.addresses_missing", columns=seen))


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The number of a row's last line, and its cells.

    Raises:
        BadRequest: a quotation mark is never closed.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    last = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            open_quote = said("class_list.open_quote", line=last + 1)
            raise BadRequest(said("roster.unreadable", problems=open_quote)) from error
        first, last = last + 1, reader.line_num
        yield first, cells
