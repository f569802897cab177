"""What a page costs a browser: bytes on the wire and the time to its first contentful paint.

A real server on this machine with a board of a hundred teams and five baselines, and Chromium. The
peer is a bare page (a heading and a table of a hundred rows, no style, no script) from Python's own
file server, loaded in turns by the same browser: it shows how much of the time is the browser and
the machine.
"""

from __future__ import annotations

import functools
import http.server
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "acceptance"))

import exhibition
from browser import chromium, open_browser, sign_in, transfers

TEAMS = 100
BASELINES = 5
ROUNDS = 9
STUDENT = "t000@example.org"
FIRST_BYTE = "performance.getEntriesByType('navigation')[0].responseStart"
PAINT = """() => new Promise(done => new PerformanceObserver(list => {
    const paint = list.getEntriesByName('first-contentful-paint')[0];
    if (paint) done(paint.startTime);
}).observe({ type: 'paint', buffered: true }))"""


def main() -> dict[str, object]:
    """Load the pages in turns; figures in milliseconds and KB (1,000 bytes)."""
    if chromium() is None:
        print("Chromium is not installed: apt-get install chromium")
        return {"skipped": "Chromium is not installed"}
    entries = [
        exhibition.Entry(
            team=f"Team number {n}",
            email=f"t{n:03}@example.org",
            model="centroids",
            train_on=100 + 8 * n,
            is_baseline=n >= TEAMS,
        )
        for n in range(TEAMS + BASELINES)
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        exhibition.open_exhibition(Path(folder), entries) as server,
        _bare_page(Path(folder)) as bare,
        open_browser() as browser,
    ):
        page = browser.new_page()
        sign_in(page, server.url, STUDENT, exhibition.PASSWORD)
        figures = _measure(page, server, bare)
    for name, value in figures.items():
        print(f"{name:<52} {value}")
    return figures


def _measure(page: Page, server: exhibition.Exhibition, bare: str) -> dict[str, object]:
    addresses = {
        "leaderboard of 100 teams": server.assignment_url + "leaderboard",
        "assignment": server.assignment_url,
        "hand in": server.assignment_url + "submit",
        "submissions": server.assignment_url + "submissions",
    }
    figures: dict[str, object] = {}
    for name, address in addresses.items():
        figures[f"{name}, KB on the wire"] = round(_bytes_of(page, address) / 1000, 1)
    paints: dict[str, list[float]] = {name: [] for name in (*addresses, "bare page")}
    first_bytes: list[float] = []
    for _ in range(ROUNDS):
        for name, address in (*addresses.items(), ("bare page", bare)):
            page.goto(address, wait_until="load")
            paints[name].append(float(page.evaluate(PAINT)))
            if name.startswith("leaderboard"):
                first_bytes.append(float(page.evaluate(FIRST_BYTE)))
    figures["leaderboard of 100 teams, first byte, ms"] = round(statistics.median(first_bytes))
    peer = statistics.median(paints["bare page"])
    for name, times in paints.items():
        figures[f"{name}, first contentful paint, ms"] = round(statistics.median(times))
        if name in addresses:
            figures[f"{name}, ratio to a bare page"] = round(statistics.median(times) / peer, 2)
    return figures


def _bytes_of(page: Page, address: str) -> int:
    """What the page costs a browser that has nothing of it yet."""
    sizes = transfers(page)
    page.goto(address, wait_until="networkidle")
    return sum(sizes.values())


@contextmanager
def _bare_page(folder: Path) -> Iterator[str]:
    rows = "".join(f"<tr><td>{n}<td>Team {n}<td>0.9" for n in range(TEAMS))
    text = f"<!doctype html><title>Board</title><h1>Board</h1><table>{rows}</table>"
    (folder / "bare.html").write_text(text, encoding="utf-8")
    serve = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/bare.html"
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    main()
