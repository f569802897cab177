"""Published assignments, recognised public data sets, exports."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from small_site import Site, answers, predictions_csv, write_assignment

from grader import AssignmentError
from leaderboard.accounts import courses
from leaderboard.assignments.integrity import known_public_set
from leaderboard.errors import BadRequest
from leaderboard.models import Course, Enrolment, Team
from leaderboard.rules import catalog
from leaderboard.teams import class_list, roster
from leaderboard.views import gradebook, tables

FASHION = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")


def test_a_published_assignment_is_the_folder_that_was_given(site: Site) -> None:
    with site.state.database.reading() as session:
        loaded = site.state.catalog.load(site.assignment(session))
        assert site.assignment(session).readme.startswith("# Tiny animals")

    assert loaded.folder != site.folder
    assert answers(loaded.folder) == answers(site.folder)
    cache = site.settings.cache_dir
    assert cache.stat().st_mode & 0o077 == 0  # answers lie there


def test_the_pack_holds_no_answer_and_publishing_twice_gives_the_same_bytes(site: Site) -> None:
    with site.state.database.reading() as session:
        before = site.assignment(session).pack_sha256
    site.publish(site.folder)
    with site.state.database.reading() as session:
        assignment = site.assignment(session)
        pack = b"".join(site.state.catalog.open_pack(assignment))
        assert assignment.pack_sha256 == before

    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        names = archive.namelist()
    assert "README.md" in names
    assert not any("answers" in name for name in names)


def test_a_wrong_assignment_is_not_published_and_its_problem_is_named(
    site: Site, tmp_path: Path
) -> None:
    folder = write_assignment(tmp_path / "wrong", slug="wrong", scoring='metrik = "accuracy"')

    with pytest.raises(AssignmentError, match="metric"):
        site.publish(folder)
    with site.state.database.reading() as session:
        course = session.get_one(Course, site.course.id)
        assert [each.slug for each in courses.assignments(session, course)] == ["animals"]


def test_settings_are_parsed_once(site: Site) -> None:
    with site.state.database.reading() as session:
        assignment = site.assignment(session)
        assert catalog.rules(assignment) is catalog.rules(assignment)
        assert catalog.rules(assignment).title == "Tiny animals"


@pytest.mark.skipif(not FASHION.exists(), reason="Fashion-MNIST is not installed here")
def test_fashion_mnist_is_recognised_in_any_order_and_in_part() -> None:
    raw = gzip.decompress(FASHION.read_bytes())
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)
    shuffled = images[np.random.default_rng(0).permutation(len(images))]

    assert known_public_set(shuffled) == "Fashion-MNIST (test part)"
    assert known_public_set(shuffled[:1000]) == "Fashion-MNIST (test part)"
    assert known_public_set(255 - shuffled) == ""


def test_grades_have_a_row_for_every_student_and_no_zero_for_the_absent(site: Site) -> None:
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=8)))
    site.person("idle")

    with site.state.database.reading() as session:
        text = gradebook.grades_csv(session, site.assignment(session))
    rows = list(csv.DictReader(io.StringIO(text)))

    assert [row["email"] for row in rows] == ["ann@example.edu", "idle@example.edu"]
    assert rows[0]["public_rank"] == rows[0]["private_rank"] == "1"
    assert rows[1]["private_score"] == rows[1]["public_rank"] == ""


@pytest.mark.parametrize(
    "name",
    [
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "\u3000=1",
        " @SUM(A1)",
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
    ],
)
def test_no_cell_of_an_export_is_a_formula(name: str) -> None:
    assert tables.neutral(name).startswith("'")


def test_a_team_name_that_is_a_formula_is_neutralised_in_the_grades(site: Site) -> None:
    site.person("ann")
    with site.state.database.write() as session:
        session.execute(sa.update(Team).values(name='=cmd|"/c calc"!A1'))

    with site.state.database.reading() as session:
        text = gradebook.grades_csv(session, site.assignment(session))

    assert next(csv.DictReader(io.StringIO(text)))["team"].startswith("'=")


def test_a_roster_enrols_everybody_once(site: Site) -> None:
    entries = class_list.read(
        "email,name,section\nZoe@example.edu,Zoe,A\nyan@example.edu,Yan,B\n"
    ).entries
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        first = list(roster.enrol_all(session, course, entries))
        second = list(roster.enrol_all(session, course, entries))
        enrolled = session.scalar(sa.select(sa.func.count()).select_from(Enrolment))

    assert [each.entry.email for each in first if each.password] == [
        "zoe@example.edu",
        "yan@example.edu",
    ]
    assert [each.password for each in second] == [None, None]
    assert enrolled == 2


def test_a_wrong_roster_names_its_lines() -> None:
    with pytest.raises(BadRequest, match="line 3"):
        class_list.read("email,name\nzoe@example.edu,Zoe\nnobody,No\n")
    with pytest.raises(BadRequest, match="no column for a name"):
        class_list.read("mail;mark\n")


def test_two_people_of_one_name_get_teams_of_their_own(site: Site) -> None:
    entries = class_list.read("email,name\na@example.edu,Li Wei\nb@example.edu,Li Wei\n").entries
    with site.state.database.session() as session:
        list(roster.enrol_all(session, session.get_one(Course, site.course.id), entries))
        names = session.scalars(sa.select(Team.name).order_by(Team.id)).all()

    assert names == ["Li Wei", "Li Wei 2"]
