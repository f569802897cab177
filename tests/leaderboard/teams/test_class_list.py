"""Class lists as platforms and spreadsheets write them are understood, or refused whole."""

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.errors import BadRequest
from leaderboard.models import Role
from leaderboard.teams import class_list
from leaderboard.teams.class_list import Entry

JANE = Entry(email="jane@x.example", name="Jane Doe")


def only(content: bytes | str) -> Entry:
    (entry,) = class_list.read(content).entries
    return entry


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("email,name\njane@x.example,Jane Doe\n", JANE),
        ("Name;E-Mail\nJane Doe;JANE@x.example\n", JANE),
        ("sep=;\nName;E-Mail\nJane Doe;jane@x.example\n", JANE),
        ("email\tname\njane@x.example\tJane Doe\n", JANE),
        ("\n\nemail,name\r\njane@x.example,Jane Doe\r\n\r\n", JANE),
        ("email,name\nJane D. <jane@x.example>,Jane Doe\n", JANE),
        ('email,name\njane@x.example,"Doe, Jane"\n', Entry(email=JANE.email, name="Doe, Jane")),
        ("email,name,,\njane@x.example,Jane Doe,,\n", JANE),
        ("First name,Surname,Email address\nJane,Doe,jane@x.example\n", JANE),
        (
            "First name,Last name,ID number,Email address,Groups\nJane,Doe,0012,jane@x.example,G1",
            Entry(email=JANE.email, name=JANE.name, number="0012", team="G1"),
        ),
        (
            "Nachname;Vorname;Matrikelnummer;E-Mail-Adresse;Gruppe\nDoe;Jane;007;jane@x.example;G",
            Entry(email=JANE.email, name=JANE.name, number="007", team="G"),
        ),
        (
            "姓,名,学号,电子邮件地址,小组\n李,雷,2026001,li@x.example,一组\n",
            Entry(email="li@x.example", name="李雷", number="2026001", team="一组"),
        ),
        (
            "Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"
            '"Doe, Jane",11,u11,jane@x.example,Sec 1\n"Student, Test",12,,,Sec 1\n',
            Entry(email=JANE.email, name=JANE.name, number="u11", section="Sec 1"),
        ),
        (
            '"Last Name","First Name","Username","Student ID","Last Access"\n'
            '"Doe","Jane","jane@x.example","900","2026-09-01"\n',
            Entry(email=JANE.email, name=JANE.name, number="900"),
        ),
        (
            "email,name,role\njane@x.example,Jane Doe,TA\n",
            Entry(email=JANE.email, name=JANE.name, role=Role.ASSISTANT),
        ),
        (
            "email,name,role\njane@x.example,Jane Doe,\n",
            Entry(email=JANE.email, name=JANE.name, role=Role.STUDENT),
        ),
    ],
)
def test_lists_of_platforms_and_spreadsheets_are_understood(text, entry):
    assert only(text) == entry


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "Jörg 李雷"),
        ("utf-8-sig", "Jörg 李雷"),
        ("utf-16", "Jörg 李雷"),
        ("utf-16-le", "Jörg Müller, the one of the north"),
        ("gbk", "李雷"),
        ("latin-1", "Jörg"),
        ("cp1252", "Zoë – Müller"),
    ],
)
def test_what_a_spreadsheet_saved_is_decoded(encoding, name):
    content = f'email,name\njo@x.example,"{name}"\n'.encode(encoding)
    assert only(content).name == name


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("ada@x.example,Lovelace, Ada", "line 2: it has 3 cells, the header 2"),
        ("ada@x.example", "line 2: it has no name"),
        (",Ada", "line 2: it has no e-mail address"),
        ("ada @x.example,Ada", "line 2: 'ada @x.example' is no e-mail address"),
        (
            "a@x.example,A\nb@x.example,B\na@x.example,A2",
            "line 4: a@x.example is in line 2 already",
        ),
        ('"a@x.example","A', "line 2: a quotation mark is open"),
        (
            "a@x.example,A\nnobody,B\n,C",
            "line 3: 'nobody' is no e-mail address.\nline 4: it has no",
        ),
    ],
)
def test_each_wrong_line_is_named_and_the_list_refused(rows, words):
    with pytest.raises(BadRequest) as refused:
        class_list.read(f"email,name\n{rows}\n")
    assert words in refused.value.detail


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no column for e-mail addresses or student numbers. Its columns: –."),
        (
            "given,mark\nA,1\n",
            "or student numbers. Its columns: given, mark.",
        ),
        ("email,mark\na@x.example,1\n", "no column for a name. Its columns: email, mark."),
        ("email,name\n", "names nobody"),
        (b"PK\x03\x04\x00\x00", "is no text: save it as CSV"),
        ("email,name,role\na@x.example,A,boss\n", "line 2: 'boss' is no role"),
        ("email,name\n" + "x,\n" * 700, "and 660 more lines"),
        ("e" * (class_list.MOST_BYTES + 1), "larger than 1 MB"),
    ],
)
def test_what_is_no_class_list_is_refused_with_what_is_needed(content, words):
    with pytest.raises(BadRequest) as refused:
        class_list.read(content)
    assert words in refused.value.detail


def test_what_was_understood_is_told():
    told = class_list.read(b"Surname;First name;Email;Mark\n\nDoe;Jane;jane@x.example;1\n")

    assert told.columns == {"last": "Surname", "first": "First name", "email": "Email"}
    assert (told.ignored, told.skipped, told.separator) == (("Mark",), 1, ";")
    assert told.encoding == "utf-8"


@given(
    st.one_of(
        st.binary(max_size=300), st.text(max_size=300).map(lambda text: "email,name\n" + text)
    )
)
def test_whatever_comes_is_a_list_or_is_refused(content):
    found = ()
    with contextlib.suppress(BadRequest):
        found = class_list.read(content).entries
    assert all("@" in entry.email and entry.name for entry in found)


@pytest.mark.parametrize(
    ("text", "login", "skipped"),
    [
        ("课程名称：深度学习,,\n学号,姓名,班级\n20260001,李梅,A\n", "20260001", 1),
        ("Deep Learning\n\nNr;Matr.-Nr.;Name\n1;'0042;Mei\n", "0042", 2),
        ("学号,姓名\n20260001.0,李梅\n", "20260001", 0),
        ('SID,Name\n"=""0042""",Mei\n', "0042", 0),
        ("name|email\nMei|mei@x.example\n", "mei@x.example", 0),
        ("姓名，邮箱\n李梅，mei@x.example\n", "mei@x.example", 0),
        (
            "First Name\tLast Name\tUser Principal Name\nMei\tLin\tmei@x.example\n",
            "mei@x.example",
            0,
        ),
    ],
    ids=["title", "title-de", "float", "formula", "bars", "wide-commas", "teams"],
)
def test_lists_of_offices_and_spreadsheets_are_read(text: str, login: str, skipped: int) -> None:
    found = class_list.read(text)
    assert [entry.login for entry in found.entries] == [login]
    assert found.skipped == skipped


BRIGHTSPACE = """OrgDefinedId,Username,Last Name,First Name,Email,Sections,Quiz Points Grade
#0042,#jane,Doe,Jane,jane@x.example,LEC-01,8
"""
JANE_0042 = Entry(email=JANE.email, name=JANE.name, number="0042")


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (BRIGHTSPACE, dataclasses.replace(JANE_0042, section="LEC-01")),
        (
            "Name,Login ID,SIS ID,Role\nJane Doe,jane@x.example,0042,StudentEnrollment\n",
            dataclasses.replace(JANE_0042, role=Role.STUDENT),
        ),
        (
            "DisplayName,UserPrincipalName,Role\nJane Doe,jane@x.example,Owner\n",
            dataclasses.replace(JANE, role=Role.INSTRUCTOR),
        ),
        ("Prénom;Nom;Adresse e-mail;Numéro étudiant\nJane;Doe;jane@x.example;0042\n", JANE_0042),
        ("Nombre,Apellido(s),Dirección de correo\nJane,Doe,jane@x.example\n", JANE),
        ("Name;Vorname;E-Mail;Matrikel-Nr.\nDoe;Jane;jane@x.example;0042\n", JANE_0042),
        ("Name,First name,Email\nJane Doe,Jane,jane@x.example\n", JANE),
        (
            "學號,姓名,電子郵件\n0042,陳大文,c@x.example\n",
            Entry(email="c@x.example", name="陳大文", number="0042"),
        ),
        (
            "学号/工号,姓名,行政班级\n0042,李雷,1班\n",
            Entry(email="", name="李雷", number="0042", section="1班"),
        ),
        ('Name,E-Mail\n"Jane\nDoe",mailto:jane＠x.example\n', JANE),
        ("Name,Student ID,E-Mail\nJane Doe,N/A,\u200bjane@x.example\u00a0\n", JANE),
    ],
)
def test_headers_and_cells_of_other_systems_and_languages_are_understood(text, entry):
    assert only(text) == entry


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("Name;E-mail\r\nŁukasz Wiśniewski;x@x.example", "cp1250", "Łukasz Wiśniewski"),
        ("Name;E-mail\r\nИванов Пётр;x@x.example", "cp1251", "Иванов Пётр"),
        ("Name;E-Mail\rJörg Müller;x@x.example\r", "mac_roman", "Jörg Müller"),
        ("姓名,電子郵件\r\n陳大文,x@x.example", "big5", "陳大文"),
        ("氏名,email\r\n山田太郎,x@x.example", "shift_jis", "山田太郎"),
        ("Name;E-Mail\r\nZoë Groß;x@x.example", "cp1252", "Zoë Groß"),
    ],
)
def test_old_encodings_are_told_apart_and_the_guess_is_said(text, encoding, name):
    found = class_list.read(text.encode(encoding))
    assert [each.name for each in found.entries] == [name]
    assert found.encoding == encoding
    assert name in str(found.guessed)


def test_nothing_is_said_of_an_encoding_that_is_no_guess():
    assert class_list.read("name,email\nZoë,z@x.example\n".encode()).guessed is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("jane@x.example,Jane Doe\n", "has no header: its first line is jane@x.example, Jane"),
        (b"%PDF-1.7\nname,email\n", "is no text"),
        ('[{"name": "Jane", "email": "jane@x.example"}]', "is no text"),
        ("email,name,role\nj@x.example,J,Observer\n", "Mend it, empty the cell or take the line"),
        ("name,email\n#REF!,j@x.example\n", "line 2: it has no name"),
    ],
)
def test_what_to_do_is_said_where_a_list_cannot_be_read(content, words):
    with pytest.raises(BadRequest) as refused:
        class_list.read(content)
    assert words in refused.value.detail


def test_a_web_page_that_calls_itself_a_spreadsheet_is_no_list() -> None:
    with pytest.raises(BadRequest, match="no text: save it as CSV"):
        class_list.read("<html><table><tr><td>Email</td></tr></table>")
