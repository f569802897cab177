"""Exports for other platforms, and their gradebooks filled in: no byte of theirs is changed."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa
from commands import run
from graded import scored, write_graded
from signing_in import signed_in
from small_site import Site, make_site

from leaderboard import create_app
from leaderboard.errors import BadRequest
from leaderboard.gradebooks import filling, sheet, xlsx
from leaderboard.models import Enrolment, Role
from leaderboard.views.gradebook import exports
from leaderboard.views.gradebook.exports import ExportFormat

FILES = Path(__file__).parents[1] / "teams" / "class_lists"
ROOT = Path(__file__).parents[3]
# file → its bytes' encoding, whose cell gets a grade
BOOKS = {
    "canvas-gradebook.csv": ("utf-8-sig", "mgarcia"),
    "canvas-gradebook-logins.csv": ("utf-8", "mgarcia"),
    "moodle-grades-en.csv": ("utf-8", "mgarcia"),
    "moodle-grades-de.csv": ("utf-8-sig", "joerg"),
    "moodle-grades-zh.csv": ("gb18030", "lilei"),
    "blackboard-en.tsv": ("utf-16", "mgarcia"),
    "blackboard-de.csv": ("utf-16", "joerg"),
    "blackboard-zh.csv": ("utf-16", "lilei"),
}
NUMBERS = {
    "mgarcia": "20240017",
    "mei": "00420018",
    "joerg": "0815001",
    "aenne": "0815002",
    "lilei": "2026010001",
    "hanmei": "2026010002",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    made = make_site(folder, write_graded(folder / "animals"))
    for place, (name, number) in enumerate(NUMBERS.items()):
        if place % 2 == 0:
            scored(made, name, 10 + 5 * place)
        else:
            made.person(name)  # without a submission
        with made.state.database.write() as session:
            session.execute(
                sa.update(Enrolment)
                .where(Enrolment.user_id == made.people[name].id)
                .values(number=number, section="AB"[place // 2 % 2])
            )
    yield made
    made.state.close()


def content_of(name: str) -> bytes:
    return (FILES / name).read_text(encoding="utf-8").encode(BOOKS[name][0])


def filled(site: Site, content: bytes, **more: str) -> filling.Filled:
    with site.state.database.reading() as session:
        return filling.fill(session, site.assignment(session), content, **more)


def exported(site: Site, kind: ExportFormat, section: str | None = None) -> bytes:
    with site.state.database.reading() as session:
        return exports.export(session, site.assignment(session), kind, section=section).content


@pytest.mark.parametrize("name", sorted(BOOKS))
def test_a_gradebook_is_filled_and_every_cell_of_theirs_keeps_its_bytes(
    site: Site, name: str
) -> None:
    content = content_of(name)

    made = filled(site, content)

    before, after = sheet.read(content), sheet.read(made.content)
    [change] = made.run.changes
    new = after.header.index("Tiny animals")
    assert (change.email, change.before) == (f"{BOOKS[name][1]}@example.edu", "")
    for old, line in zip(before.lines, after.lines, strict=True):
        assert (line.cells[:new] + line.cells[new + 1 :], line.end) == (old.cells, old.end)
    assert (after.mark, after.encoding, after.separator) == (
        before.mark,
        before.encoding,
        before.separator,
    )
    assert change.after in [cell.strip('"') for line in after.lines for cell in line.cells]
    assert made.run.without
    assert set(made.run.absent) == {f"{each}@example.edu" for each in NUMBERS} - {
        change.email,
        *made.run.without,
    }


@pytest.mark.parametrize("name", sorted(BOOKS))
def test_filling_what_was_filled_changes_nothing(site: Site, name: str) -> None:
    once = filled(site, content_of(name)).content
    column = "Tiny animals" if "canvas" in name else ""

    if "canvas" in name:  # imported, the platform gives the column a number
        once = once.replace(b"Tiny animals", b"Tiny animals (40215)")
        column = "Tiny animals (40215)"
    if "blackboard" in name:
        once = once.replace(
            "Tiny animals".encode("utf-16-le"), "Tiny animals |24399".encode("utf-16-le")
        )
        column = "Tiny animals |24399"
    again = filled(site, once, column=column)

    assert again.content == once
    assert (again.run.changes, again.run.unchanged) == ((), 1)


def test_a_chosen_column_is_filled_and_its_equal_values_stay(site: Site) -> None:
    content = content_of("canvas-gradebook.csv")
    column = "Homework 1 (40211)"
    grade = filled(site, content, column=column).run.changes[0].after
    same = content.replace(b",8.50,", f",{float(grade):.2f},".encode())

    assert filled(site, content, column=column).content == content.replace(
        b",8.50,", f",{grade},".encode()
    )
    assert filled(site, same, column=column).content == same
    with pytest.raises(BadRequest, match="no column of grades 'Homework 9'"):
        filled(site, content, column="Homework 9")


def test_a_file_whose_numbers_have_commas_gets_commas(site: Site) -> None:
    made = filled(site, content_of("moodle-grades-de.csv"))

    assert "," in made.run.changes[0].after or made.run.changes[0].after.isdigit()
    assert "." not in made.run.changes[0].after


def test_people_of_one_side_only_are_listed(site: Site) -> None:
    content = content_of("canvas-gradebook.csv")
    stranger = b'"Owusu, Kofi",303,77,kofi@example.edu,S1,,,,\n'
    # number and address of two people: nobody's
    crossed = b'"Lin, M",304,00420018,joerg@example.edu,S1,,,,\n'

    run = filled(site, content + stranger + crossed).run

    assert [each.split(", ")[0] for each in run.unmatched] == ["Owusu", "Lin"]
    assert run.matched == 2
    assert "joerg@example.edu" in run.absent


def test_moodles_worksheet_gets_the_grade_and_its_explanation(site: Site) -> None:
    content = (
        'Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Feedback comments"\n'
        'Participant 1,"María García",MGarcia@Example.edu,"Submitted",,100.00,\n'
    ).encode()

    made = filled(site, content)

    line = next(csv.reader(io.StringIO(made.content.decode().splitlines()[1])))
    assert line[2] == "MGarcia@Example.edu"  # whose case counts there
    assert line[4] == made.run.changes[0].after
    assert "lies between" in line[6]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,label\nimg000,1\n", "no gradebook"),
        (b'Student,ID,SIS Login ID,Section\n"Lin,1,2,3\n', "quotation mark"),
        (b"\x00\x01\x02", "no text"),
        (b"", "no"),
    ],
)
def test_what_is_no_gradebook_is_refused(site: Site, content: bytes, words: str) -> None:
    with pytest.raises(BadRequest):
        filled(site, content)
    del words


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "，"])
def test_a_gradebook_of_any_separator_is_read_to_its_end(separator: str) -> None:
    text = separator.join(["Email address", "Grade"]) + "\n" + separator.join(["a@b.example", "1"])

    read = sheet.read(text.encode())

    assert [line.cells for line in read.lines] == [
        ("Email address", "Grade"),
        ("a@b.example", "1"),
    ]
    assert read.content() == text.encode()


def test_a_gradebook_of_very_many_columns_costs_little(site: Site) -> None:
    content = b"email," + b"a," * 200_000 + b"\nmgarcia@example.edu,1\n"

    begun = time.thread_time()
    run = filled(site, content).run

    assert time.thread_time() - begun < 20  # seconds; about an hour when columns were read anew
    assert len(run.columns) == 200_000


def test_each_platform_understands_what_is_made_from_nothing(site: Site) -> None:
    for kind, item in (
        (ExportFormat.CANVAS, "Tiny animals (1)"),
        (ExportFormat.MOODLE, "Tiny animals"),
        (ExportFormat.BLACKBOARD, "Tiny animals |1"),
    ):
        content = exported(site, kind)
        code = "utf-16-le" if kind is ExportFormat.BLACKBOARD else "utf-8"
        known = content.replace("Tiny animals".encode(code), item.encode(code), 1)
        again = filled(site, known, column=item)
        assert again.run.platform.value == kind.value
        assert again.run.changes == ()
        assert again.content == known


def cells_of(content: bytes) -> list[dict[str, object]]:
    """What stands in the cells of a workbook's sheet, row by row; no formula, no link."""
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        sheet = ElementTree.fromstring(parts.read("xl/worksheets/sheet1.xml"))
        strings = "xl/sharedStrings.xml" in parts.namelist() and parts.read("xl/sharedStrings.xml")
        assert "xl/worksheets/_rels/sheet1.xml.rels" not in parts.namelist()
    assert sheet.find(f".//{main}f") is None
    said = ["".join(each.itertext()) for each in ElementTree.fromstring(strings)] if strings else []

    def value(cell: ElementTree.Element) -> object:
        text = "".join(cell.itertext())
        return said[int(text)] if cell.get("t") == "s" else float(text)

    return [{str(cell.get("r")): value(cell) for cell in line} for line in sheet.iter(f"{main}row")]


def test_an_export_is_of_a_section_if_wished(site: Site) -> None:
    rows = csv.DictReader(io.StringIO(exported(site, ExportFormat.CSV, "B").decode("utf-8-sig")))

    assert [row["email"] for row in rows] == ["aenne@example.edu", "joerg@example.edu"]


def test_the_workbook_has_the_table_with_numbers_as_numbers_and_ids_as_text(site: Site) -> None:
    content = exported(site, ExportFormat.XLSX)
    rows = list(csv.reader(io.StringIO(exported(site, ExportFormat.CSV).decode("utf-8-sig"))))

    lines = cells_of(content)
    number = rows[0].index("number")
    assert lines[1][f"{chr(ord('A') + number)}2"] == rows[1][number]
    assert any(isinstance(each, float) for each in lines[1].values())
    for line, row in zip(lines, rows, strict=True):
        for told, text in zip(line.values(), filter(None, row), strict=True):
            assert told == (text if isinstance(told, str) else float(text))


def test_twenty_lines_recompute_every_grade_from_the_export(site: Site, tmp_path: Path) -> None:
    guide = (ROOT / "deploy" / "grades.md").read_text(encoding="utf-8")
    script = guide.partition("<!-- recompute -->\n```python\n")[2].partition("```")[0]
    assert 0 < len(script.splitlines()) <= 20
    (tmp_path / "recompute.py").write_text(script)
    (tmp_path / "grades.csv").write_bytes(exported(site, ExportFormat.CSV))

    told = subprocess.run(
        [sys.executable, "recompute.py", "grades.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == "3 grades recomputed, 0 differ\n"


def test_staff_look_first_and_download_what_they_saw(site: Site) -> None:
    app = create_app(state=site.state)
    site.person("boss", Role.INSTRUCTOR)
    client = signed_in(app, "boss")
    page = "/staff/c/dl-1/a/animals/grades/export/"
    token = client.get(page).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    content = content_of("canvas-gradebook.csv")

    looked = client.post(
        page, data={"csrf_token": token, "file": (io.BytesIO(content), "canvas.csv")}
    ).text
    held = looked.partition('name="held" value="')[2].partition('"')[0]
    sent = {"csrf_token": token, "held": held, "name": "canvas.csv", "step": "download"}
    given = client.post(page, data=sent)

    assert "1 cell would be written" in looked
    assert "4 students are not in the file" in looked
    assert given.data == filled(site, content).content
    named = client.post(page, data={**sent, "name": "a\r\nX-Evil: 1\u202evsc.exe"})
    assert named.headers["Content-Disposition"] == 'attachment; filename="aX-Evil: 1vsc.exe"'
    assert client.post(page, data={"csrf_token": token, "held": "no"}).status_code == 400
    assert client.get(f"{page}xlsx").data.startswith(b"PK")
    assert client.get(f"{page}docx").status_code == 400


def test_a_workbook_keeps_texts_as_texts_and_numbers_as_numbers() -> None:
    rows: list[dict[str, object]] = [
        {"number": "00123", "name": "=1+1 <b> 李\x00", "grade": "1.7"},
        {"number": "00124", "name": "https://a.example", "grade": None},
    ]

    made = xlsx.workbook(rows, frozenset({"grade"}))

    assert cells_of(made) == [
        {"A1": "number", "B1": "name", "C1": "grade"},
        {"A2": "00123", "B2": "=1+1 <b> 李\ufffd", "C2": 1.7},
        {"A3": "00124", "B3": "https://a.example"},
    ]
    assert xlsx.workbook(rows, frozenset({"grade"})) == made
    assert cells_of(xlsx.workbook([], frozenset())) == []


def test_the_command_fills_and_says_first_what_would_be_written(site: Site, tmp_path: Path) -> None:
    book = tmp_path / "canvas.csv"
    book.write_bytes(content_of("canvas-gradebook.csv"))
    call = (site.settings.state_dir, "export-grades", "dl-1", "animals", "--fill", str(book))

    told, given = run(*call, "--dry-run"), run(*call)

    assert json.loads(told.stdout)["column"] == "Tiny animals"
    assert given.stdout_bytes == filled(site, book.read_bytes()).content
    assert "not in the file: aenne@example.edu" in given.stderr
