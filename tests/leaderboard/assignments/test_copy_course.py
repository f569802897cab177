"""A course for the next term has the assignments, rules and staff of an earlier one, no work."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard.accounts import courses
from leaderboard.assignments import copying, editions, release
from leaderboard.cli import main
from leaderboard.models import Assignment, Course, Enrolment, Role, Submission, Team
from leaderboard.operations import verification
from leaderboard.rules import catalog

SCHEDULE = """
opens = 2027-02-22T08:00:00+01:00
due = 2027-03-27T23:59:59+01:00 # the night in which clocks go forward
closes = 2027-03-30 23:59:59+02:00
time_zone = "Europe/Berlin"
"""


@pytest.fixture
def term(tmp_path: Path) -> Site:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals", schedule=SCHEDULE))
    site.person("prof", Role.INSTRUCTOR)
    site.person("baselines", Role.BASELINE)
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=4), at=_at("2027-03-01")))
    with site.state.database.session() as session:
        assignment = site.assignment(session)
        editions.rename(session, assignment, "beasts", actor=None)
        release.release(session, assignment, actor=None)
    yield site
    site.state.close()


def _at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


def copy(site: Site, *words: str) -> Result:
    arguments = ["--state", str(site.settings.state_dir), "copy-course", "dl-1", "dl-2", *words]
    return CliRunner().invoke(main, arguments)


def test_the_next_term_has_everything_but_peoples_work(term: Site) -> None:
    done = copy(term, "--starts", "2027-10-18", "--staff", "--term", "autumn")

    assert (done.exit_code, done.stdout) == (0, "dl-2\n"), done.output
    with term.state.database.reading() as session:
        course = courses.course_by_code(session, "dl-2")
        (made,) = courses.assignments(session, course)
        dates, berlin = catalog.rules(made).schedule, ZoneInfo("Europe/Berlin")
        assert (course.title, course.time_zone, course.term) == (
            "Deep Learning",
            "Asia/Shanghai",
            "autumn",
        )
        assert (made.slug, made.released_at) == ("beasts", None)
        assert [each.astimezone(berlin).isoformat() for each in (dates.opens, dates.due)] == [
            "2027-10-18T08:00:00+02:00",
            "2027-11-20T23:59:59+01:00",
        ]
        assert dates.closes.astimezone(berlin).isoformat() == "2027-11-23T23:59:59+01:00"
        people = session.scalars(sa.select(Enrolment).filter_by(course_id=course.id))
        assert {each.user.name for each in people} == {"prof", "baselines"}
        teams = session.scalars(sa.select(Team).filter_by(course_id=course.id)).all()
        assert [team.is_baseline for team in teams] == [True]
        theirs = sa.select(Submission.id).where(Submission.assignment_id == made.id)
        assert session.scalars(theirs).all() == []
        assert term.state.catalog.load(made).slug == "beasts"
    found = verification.verify(term.state, progress=lambda *_: None)
    assert found.differences == ()


def test_it_warns_of_hidden_sets_that_were_in_use(term: Site) -> None:
    done = copy(term, "--days", "364")

    assert "due Sat 2028-03-25T23:59:59+01:00" in done.output
    assert "beasts: its hidden set was used in dl-1, with 1 scored hand-ins, and the" in done.output
    assert "published on 20" in done.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "the first on 2027-02-22"),
        (("--days", "7", "--starts", "2027-10-18"), 2, "not both"),
        (("--days", "0", "--title", "x"), 3, "dl-2"),
    ],
)
def test_what_cannot_be_copied_leaves_nothing(
    term: Site, words: tuple[str, ...], code: int, said: str
) -> None:
    with term.state.database.session() as session:
        courses.create_course(session, code="dl-2", title="there already")

    done = copy(term, *words)

    assert (done.exit_code, said in done.output) == (code, True), done.output
    with term.state.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Assignment)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(Course)) == 2


def test_dates_in_an_inline_table_move_and_other_dates_do_not() -> None:
    zone = ZoneInfo("UTC")
    toml = (
        'title = "of 2026-01-01T00:00:00Z"\n'
        "schedule = { opens = 2026-01-01T00:00:00Z, due = 2026-02-01T00:00Z }\n"
    )

    assert copying.shifted(toml, 1, zone) == (
        'title = "of 2026-01-01T00:00:00Z"\n'
        "schedule = { opens = 2026-01-02T00:00:00+00:00, due = 2026-02-02T00:00:00+00:00 }\n"
    )
