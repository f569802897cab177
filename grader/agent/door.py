"""What an agent says to its server: joins, leases, fetches, renews, ends, leaves."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from grader.client.transport import Transport

PREFIX: Final = "/agents/v1"
_PATIENT_ATTEMPTS: Final = 8  # about a minute and a half, for what a run would be lost without
_TIMEOUT_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Leased:
    """A run to be made: `job` is for the sandbox; `bundle` and `images` say where to fetch."""

    run: str
    lease: str
    job: bytes
    max_mb: int
    bundle: str
    bundle_sha256: str
    images: str
    images_sha256: str

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Self:
        """Read the server's reply."""
        return cls(
            run=str(reply["run"]),
            lease=str(reply["lease"]),
            job=base64.b64decode(reply["job"]),
            max_mb=int(reply["max_mb"]),
            bundle=str(reply["bundle"]),
            bundle_sha256=str(reply["bundle_sha256"]),
            images=str(reply["images"]),
            images_sha256=str(reply["images_sha256"]),
        )


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What the server says to an agent that joins."""

    agent: str
    lanes: Sequence[str]
    beat_seconds: float


class Door:
    """The connection of one agent. Every method raises a ClientError where it is refused, or the
    server is away for long."""

    def __init__(self, server: str, token: str, *, language: str) -> None:
        self._patient = self._transport(server, token, language, _PATIENT_ATTEMPTS)
        self._hasty = self._transport(server, token, language, 1)

    @staticmethod
    def _transport(server: str, token: str, language: str, attempts: int) -> Transport:
        return Transport(
            server,
            token,
            language=language,
            attempts=attempts,
            timeout_seconds=_TIMEOUT_SECONDS,
            longest_pause_seconds=60.0,
            on_retry=None,
            api=PREFIX,
        )

    def join(self, *, version: str, facts: Mapping[str, Any]) -> Joined:
        """Say that the agent is there."""
        body = {"version": version, "facts": dict(facts)}
        reply = self._patient.json("POST", "/join", body=body, repeatable=True)
        return self._patient.read(
            lambda found: Joined(
                agent=str(found["agent"]),
                lanes=[str(lane) for lane in found["lanes"]],
                beat_seconds=float(found["beat_seconds"]),
            ),
            reply,
        )

    def lease(self, wait_seconds: float) -> Leased | None:
        """The next run, or None where none came in time."""
        reply = self._hasty.json("POST", "/lease", body={"wait": wait_seconds})
        return None if reply is None else self._hasty.read(Leased.of, reply)

    def fetch(self, where: str) -> bytes:
        """A bundle, or images."""
        return self._patient.fetch_content(where)

    def beat(self, leased: Leased, log: str) -> bool:
        """Renew a lease; whether anybody waits for the run still."""
        body = {"lease": leased.lease, "log": log}
        reply = self._hasty.json("POST", f"/runs/{leased.run}/beat", body=body)
        return self._hasty.read(lambda found: found["wanted"] is True, reply)

    def finish(self, leased: Leased, result: bytes) -> None:
        """Bring a result."""
        headers = {"Lease": leased.lease}
        self._patient.send_content(f"/runs/{leased.run}/result", result, headers=headers)

    def leave(self) -> None:
        """Say goodbye."""
        self._hasty.json("POST", "/leave")

    def close(self) -> None:
        """Close the connections."""
        self._patient.close()
        self._hasty.close()
