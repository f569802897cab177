"""What a page asks of the database: as much for many submissions and teams as for a few."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from signing_in import signed_in
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.models import Course, Role, User
from leaderboard.teams import extensions

A = "/courses/dl-1/assignments/animals"
Costs = dict[tuple[str, str], tuple[int, int]]
# who reads what → statements at most, of them on scores
LISTS: Costs = {
    ("ann", "/c/dl-1/a/animals/submissions"): (9, 1),
    ("ann", f"/api/v1{A}/submissions"): (8, 1),
    ("ada", "/staff/c/dl-1/a/animals/"): (18, 1),
    ("ada", f"/api/v1/staff{A}/submissions"): (11, 1),
    ("ada", "/staff/c/dl-1/"): (21, 0),
    ("ada", "/staff/c/dl-1/jobs/"): (18, 0),
    ("ada", "/staff/c/dl-1/a/animals/difficulty/"): (14, 1),
    ("ada", "/staff/c/dl-1/drafts/"): (9, 0),
    ("ada", "/staff/c/dl-1/a/animals/labels/"): (14, 1),
    ("ada", "/staff/c/dl-1/a/animals/labels/decided"): (14, 0),
    ("ada", "/staff/c/dl-1/a/animals/missing/"): (9, 0),
    ("ada", "/api/v1/staff/courses/dl-1/overview"): (13, 0),
    ("ada", "/api/v1/staff/courses/dl-1/jobs"): (13, 0),
    ("ada", "/staff/c/dl-1/people/"): (9, 0),
    ("ada", "/staff/c/dl-1/extensions/"): (10, 0),
    ("ada", "/api/v1/staff/courses/dl-1/extensions"): (5, 0),
    ("ada", "/staff/c/dl-1/a/animals/grades.csv"): (15, 0),
    ("ada", "/staff/c/dl-1/a/animals/grades/"): (18, 0),
    ("ann", "/c/dl-1/a/animals/leaderboard"): (18, 1),
    ("ann", f"/api/v1{A}/leaderboard"): (11, 0),
    ("ann", "/c/dl-1/team"): (9, 0),
    ("ann", "/"): (18, 1),
}
# the submission's own scores in one, the team's earlier ones in another, for staff those of the
# references in a third
REPORTS: Costs = {
    ("ann", "/s/"): (24, 2),
    ("ada", "/s/"): (24, 3),
    ("ann", "/api/v1/submissions/"): (9, 1),
    ("ada", "/api/v1/submissions/"): (12, 1),
}


class Readers:
    """People of a site, signed in; `statements` is what their last page asked."""

    def __init__(self, site: Site, statements: list[str]) -> None:
        site.person("ada", Role.INSTRUCTOR)
        app = create_app(state=site.state)
        self._browsers = {name: signed_in(app, name) for name in ("ann", "ada")}
        self._tokens = {name: site.token(name, staff=name == "ada") for name in ("ann", "ada")}
        self.statements = statements

    def cost(self, who: str, path: str) -> tuple[int, int]:
        """The statements of a page that was looked at before, and those on scores."""
        headers = {"Authorization": f"Bearer {self._tokens[who]}"} if "/api/" in path else {}
        asked = []
        for _ in range(3):
            self.statements.clear()
            assert self._browsers[who].get(path, headers=headers).status_code == 200
            asked.append(list(self.statements))
        # once a minute a visit is noted as well
        least = min(asked[1:], key=len)
        return len(least), sum(" split_score" in each for each in least)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = make_site(tmp_path, write_assignment(tmp_path / "animals", daily_limit=50))
    for name in ("ann", "bob"):
        made.person(name)
    yield made
    made.state.close()


def _scored(site: Site, name: str, wrong: int) -> str:
    public_id = site.hand_in(name, predictions_csv(site.folder, wrong=wrong))
    site.score(public_id)
    return public_id


def _fill(site: Site, names: Iterable[str], first: int) -> None:
    """For each of them a scored submission, a waiting one and two extensions."""
    for number, name in enumerate(names, start=first):
        _scored(site, name, number)
        site.hand_in(name, predictions_csv(site.folder, wrong=number + 40))
        with site.state.database.session() as session:
            course = session.get_one(Course, site.course.id)
            person = session.get_one(User, site.person(name).id)
            for about in (None, site.assignment(session)):
                more = extensions.More(assignment=about, daily_limit=1)
                extensions.grant(session, course, person, more, actor=None)


def _above(most: Costs, costs: Costs) -> Costs:
    return {
        page: cost
        for page, cost in costs.items()
        if any(each > bound for each, bound in zip(cost, most[page], strict=True))
    }


def test_a_list_asks_as_much_for_many_submissions_and_teams_as_for_one_of_each(
    site: Site, statements: list[str]
) -> None:
    readers = Readers(site, statements)
    _fill(site, ("ann", "bob"), first=1)
    few = {page: readers.cost(*page) for page in LISTS}
    _fill(site, ("ann", "ann", "bob", "cem", "dee"), first=3)

    many = {page: readers.cost(*page) for page in LISTS}

    assert many == few
    assert _above(LISTS, many) == {}


def test_a_report_reads_each_stored_score_once(site: Site, statements: list[str]) -> None:
    readers = Readers(site, statements)
    reports = [_scored(site, "ann", wrong) for wrong in (3, 2, 1)]

    costs: Costs = {(who, path): readers.cost(who, path + reports[-1]) for who, path in REPORTS}

    assert _above(REPORTS, costs) == {}
