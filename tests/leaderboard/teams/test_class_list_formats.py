"""Class lists as Canvas, Moodle and Blackboard document their exports, looked at on the page.

The files are of the formats, with people made up: Canvas's gradebook, Moodle's participants and
grades, Blackboard's gradebook, in the languages whose headers are known.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from forms import app_of, send
from small_site import PASSWORD, make_site, write_assignment

from leaderboard.models import Role
from leaderboard.teams import class_list
from leaderboard.teams.class_list import Entry

FILES = Path(__file__).parent / "class_lists"
PAGE = "/staff/c/dl-1/people/"


def entry(email: str, name: str, number: str = "", role: Role | None = None, **more: str) -> Entry:
    return Entry(email=f"{email}@example.edu", name=name, number=number, role=role, **more)


MARIA = entry("mgarcia", "María García", "20240017")
MEI = entry("mei", "Mei Lin", "00420018")
JOERG, AENNE = entry("joerg", "Jörg Müller", "0815001"), entry("aenne", "Änne Groß", "0815002")
LI, HAN = entry("lilei", "李雷", "2026010001"), entry("hanmei", "韩梅梅", "2026010002")
STUDENT = Role.STUDENT
# file → as which bytes, and whom it lists
LISTS = {
    "canvas-gradebook.csv": (
        "utf-8-sig",
        entry(
            *("mgarcia", "María José García López", "20240017"),
            section="DL-2026 Section 1 and DL-2026 Section 2",
        ),
        entry("mei", "Mei Lin", "00420018", section="DL-2026 Section 1"),
    ),
    "canvas-gradebook-logins.csv": (
        "utf-8",
        entry("soneil", "Sam O'Neil", "20240017", section="Section 1"),
        entry("mlin", "Mei Lin", "00420018", section="Section 1"),
    ),
    "moodle-participants-en.csv": (
        "utf-8",
        entry("mgarcia", "María García", "20240017", STUDENT, team="Team 1"),
        entry("mei", "Mei Lin", "00420018", STUDENT),
        entry("kofi", "Kofi Owusu", "", Role.ASSISTANT),
    ),
    "moodle-participants-de.csv": (
        "cp1252",
        entry("joerg", "Jörg Müller", "0815001", STUDENT, team="Gruppe 1"),
        entry("aenne", "Änne Groß", "0815002", STUDENT),
        entry("karl", "Karl König", "", Role.INSTRUCTOR),
    ),
    "moodle-participants-zh.csv": (
        "gb18030",
        entry("lilei", "李雷", "2026010001", STUDENT, team="第一组"),
        entry("hanmei", "韩梅梅", "2026010002", STUDENT),
        entry("wang", "王明", "", Role.INSTRUCTOR),
    ),
    "moodle-grades-en.csv": ("utf-8", MARIA, MEI),
    "moodle-grades-de.csv": ("utf-8-sig", JOERG, AENNE),
    "moodle-grades-zh.csv": ("utf-8", LI, HAN),
    "blackboard-en.tsv": ("utf-16", MARIA, MEI),
    "blackboard-de.csv": ("utf-16", JOERG, AENNE),
    "blackboard-zh.csv": ("utf-16", LI, HAN),
}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("site")
    site = make_site(folder, write_assignment(folder / "animals"))
    site.person("prof", Role.INSTRUCTOR)
    client = app_of(site).test_client()
    send(client, "/sign-in", email="prof@example.edu", password=PASSWORD)
    yield client
    site.state.close()


def test_every_file_is_looked_at() -> None:
    assert {path.name for path in FILES.iterdir()} == LISTS.keys()


@pytest.mark.parametrize("name", sorted(LISTS))
def test_an_export_is_understood_on_the_page(teacher: FlaskClient, name: str) -> None:
    encoding, *people = LISTS[name]
    content = (FILES / name).read_text(encoding="utf-8").encode(encoding)

    page = send(
        teacher,
        f"{PAGE}roster/preview",
        form=PAGE,
        file=(io.BytesIO(content), name),
        domain="example.edu",
    ).text

    assert class_list.read(content, domain="example.edu").entries == tuple(people)
    assert re.search(rf"data-new>{len(people)}<", page)
    for each in people:
        for told in filter(None, (each.name, each.email, each.number, each.team)):
            assert told in html.unescape(page)
    text = html.unescape(re.search(r'name="roster" value="([^"]*)"', page)[1])
    assert class_list.read(text).entries == tuple(people)  # what is confirmed is what was shown


def test_whoever_is_in_several_groups_is_named_and_in_no_team(teacher: FlaskClient) -> None:
    file = (io.BytesIO((FILES / "moodle-participants-en.csv").read_bytes()), "list.csv")

    page = send(teacher, f"{PAGE}roster/preview", form=PAGE, file=file).text

    assert "in no team by this list: Kofi Owusu" in " ".join(page.split())
    assert "No groups" not in page


def test_logins_without_a_domain_are_told_what_they_lack(teacher: FlaskClient) -> None:
    file = (io.BytesIO((FILES / "canvas-gradebook-logins.csv").read_bytes()), "list.csv")

    refused = send(teacher, f"{PAGE}roster/preview", form=PAGE, file=file)

    said = html.unescape(teacher.get(refused.location).text)
    assert "line 3: the login 'soneil' is no e-mail address" in said
    assert "say the domain" in said
