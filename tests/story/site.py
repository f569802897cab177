"""A server of the story's own: its processes, its commands, its visitors; all of it recorded.

Nothing of the product is imported: only its console commands and its addresses are known here.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from common.ports import held_port
from story.normalise import Normaliser

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LANGUAGES = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}
_UNTOLD = {"date", "server", "connection", "set-cookie", "transfer-encoding"}
_SHOWN_INSIDE = (".json", ".md", ".csv", ".toml", ".py", ".txt")
_AT_ONCE = 3
_PATIENCE_SECONDS = 120.0
_ROUND_SECONDS = 80.0

Masked = Callable[[str], str]


class Site:
    """One recording: the steps so far, and the processes that still run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.steps: dict[str, str] = {}
        self.called: set[tuple[str, str]] = set()  # method and path, of the API
        self.static: set[str] = set()  # files of the pages, recorded once
        self.tokens: dict[str, str] = {}
        self.passwords: dict[str, str] = {}
        self.words = Normaliser()
        self.words.hide(folder, "folder")
        self.words.hide(ROOT, "checkout")
        self.words.hide(BIN, "bin")
        self.port = held_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.words.hide(f"127.0.0.1:{self.port}", "site")
        self.words.hide(f"', {self.port})", "port")
        self.log = folder / "server.log"
        self.mails = folder / "worker.log"
        self._worked_at = 0.0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=60)

    # steps

    def keep(self, title: str, text: str) -> None:
        """Record a step; of several with one title the later ones are numbered."""
        title = self.words.apply(title)
        name, number = title, 1
        while name in self.steps:
            number += 1
            name = f"{title} ({number})"
        self.steps[name] = self.words.apply(text)

    # processes

    def environment(self, language: str = "en", **more: str) -> dict[str, str]:
        """What a command sees; nothing of whoever starts the story."""
        return {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "GRADER_CONFIG": str(self.folder / "home" / "grader.toml"),
            "LEADERBOARD_STATE_DIR": str(self.state),
            "LEADERBOARD_ENVIRONMENT": "development",  # mails are printed
            "LEADERBOARD_PUBLIC_URL": self.url,
            "LEADERBOARD_PORT": str(self.port),
            "LEADERBOARD_NIGHTLY_CRON": "",
            "LEADERBOARD_API_REQUESTS_PER_MINUTE": "100000",
            "LEADERBOARD_UPLOADS_PER_MINUTE": "100000",
            "LEADERBOARD_MIN_FREE_MB": "0",
            "LEADERBOARD_RUNNER_ENV": os.environ.get(
                "LEADERBOARD_RUNNER_ENV", str(ROOT / ".runner")
            ),
            "LANG": LANGUAGES[language],
            "LC_ALL": LANGUAGES[language],
            "COLUMNS": "100",
            **more,
        }

    def run(
        self, *words: str, language: str = "en", stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a console command in the story's folder."""
        return subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment(language, **environment),
            timeout=_PATIENCE_SECONDS,
            check=False,
        )

    def command(
        self,
        *words: str,
        language: str = "en",
        stdin: str = "",
        masked: Masked = str,
        **environment: str,
    ) -> str:
        """Run and record a console command; what it printed."""
        done = self.run(*words, language=language, stdin=stdin, **environment)
        self._keep_command(words, language, done, masked)
        return done.stdout

    def commands(self, *lines: Sequence[str], languages: Sequence[str] = ("en",)) -> None:
        """Run commands that change nothing side by side, and record them in their order."""
        wanted = [(line, language) for line in lines for language in languages]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            done = pool.map(lambda each: self.run(*each[0], language=each[1]), wanted)
            for (line, language), result in zip(wanted, done, strict=True):
                self._keep_command(line, language, result, str)

    def _keep_command(
        self,
        words: Sequence[str],
        language: str,
        done: subprocess.CompletedProcess[str],
        masked: Masked,
    ) -> None:
        parts = [f"exit code {done.returncode}", masked(done.stdout)]
        if done.stderr:
            parts += ["── stderr ──", masked(done.stderr)]
        self.keep(f"{language}$ {' '.join(words)}", "\n".join(parts))

    def serve(self) -> None:
        """Start the web server, without a worker."""
        self._start(self.log, "leaderboard", "serve", "--no-worker")
        _wait(lambda: self._http.get("/sign-in").is_success, "the server", httpx.HTTPError)

    def work(self) -> None:
        """Start a worker; it sends the mails too, into a file."""
        self._start(self.mails, "leaderboard", "worker", "--name", "story")
        self._worked_at = time.monotonic()

    def rest(self) -> None:
        """Stop the worker once it has noted the ranks of the morning, a minute after its start:
        later they would race with the first results."""
        time.sleep(max(0.0, self._worked_at + _ROUND_SECONDS - time.monotonic()))
        _end(self._processes.pop())

    def _start(self, log: Path, *words: str) -> None:
        with log.open("ab") as output:
            self._processes.append(
                subprocess.Popen(
                    [str(BIN / words[0]), *words[1:]],
                    stdout=output,
                    stderr=output,
                    cwd=self.folder,
                    env=self.environment(),
                )
            )

    def stop(self) -> None:
        """Stop what still runs."""
        while self._processes:
            _end(self._processes.pop())

    # the API

    def api(
        self,
        method: str,
        path: str,
        who: str = "",
        *,
        language: str = "en",
        headers: dict[str, str] | None = None,
        note: str = "",
        **options: Any,
    ) -> Any:
        """Call the API as somebody and record the answer; its JSON, else its bytes."""
        sent = {"Accept-Language": language, "User-Agent": "story", **(headers or {})}
        if who:
            sent["Authorization"] = f"Bearer {self.tokens[who]}"
        answer = self._http.request(method, f"/api/v1{path}", headers=sent, **options)
        self.called.add((method, path.partition("?")[0]))
        title = f"{method} /api/v1{path} as {who or 'nobody'} ({language}) {note}".rstrip()
        self.keep(title, self.told(answer))
        is_json = "json" in answer.headers.get("content-type", "")
        return answer.json() if is_json else answer.content

    def peek(self, path: str, who: str) -> Any:
        """What the API says, unrecorded."""
        credentials = {"Authorization": f"Bearer {self.tokens[who]}"}
        return self._http.get(f"/api/v1{path}", headers=credentials).json()

    def take_token(self, name: str, *scopes: str) -> None:
        """Sign in by the API, unrecorded."""
        credentials = {"email": f"{name}@example.edu", "password": self.passwords[name]}
        body = {**credentials, "scopes": scopes}
        answer = self._http.post("/api/v1/tokens", json=body).raise_for_status()
        self.tokens[name] = answer.json()["token"]

    def finished(self, public_id: str, who: str) -> None:
        """Wait, unrecorded, until a submission has its result."""

        def is_finished() -> bool:
            found = self.peek(f"/submissions/{public_id}", who)
            return found["status"] == "finished" and found["retry"] in (None, "done")

        _wait(is_finished, f"the result of {public_id}")

    def settled(self, course: str, *slugs: str, who: str) -> None:
        """Wait, unrecorded, until nothing waits or runs in some assignments of a course."""

        def is_settled() -> bool:
            paths = [f"/staff/courses/{course}/assignments/{slug}/submissions" for slug in slugs]
            items = [each for path in paths for each in self.peek(path, who)["items"]]
            return all(each["status"] in ("finished", "cancelled") for each in items)

        _wait(is_settled, "the last result")

    def told(self, answer: httpx.Response) -> str:
        """An answer as text: status, headers, body."""
        body = shown(answer.content, answer.headers.get("content-type", ""))
        is_fixed = self.words.apply(body) == body
        lines = [f"{answer.status_code}"]
        for name, value in sorted(answer.headers.multi_items()):
            if name == "set-cookie":
                value = re.sub(r"=[^;]*", "=<value>", value, count=1)
                value = re.sub(r"Expires=[^;]*", "Expires=<date>", value)
            elif name in _UNTOLD:
                continue
            elif name in ("etag", "content-length") and not is_fixed:
                value = "<of what is told>"
            lines.append(f"{name}: {value}")
        return "\n".join([*lines, "", body])

    def mailed(self, address: str, start: str) -> str:
        """The newest link, of those that begin so, in a mail to an address."""
        head, link = f"mail to {re.escape(address)} ──\n", re.escape(self.url + start)
        mail = rf"{head}(?:(?!── mail).)*?({link}\S+)"

        def links() -> list[str]:
            return re.findall(mail, self.mails.read_text(encoding="utf-8"), re.DOTALL)

        _wait(lambda: bool(links()), f"a mail to {address}")
        return links()[-1].removeprefix(self.url)

    def keep_mails(self) -> None:
        """Record every mail that was sent, in an order of their own."""
        text = self.mails.read_text(encoding="utf-8")
        found = re.findall(
            r"── mail to (.*?) ──\n(.*?\n)(?=\n── mail|\n?\d{4}-|\Z)", text, re.DOTALL
        )
        for address, content in sorted((a, self.words.apply(c)) for a, c in found):
            self.keep(f"mail to {address}", content)


def shown(content: bytes, kind: str) -> str:
    """A body as text: JSON over several lines, an archive by its members, else a hash."""
    if "json" in kind:
        return json.dumps(json.loads(content), ensure_ascii=False, indent=1)
    if kind.startswith("text/") or "javascript" in kind or "svg" in kind:
        return content.decode()
    if kind == "application/zip" and zipfile.is_zipfile(io.BytesIO(content)):
        return archive(content)
    return f"{len(content)} bytes, SHA-256 {sha256(content).hexdigest()}" if content else ""


def archive(content: bytes) -> str:
    """A zip as text: every member in its order, texts in full."""
    lines = []
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        for each in opened.infolist():
            inside = opened.read(each)
            lines.append(f"{each.filename} {file_text(each.filename, inside)}")
    return "\n".join(lines)


def tree(folder: Path) -> str:
    """A folder as text: every file by its path, texts in full."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return "\n".join(
        f"{path.relative_to(folder)} {file_text(path.name, path.read_bytes())}" for path in paths
    )


def file_text(name: str, content: bytes) -> str:
    """A file in full where it is a text, else its size and hash."""
    if name.endswith(_SHOWN_INSIDE):
        return f"\n{content.decode()}"
    return f"{len(content)} bytes, SHA-256 {sha256(content).hexdigest()}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(is_there: Callable[[], bool], what: str, *tolerated: type[Exception]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if is_there():
                return
        except tolerated:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"{what} did not come")
