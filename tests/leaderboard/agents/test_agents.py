"""Runs that are elsewhere: each is scored once and right, whatever agents do or say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from agent_site import Machine, asked, hand_in, machine, open_site, right_answers, worked_on
from small_site import Site
from sqlalchemy.orm import Session

from leaderboard import create_app
from leaderboard.agents import registry
from leaderboard.db import utcnow
from leaderboard.errors import RequestError
from leaderboard.models import AgentRun, Evaluation, Lane, LiveLog, Submission
from leaderboard.submissions import cancelling
from sandbox import JobResult


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return open_site(tmp_path)


def carry(agent: Machine) -> None:
    leased = agent.lease()
    assert agent.end(leased, right_answers(agent, leased)).status_code == 204


def faults(site: Site, name: str) -> int:
    with site.state.database.session() as session:
        return registry.by_name(session, name).faults


def let_lease_run_out(site: Site) -> None:
    with site.state.database.write() as session:
        session.execute(sa.update(AgentRun).values(leased_until=utcnow() - timedelta(seconds=1)))


def test_code_that_runs_elsewhere_is_scored_here(site: Site) -> None:
    agent = machine(site, "gpu-1")
    assert agent.join().json["lanes"] == ["code"]
    public_id = hand_in(site)

    with worked_on(site, public_id):
        carry(agent)
        carry(agent)

    found = site.submission(public_id)
    assert (found.verdict, found.current_evaluation.splits[0].primary) == ("OK", 1.0)
    assert found.current_evaluation.environment["agent"] == "gpu-1"
    assert found.current_evaluation.environment["backend"] == "elsewhere"
    with site.state.database.session() as session:
        assert session.scalars(sa.select(AgentRun)).all() == []


def test_an_agent_is_told_nothing_that_it_does_not_need(site: Site) -> None:
    agent = machine(site, "a")
    agent.join()

    with worked_on(site, public_id := hand_in(site)):
        told = agent.lease()
        text = str({**told, "job": str(asked(told))})
        assert public_id not in text
        assert not any(word in text for word in ("ann", "Ann", "animals", "dl-1"))
        agent.end(told, right_answers(agent, told))
        carry(agent)


def test_a_result_that_comes_twice_or_late_is_taken_once(site: Site) -> None:
    app = create_app(state=site.state)
    slow, quick = machine(site, "slow", app), machine(site, "quick", app)
    slow.join()
    quick.join()

    with worked_on(site, public_id := hand_in(site)):
        lost = slow.lease()
        answers = right_answers(slow, lost)
        let_lease_run_out(site)
        taken = quick.lease()
        assert taken["run"] == lost["run"]
        assert slow.end(lost, answers).status_code == 409
        assert slow.post(f"/runs/{lost['run']}/beat", lease=lost["lease"]).status_code == 409
        assert slow.client.get(f"/agents/v1{lost['images']}").status_code == 410
        assert quick.end(taken, answers).status_code == 204
        assert quick.end(taken, answers).status_code in (204, 404)  # 404: its worker has read it
        carry(quick)

    with site.state.database.session() as session:
        assert session.scalar(sa.select(sa.func.count(Evaluation.id))) == 1
    assert site.submission(public_id).verdict == "OK"
    assert (faults(site, "slow"), faults(site, "quick")) == (1, 0)


def test_what_is_no_result_of_the_run_is_refused_and_blamed_on_nobody_else(site: Site) -> None:
    app = create_app(state=site.state)
    liar, honest = machine(site, "liar", app), machine(site, "honest", app)
    liar.join()

    with worked_on(site, public_id := hand_in(site)):
        leased = liar.lease()
        right = right_answers(liar, leased)
        too_few = JobResult(verdict="PE", detail="x").to_bytes()[:-1] + b"}}"
        assert liar.end(leased, too_few).status_code == 400
        assert liar.end(leased, right).status_code == 409  # it has the run no longer
        honest.join()
        again = honest.lease()
        assert again["run"] == leased["run"]
        assert honest.end(again, right, Lease="made up").status_code == 409
        assert honest.end(again, right).status_code == 204
        carry(honest)

    assert site.submission(public_id).verdict == "OK"
    assert faults(site, "liar") == 1


def test_a_fault_of_an_agent_goes_to_another_and_never_to_the_student(site: Site) -> None:
    app = create_app(state=site.state)
    broken, whole = machine(site, "broken", app), machine(site, "whole", app)
    broken.join()
    fault = JobResult(verdict="IE", reason="no memory left").to_bytes()

    with worked_on(site, public_id := hand_in(site)):
        assert broken.end(broken.lease(), fault).status_code == 204
        whole.join()
        carry(whole)
        carry(whole)

    assert site.submission(public_id).verdict == "OK"
    assert faults(site, "broken") == 1


def test_a_run_that_nobody_waits_for_is_ended_on_the_agent(site: Site) -> None:
    agent = machine(site, "a")
    agent.join()

    with worked_on(site, public_id := hand_in(site)):
        leased = agent.lease()
        beat = {"lease": leased["lease"], "log": "epoch 1\n"}
        assert agent.post(f"/runs/{leased['run']}/beat", **beat).json == {"wanted": True}
        site.wait_for(public_id, lambda found: "epoch" in _live_log(site, found.id))
        with site.state.database.session() as session:
            cancelling.cancel(session, _submission(session, public_id), actor=None, is_staff=True)
        # a worker that sees it takes the run back
        end = agent.post(f"/runs/{leased['run']}/beat", **beat)
        while end.status_code == 200:
            end = agent.post(f"/runs/{leased['run']}/beat", **beat)
        assert end.status_code == 404


def test_only_agents_whose_token_is_good_get_anything(site: Site) -> None:
    app = create_app(state=site.state)
    stranger, banned = Machine(app, "gwagent_made-up"), machine(site, "b", app)
    assert stranger.join().status_code == 401
    assert banned.join().status_code == 200
    with site.state.database.session() as session:
        registry.ban(session, registry.by_name(session, "b"))

    for path in ("/join", "/lease", "/leave", "/runs/x/beat", "/runs/x/result"):
        assert banned.post(path).status_code == 401, path
    assert banned.client.get("/agents/v1/contents/x.y.z").status_code == 410
    assert app.test_client().get("/api/v1/me", headers=banned.headers).status_code == 401


def test_agents_of_another_version_or_other_packages_are_refused(site: Site) -> None:
    app = create_app(state=site.state)
    first, second = machine(site, "first", app), machine(site, "second", app)

    assert first.post("/join", version="0.0.1", facts={}).status_code == 409
    assert first.join().status_code == 200
    assert second.join(runner="another").status_code == 409
    first.post("/leave")
    assert second.join(runner="another").status_code == 200


def test_work_goes_by_lane_course_and_drain(site: Site) -> None:
    app = create_app(state=site.state)
    gpu = machine(site, "gpu", app, lanes=[Lane.GPU])
    drained = machine(site, "drained", app)
    here = machine(site, "here", app, courses=[site.course])
    for each in (gpu, drained, here):
        each.join(lanes=["code", "gpu"])
    with site.state.database.session() as session:
        registry.drain(session, registry.by_name(session, "drained"), is_on=True)

    with worked_on(site, hand_in(site)):
        while (leased := here.lease(0)) is None:
            pass
        assert (gpu.lease(0), drained.lease(0)) == (None, None)
        here.end(leased, right_answers(here, leased))
        carry(here)


@pytest.mark.parametrize(
    ("name", "lanes"), [("a b", [Lane.CODE]), ("", [Lane.CODE]), ("a", []), ("a", [Lane.CSV])]
)
def test_agents_that_can_not_be_are_refused(site: Site, name: str, lanes: list[Lane]) -> None:
    with site.state.database.session() as session, pytest.raises(RequestError):
        registry.add(session, name, lanes=lanes)


def _live_log(site: Site, submission_id: int) -> str:
    with site.state.database.session() as session:
        found = session.get(LiveLog, submission_id)
        return found.text if found else ""


def _submission(session: Session, public_id: str) -> Submission:
    return session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
