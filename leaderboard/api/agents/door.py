"""What agents ask, with their own token: join, lease, fetch, renew, end, leave.

It is no part of the API of people: agents are of the server's own version, which `join` sees to.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from numpy.typing import NDArray

from grader.words.message import said
from leaderboard.agents import contents, registry, runs
from leaderboard.api.blueprint import body, text_of
from leaderboard.errors import BadRequest, SignInRequired
from leaderboard.models import Agent, Submission
from leaderboard.rules import catalog
from leaderboard.state import current_state
from sandbox import Job

PREFIX: Final = "/agents/v1"
blueprint = Blueprint("agents", __name__, url_prefix=PREFIX)

_LONGEST_WAIT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1
_MOST_JSON: Final = 1 << 20
_MOST_RESULT_FIELDS: Final = 2 << 20  # bytes beside the arrays
_OF_AN_IMAGE: Final = 2048  # bytes of a result for each image beside its scores, at most
_CHUNK: Final = 1 << 20
# requests that wait for work hold a thread each; those above this number are told to come again
_WAITING: Final = threading.BoundedSemaphore(16)


@blueprint.post("/join")
def join() -> ResponseReturnValue:
    """An agent says that it is there, and learns what it may run."""
    agent = _agent()
    request.max_content_length = _MOST_JSON
    fields = body()
    facts = fields.get("facts")
    if not isinstance(facts, dict):
        raise BadRequest(said("request.no_object"))
    registry.join(g.session, agent, version=text_of(fields, "version"), facts=facts)
    return jsonify(
        agent=agent.name,
        lanes=[lane.value for lane in registry.able_to(agent)],
        courses=runs.courses_of(g.session, agent),
        beat_seconds=runs.LEASE.total_seconds() / 6,
    )


@blueprint.post("/leave")
def leave() -> ResponseReturnValue:
    """An agent says goodbye."""
    registry.leave(g.session, _agent())
    return "", 204


@blueprint.post("/lease")
def lease() -> ResponseReturnValue:
    """The run that has waited longest; 204 where none comes within the seconds asked for."""
    agent = _agent()
    request.max_content_length = _MOST_JSON
    asked = body().get("wait", 0)
    if not isinstance(asked, (int, float)):
        raise BadRequest(said("request.no_text", field="'wait'"))
    leased = _leased(agent, min(max(float(asked), 0.0), _LONGEST_WAIT_SECONDS))
    if leased is None:
        return "", 204
    addresses = contents.Addresses(current_state().settings.secret_key)
    lease_sha256 = registry.print_of(leased.secret)
    found = runs.held(g.session, agent, leased.run, leased.secret)
    job = Job.from_bytes(leased.job)
    return jsonify(
        run=leased.run,
        lease=leased.secret,
        seconds=leased.seconds,
        job=base64.b64encode(leased.job).decode(),
        bundle_sha256=job.bundle_sha256,
        images_sha256=job.images_sha256,
        max_mb=_max_mb(found.submission_id),
        bundle=f"/contents/{addresses.of(leased.run, lease_sha256, 'bundle')}",
        images=f"/contents/{addresses.of(leased.run, lease_sha256, 'images')}",
    )


@blueprint.get("/contents/<signed>")
def fetch(signed: str) -> ResponseReturnValue:
    """A bundle, or images: bytes of uint8, in rows. The address is the right to it."""
    state = current_state()
    run, what = contents.Addresses(state.settings.secret_key).read(g.session, signed)
    if what == "bundle":
        sha256, size = contents.bundle_of(g.session, run)
        return _bytes(state.blobs.chunks(sha256), size)
    images = contents.images_of(state.catalog, run)
    return _bytes(_chunks(images), images.nbytes)


@blueprint.post("/runs/<run>/beat")
def beat(run: str) -> ResponseReturnValue:
    """A run goes on: its lease is renewed; whether anybody waits for it still."""
    agent = _agent()
    request.max_content_length = _MOST_JSON
    fields = body()
    log = text_of(fields, "log", default="")
    is_wanted = runs.renew(g.session, agent, run, text_of(fields, "lease"), log)
    return jsonify(wanted=is_wanted)


@blueprint.post("/runs/<run>/result")
def result(run: str) -> ResponseReturnValue:
    """A run has ended."""
    agent = _agent()
    secret = request.headers.get("Lease", "")
    job = Job.from_bytes(runs.held(g.session, agent, run, secret).job)
    of_an_image = _OF_AN_IMAGE + 4 * job.num_classes
    request.max_content_length = _MOST_RESULT_FIELDS + job.images_shape[0] * of_an_image
    g.session.commit()  # a slow agent holds no connection to the database
    runs.finish(g.session, agent, run, secret, request.get_data(cache=False))
    return "", 204


def _agent() -> Agent:
    """Who asks.

    Raises:
        SignInRequired: no agent whose token is good.
    """
    given = request.authorization
    if given is None or given.type != "bearer" or not given.token:
        raise SignInRequired(said("agent.bad_token"))
    return registry.by_token(g.session, given.token)


def _leased(agent: Agent, seconds: float) -> runs.Lease | None:
    end = time.monotonic() + seconds
    can_wait = _WAITING.acquire(blocking=False)
    try:
        while True:
            found = runs.lease(g.session, agent)
            if found is not None or not can_wait or time.monotonic() >= end:
                return found
            g.session.rollback()  # who waits holds no connection to the database
            time.sleep(_LOOK_SECONDS)
    finally:
        if can_wait:
            _WAITING.release()


def _max_mb(submission_id: int) -> int:
    """How large the bundle may be when it is unpacked."""
    found = g.session.get_one(Submission, submission_id)
    return int(catalog.rules(found.assignment).submission.max_upload_mb)


def _bytes(chunks: Iterator[bytes], size: int) -> Response:
    headers: dict[str, Any] = {"Content-Length": size, "Cache-Control": "no-store"}
    return Response(chunks, mimetype="application/octet-stream", headers=headers)


def _chunks(images: NDArray[np.uint8]) -> Iterator[bytes]:
    content = np.ascontiguousarray(images).reshape(-1)
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK].tobytes()
