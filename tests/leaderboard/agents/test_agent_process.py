"""Real agents, workers and servers, each a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from agent_site import hand_in, open_site
from commands import serving
from needs import NEEDS_SANDBOX
from small_site import Site, bundle_zip
from sparing import SPARED

from leaderboard.agents import registry

pytestmark = NEEDS_SANDBOX
ELSEWHERE = {"LEADERBOARD_CODE_RUNS_ON": "agents"}


@contextmanager
def an_agent(site: Site, url: str, name: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`grader agent` with nothing of the server's but its address and a token."""
    with site.state.database.session() as session:
        token = registry.add(session, name)
    kept = ("PATH", "HOME", "OMP_NUM_THREADS")
    plain = {name: os.environ[name] for name in kept if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "grader", "agent", url, *options],
        env={**plain, **SPARED, "GRADER_AGENT_TOKEN": token},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def primary(site: Site, public_id: str) -> float:
    evaluation = site.submission(public_id).current_evaluation
    assert evaluation is not None
    return float(evaluation.splits[0].primary)


def test_an_agent_runs_what_workers_offer_until_it_is_told_to_end(tmp_path: Path) -> None:
    site = open_site(tmp_path)
    with (
        serving(site, "--no-worker") as (_, url),
        site.worker(**ELSEWHERE),
        an_agent(site, url, "away") as agent,
    ):
        found = site.wait(hand_in(site), seconds=120)
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(60) == 0

    assert (found.verdict, primary(site, found.public_id)) == ("OK", 1.0)
    assert found.current_evaluation is not None
    environment = found.current_evaluation.environment
    assert environment["agent"] == "away"
    assert environment["runner"]
    assert found.current_evaluation.facts["order_seed"]
    with site.state.database.session() as session:
        assert registry.by_name(session, "away").left_at is not None


@pytest.mark.long
def test_agents_that_are_killed_and_stopped_lose_and_double_nothing(tmp_path: Path) -> None:
    site = open_site(tmp_path)
    many = [
        site.hand_in(f"p{n}", bundle_zip(break_it=f"# {n}\n"), filename="my.zip") for n in range(40)
    ]
    with (
        serving(site, "--no-worker") as (_, url),
        site.worker(LEADERBOARD_WORKER_CONCURRENCY="4", **ELSEWHERE),
        an_agent(site, url, "steady"),
        an_agent(site, url, "stopped") as stopped,
    ):
        for number in range(4):
            with an_agent(site, url, f"killed-{number}") as killed:
                time.sleep(6)
                killed.kill()
        stopped.send_signal(signal.SIGSTOP)
        time.sleep(70)  # its lease runs out
        stopped.send_signal(signal.SIGCONT)
        ended = [site.wait(public_id, seconds=900) for public_id in many]

    assert {found.verdict for found in ended} == {"OK"}
    assert {primary(site, found.public_id) for found in ended} == {1.0}
    assert {found.evaluation_number for found in ended} == {1}
