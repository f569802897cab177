"""Students who watch their submissions while others hand in: page loads, event streams, memory.

A real server (web, worker, SQLite) on this machine; the readers are one asyncio program beside it,
so that they take little of the processors they share. Each live page does what the browser's does:
it holds an event stream, and fetches itself again when the result is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "acceptance"))

import exhibition

LIVE_PAGES = 200
TEAMS = 50
UPLOADS = 50
OPENED_WITHIN_SECONDS = 15.0


@dataclass
class Seen:
    """What the readers met with."""

    loads: list[float] = field(default_factory=list)  # seconds a page took
    hand_ins: list[float] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)  # statuses that no reader should see
    dropped: int = 0  # streams that ended before the verdict


def main() -> dict[str, object]:
    """Run the scene; figures in milliseconds and MiB."""
    os.environ["LEADERBOARD_UPLOADS_PER_MINUTE"] = str(1 << 20)
    os.environ["LEADERBOARD_API_REQUESTS_PER_MINUTE"] = str(1 << 20)
    guests = {f"reader{n}@example.org": f"Readers {n}" for n in range(TEAMS)}
    with (
        tempfile.TemporaryDirectory() as folder,
        exhibition.open_exhibition(Path(folder), exhibition.BASELINES, guests) as server,
    ):
        figures = _scene(server, list(guests))
    for name, value in figures.items():
        print(f"{name:<34} {value}")
    return figures


def _scene(server: exhibition.Exhibition, people: list[str]) -> dict[str, object]:
    labels = exhibition.predict(server.digits, "ridge", 900)
    content = exhibition.prediction_csv(server.digits, labels)
    cookies = [_signed_in(server.url, email) for email in people]
    tokens = [_token(server.url, email) for email in people]
    worker = server.worker_pid()
    os.kill(worker, signal.SIGSTOP)
    try:
        pages = _watched(server, tokens, content)
        web = _web_processes(worker)
        before = _resident_mb(web)
        seen = asyncio.run(_readers(server.url, worker, pages, cookies, tokens, content))
    finally:
        os.kill(worker, signal.SIGCONT)
    server.wait_until_scored()
    after = _resident_mb(web)
    again = asyncio.run(_load_pages(server.url, cookies, [path for path, _ in pages]))
    return {
        "live pages": LIVE_PAGES,
        "page loads": len(seen.loads),
        "page load median": _milliseconds(statistics.median(seen.loads)),
        "page load p95": _milliseconds(_p95(seen.loads)),
        "hand-ins at once": len(seen.hand_ins),
        "hand-in p95": _milliseconds(_p95(seen.hand_ins)),
        "streams dropped": seen.dropped,
        "refusals": len(seen.refused),
        "web memory before, MiB": before,
        "web memory after, MiB": after,
        "web memory after a second round, MiB": _resident_mb(web),
        "page load p95 of the quiet second round": _milliseconds(_p95(again)),
    }


def _signed_in(url: str, email: str) -> str:
    with httpx.Client(base_url=url, trust_env=False) as client:
        form = client.get("/sign-in").text
        found = re.search(r'name="csrf_token" value="([^"]+)"', form)
        assert found
        fields = {"csrf_token": found[1], "email": email, "password": exhibition.PASSWORD}
        answer = client.post("/sign-in", data=fields)
        assert answer.status_code in (302, 303), answer.text
        return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def _token(url: str, email: str) -> str:
    credentials = {"email": email, "password": exhibition.PASSWORD}
    answer = httpx.post(f"{url}/api/v1/tokens", json=credentials, trust_env=False)
    return str(answer.raise_for_status().json()["token"])


def _watched(
    server: exhibition.Exhibition, tokens: list[str], content: bytes
) -> list[tuple[str, int]]:
    """Hand in what is to be watched: the page's path and whose it is."""
    pages = []
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False) as client:
        for number in range(LIVE_PAGES):
            person = number % TEAMS
            answer = client.post(
                f"/courses/{exhibition.COURSE}/assignments/digits/submissions",
                headers={"Authorization": f"Bearer {tokens[person]}"},
                files={"file": ("predictions.csv", content)},
                data={"message": f"try {number}"},
            )
            pages.append((f"/s/{answer.raise_for_status().json()['id']}", person))
    return pages


async def _readers(
    url: str,
    worker: int,
    pages: list[tuple[str, int]],
    cookies: list[str],
    tokens: list[str],
    content: bytes,
) -> Seen:
    seen = Seen()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(
        base_url=url, trust_env=False, timeout=60, limits=limits
    ) as client:
        live = []
        for path, person in pages:
            live.append(asyncio.create_task(_live_page(client, path, cookies[person], seen)))
            await asyncio.sleep(OPENED_WITHIN_SECONDS / LIVE_PAGES)
        uploads = [
            asyncio.create_task(_hand_in(client, tokens[number % TEAMS], content, seen))
            for number in range(UPLOADS)
        ]
        os.kill(worker, signal.SIGCONT)
        await asyncio.gather(*uploads, *live)
    return seen


async def _live_page(client: httpx.AsyncClient, path: str, cookie: str, seen: Seen) -> None:
    headers = {"Cookie": cookie}
    await _load(client, path, headers, seen)
    status = ""
    async with client.stream("GET", f"{path}/events", headers=headers) as stream:
        if stream.status_code != httpx.codes.OK:
            seen.refused.append(stream.status_code)
            return
        async for line in stream.aiter_lines():
            if line.startswith("data:"):
                status = json.loads(line.removeprefix("data:"))["status"]
    await _load(client, path, headers, seen)
    seen.dropped += status != "finished"


async def _load(client: httpx.AsyncClient, path: str, headers: dict[str, str], seen: Seen) -> None:
    began = time.perf_counter()
    answer = await client.get(path, headers=headers)
    seen.loads.append(time.perf_counter() - began)
    if answer.status_code != httpx.codes.OK:
        seen.refused.append(answer.status_code)


async def _hand_in(client: httpx.AsyncClient, token: str, content: bytes, seen: Seen) -> None:
    began = time.perf_counter()
    answer = await client.post(
        f"/api/v1/courses/{exhibition.COURSE}/assignments/digits/submissions",
        headers={"Authorization": f"Bearer {token}"},
        files={"file": ("predictions.csv", content)},
        data={"message": "at once"},
    )
    seen.hand_ins.append(time.perf_counter() - began)
    if answer.status_code not in (200, 201):
        seen.refused.append(answer.status_code)


async def _load_pages(url: str, cookies: list[str], paths: list[str]) -> list[float]:
    seen = Seen()
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        for number, path in enumerate(paths):
            await _load(client, path, {"Cookie": cookies[number % TEAMS]}, seen)
    return seen.loads


def _web_processes(worker: int) -> list[int]:
    """The gunicorn processes beside the worker, below the same parent."""
    parent = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    found, waiting = [], [parent]
    while waiting:
        children = Path(f"/proc/{waiting[0]}/task/{waiting[0]}/children").read_text().split()
        waiting = [*waiting[1:], *(int(each) for each in children if int(each) != worker)]
        found += [int(each) for each in children if int(each) != worker]
    return found


def _resident_mb(processes: list[int]) -> int:
    pages = sum(int(Path(f"/proc/{process}/statm").read_text().split()[1]) for process in processes)
    return round(pages * os.sysconf("SC_PAGESIZE") / (1 << 20))


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * (len(seconds) - 1))]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


if __name__ == "__main__":
    main()
