"""Where pretrained weights have a track of their own, each track ranks its hand-ins."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from signing_in import signed_in
from small_site import Api, Site, make_site, predictions_csv, write_assignment

from leaderboard import create_app, migrations
from leaderboard.boards import placing, standings
from leaderboard.evaluations import rescoring
from leaderboard.models import Role, Split, Standing, Submission, Track
from leaderboard.views import gradebook

API = "/courses/dl-1/assignments/animals"
BOARD = "/c/dl-1/a/animals/leaderboard"


class Course:
    """A site under given rules, and hand-ins that declare what went into them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.app = create_app(state=site.state)
        self.app.config["WTF_CSRF_ENABLED"] = False

    def scored(self, who: str, *, wrong: int, declared: str = "", role: Role = Role.STUDENT) -> str:
        self.site.person(who, role)
        reply = self.app.test_client().post(
            f"/api/v1{API}/submissions",
            headers={"Authorization": f"Bearer {self.site.token(who)}"},
            data={
                "file": (io.BytesIO(predictions_csv(self.site.folder, wrong=wrong)), "p.csv"),
                "declared": declared,
            },
        )
        assert reply.status_code == 201, reply.json
        self.site.score(reply.json["id"])
        return str(reply.json["id"])

    def api(self, who: str) -> Api:
        return Api(client=self.app.test_client(), token=self.site.token(who))

    def ranks(self, track: Track, split: Split = Split.PUBLIC) -> list[tuple[int | None, str]]:
        with self.site.state.database.reading() as session:
            board = standings.board(session, self.site.assignment(session), split, track=track)
        return [(row.rank, row.team_name) for row in board.rows]

    def publish_anew(self, changes: dict[str, str]) -> None:
        """Publish the assignment with other settings: new text by old."""
        path = self.site.folder / "assignment.toml"
        settings = path.read_text()
        for old, new in changes.items():
            assert old in settings
            settings = settings.replace(old, new)
        path.write_text(settings)
        self.site.publish(self.site.folder)

    def rows(self) -> list[sa.Row[Any]]:
        """All that is kept of the boards, but for the numbers of the rows."""
        columns = [each for each in sa.inspect(Standing).columns if each.name != "id"]
        order = (Standing.team_id, Standing.track, Standing.split)
        with self.site.state.database.reading() as session:
            return list(session.execute(sa.select(*columns).order_by(*order)))

    def refresh_each(self) -> None:
        """Bring the rows up to date as results do: a team after another."""
        with self.site.state.database.write() as session:
            assignment = self.site.assignment(session)
            for name in self.site.people:
                placing.refresh(session, assignment, self.site.team(session, name))

    def pick(self, who: str, *ids: str) -> None:
        assert self.api(who).post(f"{API}/picks", submissions=list(ids)).status_code == 200


@pytest.fixture
def open_course(tmp_path: Path) -> Iterator[Callable[[str], Course]]:
    opened: list[Course] = []

    def make(pretrained: str = "own track") -> Course:
        folder = write_assignment(tmp_path / "animals")
        settings = folder / "assignment.toml"
        settings.write_text(settings.read_text() + f'\n[rules]\npretrained = "{pretrained}"\n')
        opened.append(Course(make_site(tmp_path, folder)))
        return opened[-1]

    yield make
    for each in opened:
        each.site.state.close()


@pytest.fixture
def course(open_course: Callable[..., Course]) -> Course:
    """Ann has both kinds; bob and the baseline one from scratch; cem a pretrained one."""
    course = open_course()
    course.scored("ann", wrong=40, declared="none")
    course.scored("ann", wrong=0, declared="pretrained")
    course.scored("bob", wrong=28)
    course.scored("cem", wrong=18, declared="pretrained")
    course.scored("lenet5", wrong=70, declared="none", role=Role.BASELINE)
    course.scored("lite0", wrong=3, declared="pretrained", role=Role.BASELINE)
    return course


def test_each_track_ranks_its_hand_ins_among_themselves(course: Course) -> None:
    assert course.ranks(Track.ALL) == [
        (1, "ann"),
        (None, "lite0"),
        (2, "cem"),
        (3, "bob"),
        (None, "lenet5"),
    ]
    assert course.ranks(Track.SCRATCH) == [(1, "bob"), (2, "ann"), (None, "lenet5")]
    assert course.ranks(Track.PRETRAINED) == [(1, "ann"), (None, "lite0"), (2, "cem")]


def test_picks_stand_on_the_private_boards_of_their_tracks_only(course: Course) -> None:
    with course.site.state.database.reading() as session:
        first = session.scalars(sa.select(Submission.public_id).order_by(Submission.id)).first()
    assert (1, "ann") in course.ranks(Track.PRETRAINED, Split.PRIVATE)

    course.pick("ann", str(first))

    assert "ann" in dict(map(reversed, course.ranks(Track.SCRATCH, Split.PRIVATE)))
    assert "ann" not in dict(map(reversed, course.ranks(Track.PRETRAINED, Split.PRIVATE)))
    assert (1, "ann") in course.ranks(Track.PRETRAINED)


def test_a_page_of_a_track_takes_as_many_questions_as_one_of_all(course: Course) -> None:
    def asked(track: Track) -> int:
        found: list[str] = []
        engine = course.site.state.database.engine

        def note(_c: object, _u: object, statement: str, *_rest: object) -> None:
            found.append(statement)

        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            course.ranks(track)
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(found)

    assert asked(Track.PRETRAINED) == asked(Track.ALL)


def test_a_rescore_keeps_the_tracks(course: Course) -> None:
    before = {track: course.ranks(track) for track in Track}
    with course.site.state.database.session() as session:
        begun = rescoring.start(
            session, course.site.state, course.site.assignment(session), actor=None
        ).id
    rescoring.carry_on(course.site.state, begun)

    assert {track: course.ranks(track) for track in Track} == before


def test_the_api_gives_the_board_of_a_track(course: Course) -> None:
    ann = course.api("ann")
    board = ann.get(f"{API}/leaderboard?track=scratch").json
    assert (board["track"], board["total"]) == ("scratch", 2)
    assert board["mine"]["rank"] == 2
    assert [row["is_pretrained"] for row in ann.get(f"{API}/leaderboard").json["rows"]] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert ann.get(f"{API}/leaderboard?track=other").status_code == 400


def test_the_page_switches_between_tracks(course: Course) -> None:
    client = signed_in(course.app, "ann")
    whole = client.get(BOARD).text
    assert 'name="track"' in whole
    assert whole.count(">pretrained<") == 3  # on ann's own, lite0's and cem's row

    page = client.get(f"{BOARD}?track=scratch").text

    assert "Only submissions that declare no pretrained weights" in page
    table = page.partition("<table")[2].partition("</table>")[0]
    assert not re.search(r"\bcem\b", table)  # an id may hold any three letters
    rows = list(csv.DictReader(io.StringIO(client.get(f"{BOARD}.csv?track=pretrained").text)))
    assert [(row["rank"], row["team"]) for row in rows] == [
        ("1", "ann"),
        ("", "lite0"),
        ("2", "cem"),
    ]


def test_staff_see_what_was_declared_and_so_do_the_grades(course: Course) -> None:
    course.site.person("ina", Role.INSTRUCTOR)
    page = signed_in(course.app, "ina").get("/staff/c/dl-1/a/animals/").text
    cells = page.split("data-declared>")[1:]
    assert [cell.partition("<")[0] for cell in cells] == [
        "pretrained weights",
        "none",
        "pretrained weights",
        "nothing was said",
        "pretrained weights",
        "none",
    ]

    with course.site.state.database.reading() as session:
        text = gradebook.grades_csv(session, course.site.assignment(session))
    declared = {row["name"]: row["declared"] for row in csv.DictReader(io.StringIO(text))}
    assert declared == {"ann": "pretrained", "bob": "", "cem": "pretrained"}


def test_other_assignments_have_one_board_and_tell_nobody_what_was_declared(
    open_course: Callable[..., Course],
) -> None:
    course = open_course("allowed")
    course.scored("ann", wrong=0, declared="pretrained")
    ann = course.api("ann")

    assert "is_pretrained" not in ann.get(f"{API}/leaderboard").json["rows"][0]
    assert ann.get(f"{API}/leaderboard?track=pretrained").status_code == 404
    assert 'name="track"' not in signed_in(course.app, "ann").get(BOARD).text
    with course.site.state.database.reading() as session:
        assert set(session.scalars(sa.select(Standing.track))) == {Track.ALL}


def test_tracks_are_full_as_soon_as_the_rules_that_make_them_are_published(
    course: Course,
) -> None:
    full = course.rows()
    course.publish_anew({"own track": "allowed"})
    whole = course.rows()
    assert {row.track for row in whole} == {Track.ALL}
    assert len(whole) == 2 * len(course.ranks(Track.ALL))

    course.publish_anew({"allowed": "own track"})

    assert course.rows() == full
    course.refresh_each()
    assert course.rows() == full
    board = course.api("ann").get(f"{API}/leaderboard?track=scratch").json
    assert [row["rank"] for row in board["rows"]] == [1, 2, None]


def test_other_rules_leave_ranks_of_the_morning_as_they_are(course: Course) -> None:
    with course.site.state.database.write() as session:
        session.execute(sa.update(Standing).values(rank_before=7))

    course.publish_anew({"own track": "allowed"})

    assert {row.rank_before for row in course.rows()} == {7}


def test_what_counts_in_the_end_follows_the_rules_at_once(course: Course) -> None:
    assert len(course.ranks(Track.ALL, Split.PRIVATE)) == 5

    course.publish_anew({'pretrained = "own track"': 'final_requires = "code"'})

    assert course.ranks(Track.ALL, Split.PRIVATE) == []
    assert len(course.ranks(Track.ALL)) == 5
    course.publish_anew({'final_requires = "code"': 'final_requires = "any"'})
    assert len(course.ranks(Track.ALL, Split.PRIVATE)) == 5


def test_until_a_rescore_nobody_is_ranked_by_a_metric_that_the_scores_are_not_of(
    course: Course,
) -> None:
    before = {track: course.ranks(track) for track in Track}
    course.publish_anew({"own track": "allowed"})

    course.publish_anew({"allowed": "own track", "[scoring]": '[scoring]\nmetric = "log_loss"'})

    for track in Track:
        assert sorted(course.ranks(track), key=str) == sorted(
            [(None, name) for _, name in before[track]], key=str
        )


def test_publishing_what_decides_no_place_touches_no_row(course: Course) -> None:
    with course.site.state.database.write() as session:
        session.execute(sa.update(Standing).values(entries=77))

    course.publish_anew({"Tiny animals": "Small animals"})

    assert {row.entries for row in course.rows()} == {77}


def test_many_teams_are_brought_up_to_date_in_pieces(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = course.rows()
    monkeypatch.setattr(placing, "_PIECE", 2)

    course.publish_anew({"own track": "allowed"})
    course.publish_anew({"allowed": "own track"})

    assert course.rows() == full


def test_an_upgrade_puts_whoever_could_declare_nothing_among_those_from_scratch(
    course: Course,
) -> None:
    migrations.downgrade(course.site.state.database, "0001")
    migrations.upgrade(course.site.state.database)

    assert course.ranks(Track.SCRATCH) == course.ranks(Track.ALL)
    assert len(course.ranks(Track.ALL)) == 5
    assert course.ranks(Track.PRETRAINED) == []
