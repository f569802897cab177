"""A site whose code runs on agents, with the agents' side of the conversation."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask
from small_site import Site, bundle_zip, make_site, write_assignment

from leaderboard import create_app
from leaderboard.agents import registry
from leaderboard.agents.remote import Agents
from leaderboard.evaluations import evaluate
from leaderboard.models.versions import code_version
from leaderboard.queue.durable import Job
from sandbox import Job as Run
from sandbox import JobResult

FACTS = {"host": "away", "lanes": ["code"], "runner": "0123456789abcdef"}


class Machine:
    """An agent's machine: says what it likes."""

    def __init__(self, app: Flask, token: str) -> None:
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(f"/agents/v1{path}", json=body, headers=self.headers)

    def join(self, **facts: Any) -> Any:
        return self.post("/join", version=code_version(), facts=FACTS | facts)

    def lease(self, wait: float = 5) -> Any:
        return self.post("/lease", wait=wait).json

    def fetch(self, where: str) -> bytes:
        found = self.client.get(f"/agents/v1{where}")  # the address alone is the right to it
        assert found.status_code == 200, found.text
        return bytes(found.data)

    def end(self, leased: Any, raw: bytes, **headers: str) -> Any:
        return self.client.post(
            f"/agents/v1/runs/{leased['run']}/result",
            data=raw,
            headers={**self.headers, "Lease": leased["lease"], **headers},
        )


def asked(leased: Any) -> Run:
    return Run.from_bytes(base64.b64decode(leased["job"]))


def right_answers(machine: Machine, leased: Any) -> bytes:
    """What the bundle of `bundle_zip` answers, made without a sandbox."""
    run = asked(leased)
    pixels = np.frombuffer(machine.fetch(leased["images"]), np.uint8).reshape(run.images_shape)
    brightness = pixels.reshape(len(pixels), -1).mean(axis=1)
    labels = np.clip(np.round((brightness - 9.5) / 60), 0, 3).astype(np.int64)
    nothing = np.zeros(0, dtype=np.int64)
    return JobResult(
        verdict="OK",
        labels=labels,
        copied_rows=nothing,
        copied_labels=nothing,
        copied_first=nothing.astype(bool),
        environment={"backend": "elsewhere"},
    ).to_bytes()


def open_site(folder: Path) -> Site:
    site = make_site(folder, write_assignment(folder / "animals"), code_runs_on="agents")
    site.person("ann")
    return site


def machine(site: Site, name: str, app: Flask | None = None, **options: Any) -> Machine:
    with site.state.database.session() as session:
        token = registry.add(session, name, **options)
    return Machine(app or create_app(state=site.state), token)


@contextmanager
def worked_on(site: Site, public_id: str) -> Iterator[None]:
    """A worker evaluates the hand-in meanwhile, its runs being elsewhere; it has ended after."""
    stopping = threading.Event()
    agents = Agents(site.state.database, silent=False, stopping=stopping)
    found = site.submission(public_id)
    job = Job(submission_id=found.id, number=found.evaluation_number, attempt=0)
    worker = evaluate.Worker(incarnation="test", runner=agents)
    thread = threading.Thread(target=evaluate.evaluate, args=(site.state, worker, job), daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)
        stopping.set()
        assert not thread.is_alive()


def hand_in(site: Site, name: str = "ann") -> str:
    return site.hand_in(name, bundle_zip(), filename="my.zip")
