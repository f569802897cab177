"""What nobody gains by changing teams, by links to teams, or by a second address: more tries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from forms import app_of, send
from small_site import PASSWORD, Api, Site, make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.accounts import accounts
from leaderboard.accounts.links import Links
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, QuotaExceeded
from leaderboard.models import Course, Enrolment, FormerMember, Role, Team, User
from leaderboard.rules import quota_ledger, quotas
from leaderboard.rules.quota_ledger import Why
from leaderboard.teams import class_list, invitations, membership, roster

STRANGER = {"name": "Sock", "email": "sock@nowhere.example", "password": "four quiet words here"}


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Site]:
    """A site whose assignment takes three hand-ins a day."""
    made = make_site(tmp_path, write_assignment(tmp_path / "three", daily_limit=3))
    yield made
    made.state.close()


def move(site: Site, name: str, to: str | None) -> None:
    """Staff move somebody into another's team, or into a new one."""
    staff = site.person("ada", Role.INSTRUCTOR)
    site.person(name), site.person(to or name)
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        who = session.get_one(User, site.person(name).id)
        team = site.team(session, to) if to else None
        membership.move(session, course, who, team, actor=session.get_one(User, staff.id))


def used(site: Site, name: str) -> int:
    """What counts of today for somebody's team; the ledger tells the same."""
    with site.state.database.reading() as session:
        team, assignment, now = site.team(session, name), site.assignment(session), utcnow()
        count = quotas.quota(session, assignment, team, now).used
        lines = quota_ledger.of_day(session, assignment, team, now)
        assert sum(line.amount for line in lines) == count
        every = session.scalars(sa.select(Team)).all()
        together = quotas.of_teams(session, assignment, every, now)
        assert len(every) > 1
        assert together == {each.id: quotas.quota(session, assignment, each, now) for each in every}
    return count


def hand_in(site: Site, name: str, *numbers: int) -> None:
    for number in numbers:
        site.hand_in(name, predictions_csv(site.folder, wrong=number))


def team_link(site: Site, name: str) -> str:
    with site.state.database.session() as session:
        host = session.get_one(User, site.person(name).id)
        team = site.team(session, name)
        made = invitations.invite(session, team.course, team=team, actor=host)
        return f"/join/{Links(site.settings.secret_key).of_invitation(made)}"


def set_course(site: Site, **values: object) -> None:
    with site.state.database.write() as session:
        for name, value in values.items():
            setattr(session.get_one(Course, site.course.id), name, value)


def count(site: Site, model: type) -> int:
    with site.state.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_whoever_is_moved_keeps_what_they_used_and_the_team_what_its_others_did(
    limited: Site,
) -> None:
    hand_in(limited, "ann", 1, 2)
    move(limited, "bob", "ann")  # bob took part in neither
    hand_in(limited, "bob", 3)
    move(limited, "ann", None)

    assert (used(limited, "ann"), used(limited, "bob")) == (3, 1)
    with pytest.raises(QuotaExceeded):
        hand_in(limited, "ann", 4)
    hand_in(limited, "bob", 5)
    assert used(limited, "bob") == 2
    move(limited, "ann", "eve")  # the most that anybody there took part in
    assert used(limited, "eve") == 3
    move(limited, "ann", "bob")
    assert used(limited, "bob") == 3  # bob himself was there for two


def test_failures_that_cost_nothing_are_counted_by_person_and_no_new_team_renews_them(
    limited: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "FREE_PER_DAY", 2)
    move(limited, "bob", "ann")
    for wrong in (b"id,label\nimg000,9\n", b"id,label\nimg000,x\n"):
        limited.hand_in("ann", wrong)
    with pytest.raises(QuotaExceeded, match="2 of your uploads failed"):
        hand_in(limited, "ann", 1)
    hand_in(limited, "bob", 1)  # a mate has tries of their own

    move(limited, "ann", None)
    with pytest.raises(QuotaExceeded, match="2 of your uploads failed"):
        hand_in(limited, "ann", 2)
    move(limited, "ann", "cem")
    with pytest.raises(QuotaExceeded, match="2 of your uploads failed"):
        hand_in(limited, "ann", 2)
    hand_in(limited, "cem", 1)


def test_the_ledger_tells_how_many_came_along_and_not_what(limited: Site) -> None:
    hand_in(limited, "ann", 1, 2)
    move(limited, "ann", None)

    with limited.state.database.reading() as session:
        team, assignment = limited.team(session, "ann"), limited.assignment(session)
        (line,) = quota_ledger.of_day(session, assignment, team, utcnow())
    assert (line.amount, line.why, line.submission, line.name) == (2, Why.BROUGHT, "", "")


def test_a_refund_reaches_whoever_took_part_wherever_they_are_now(limited: Site) -> None:
    first = limited.hand_in("ann", predictions_csv(limited.folder, wrong=1))
    move(limited, "ann", None)
    assert used(limited, "ann") == 1

    with limited.state.database.session() as session:
        from leaderboard.models import Submission
        from leaderboard.submissions import cancelling

        found = session.scalars(sa.select(Submission).filter_by(public_id=first)).one()
        cancelling.cancel(session, found, actor=None, is_staff=True)
    assert used(limited, "ann") == 0


def test_who_was_in_a_team_is_forgotten_after_a_week_and_told_to_them_until_then(
    limited: Site,
) -> None:
    from leaderboard.operations import privacy, retention

    hand_in(limited, "ann", 1)
    move(limited, "ann", None)
    with limited.state.database.reading() as session:
        record = privacy.record_of(session, session.get_one(User, limited.person("ann").id))
    assert [each["left_at"] is not None for each in record["teams"]] == [False, True]

    with limited.state.database.write() as session:
        retention.forget(session, utcnow() + timedelta(days=8))
    assert count(limited, FormerMember) == 0


def test_a_teams_link_lets_no_stranger_in_unless_the_course_says_so(site: Site) -> None:
    link = team_link(site, "ann")
    client = app_of(site).test_client()
    refused = send(client, f"{link}/account", form="/sign-in", **STRANGER)

    assert refused.status_code == 409
    assert "for students of the course" in refused.text
    assert "for students of the course" in client.get(link).text
    assert count(site, User) == 1

    with site.state.database.session() as session:  # the same for one who has an account
        accounts.create_user(session, email="out@example.edu", name="out", password=PASSWORD)
    outsider = app_of(site).test_client()
    send(outsider, "/sign-in", email="out@example.edu", password=PASSWORD)
    assert send(outsider, link).status_code == 409
    assert (count(site, Enrolment), count(site, Team)) == (1, 1)

    set_course(site, team_links_enrol=True)
    assert send(client, f"{link}/account", form=link, **STRANGER).location == "/c/dl-1/team"
    assert (count(site, Enrolment), count(site, Team)) == (2, 1)


@pytest.mark.parametrize("rule", ["full", "fixed"])
def test_the_link_of_a_full_or_fixed_team_enrols_nobody(site: Site, rule: str) -> None:
    link = team_link(site, "ann")
    set_course(site, team_links_enrol=True)
    if rule == "full":
        set_course(site, team_size=1)
    else:
        set_course(site, teams_until=utcnow() - timedelta(days=1))
    with site.state.database.session() as session:
        accounts.create_user(session, email="out@example.edu", name="out", password=PASSWORD)
    outsider = app_of(site).test_client()
    send(outsider, "/sign-in", email="out@example.edu", password=PASSWORD)

    assert send(outsider, link).status_code == 409
    assert outsider.get("/c/dl-1/").status_code == 404
    new = app_of(site).test_client()
    assert send(new, f"{link}/account", form=link, **STRANGER).status_code == 409
    assert (count(site, User), count(site, Enrolment), count(site, Team)) == (2, 1, 1)


def test_tags_and_case_of_an_address_make_nobody_a_second_person(site: Site) -> None:
    site.person("ann")
    with site.state.database.session() as session:
        for email in ("Ann@Example.edu", "ann+2@example.edu", "ANN+x+y@example.edu"):
            with pytest.raises(BadRequest, match="already"):
                accounts.create_user(session, email=email, name="n", password=PASSWORD)
        for other in ("anna+2@example.edu", "ann@other.edu", "+ann@example.edu"):
            accounts.create_user(session, email=other, name="n", password=PASSWORD)
        entries = class_list.read("email,name\nann+grades@example.edu,Ann\n").entries
        course = session.get_one(Course, site.course.id)
        (listed,) = roster.enrol_all(session, course, entries)
        assert listed.user.id == site.person("ann").id
        assert listed.is_under_another_address


@pytest.mark.parametrize(
    "address",
    [
        *("<mei@example.edu>", "(2)mei@example.edu", "list:mei@example.edu", "mei@example.edu."),
        *("a,mei@example.edu", "mei@example.edu,eve@example.com", '"mei"@example.edu'),
        *("mei@[127.0.0.1]", "mei..x@example.edu", ".mei@example.edu"),
    ],
)
def test_what_a_mail_would_take_for_another_address_or_several_is_none(address: str) -> None:
    with pytest.raises(BadRequest):
        accounts.email_address(address)


def test_a_domain_in_letters_and_in_punycode_is_one_persons(site: Site) -> None:
    with site.state.database.session() as session:
        accounts.create_user(session, email="mei@bücher.example", name="n", password=PASSWORD)
        with pytest.raises(BadRequest, match="already"):
            accounts.create_user(
                session, email="mei+2@xn--bcher-kva.example", name="n", password=PASSWORD
            )


def test_limits_are_held_against_the_person_not_the_token(tmp_path: Path) -> None:
    site = make_site(
        tmp_path, write_assignment(tmp_path / "a"), api_requests_per_minute="6", web_processes="1"
    )
    client = create_app(state=site.state).test_client()
    ann = [Api(client, site.token("ann")) for _ in range(3)]
    bob = Api(client, site.token("bob"))
    codes = [ann[turn % 3].get("/me").status_code for turn in range(20)]

    assert codes.count(200) <= 6
    assert codes[-1] == 429
    assert bob.get("/me").status_code == 200
    site.state.close()
