"""A compact story of the API and the command line, told in this process: what each answers, in both
languages, with times and ids masked.

The long one (tests/recorded_story.py) has pages, workers and code too, and takes minutes.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner
from every_route import leave_traces, requests_of
from flask import Flask
from small_site import PASSWORD, Site, predictions_csv
from werkzeug.serving import make_server

from grader.cli import cli
from leaderboard import create_app
from leaderboard.models import Role

sys.path.append(str(Path(__file__).parents[1]))

from story.normalise import Normaliser
from story.site import shown

LANGUAGES = ("en", "zh")
COURSE = "/courses/dl-1"
ANIMALS = f"{COURSE}/assignments/animals"
STAFF = f"/staff{COURSE}"
_READERS = ("mate", "other", "instructor", "")
_TOLD_HEADERS = ("Content-Type", "WWW-Authenticate", "Link", "Content-Disposition", "Allow")
_TABLE = "id,label\nimg000,1\nimg000,2\nimg001,9\n"
_REPORT = """\
              precision    recall  f1-score   support
         cat     0.9000    0.9000    0.9000        10
         dog     0.8000    0.8000    0.8000        10
    accuracy                         0.9500        20
"""


class Story:
    """The steps so far, by their titles."""

    def __init__(self, site: Site, app: Flask, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.steps: dict[str, str] = {}
        self.called: set[tuple[str, str]] = set()  # method and endpoint, of the API
        self.commands: set[str] = set()
        self.tokens = {name: site.token(name, staff=name == "instructor") for name in site.people}
        self._client = app.test_client()
        self.app = app
        self._words = Normaliser()
        self._words.hide(folder, "folder")

    def keep(self, title: str, text: str) -> None:
        """Add a step; of several with one title the later ones are numbered."""
        title = self._words.apply(title)
        name, number = title, 1
        while name in self.steps:
            number += 1
            name = f"{title} ({number})"
        self.steps[name] = self._words.apply(text)

    def api(
        self,
        method: str,
        path: str,
        who: str = "",
        *,
        language: str = "en",
        note: str = "",
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Any:
        """Ask the API as somebody; its JSON, if it is that."""
        sent = {"Accept-Language": language, **(headers or {})}
        if who:
            sent["Authorization"] = f"Bearer {self.tokens[who]}"
        with self._client.open(f"/api/v1{path}", method=method, headers=sent, **options) as answer:
            self.called.add((method, str(answer.request.path)))
            told = [
                f"{name}: {answer.headers[name]}"
                for name in _TOLD_HEADERS
                if name in answer.headers
            ]
            body = shown(answer.data, answer.content_type or "")
            if path == "/openapi.json":  # told as a whole by a file of its own
                body = hashlib.sha256(body.encode()).hexdigest()
            title = f"{method} {path} as {who or 'nobody'} ({language}) {note}".rstrip()
            self.keep(title, "\n".join([str(answer.status_code), *told, "", body]))
            return answer.json if answer.is_json else None

    def command(self, *words: str) -> None:
        """Run a command with --json in both languages."""
        self.commands.add(words[0])
        for language in LANGUAGES:
            with patch.dict(os.environ, {"GRADER_LANG": language}):
                done = CliRunner().invoke(cli, [*words, "--json"])
            if done.exception and not isinstance(done.exception, SystemExit):
                raise done.exception
            text = f"exit code {done.exit_code}\n{done.stdout}── stderr ──\n{done.stderr}"
            self.keep(f"{language}$ grader {' '.join(words)} --json", text)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the application; its address."""
        server = make_server("127.0.0.1", 0, self.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self._words.hide(f"127.0.0.1:{server.port}", "site")
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def tell(site: Site, folder: Path) -> Story:
    """The whole story."""
    for name in ("mate", "other"):
        site.person(name)
    site.person("instructor", Role.INSTRUCTOR)
    app = create_app(state=site.state)
    first = site.hand_in("mate", predictions_csv(site.folder, wrong=5))
    site.score(first)
    leave_traces(site)
    story = Story(site, app, folder)
    _read(story, first, "with a score")
    _sign_in(story)
    _hand_in(story)
    _upload(story)
    _change(story, first)
    _judge(story, first)
    _call_the_rest(story, first)
    _read(story, first, "in the end", readers=("mate",))
    _by_command(story, first)
    return story


def _read(story: Story, submission: str, when: str, *, readers: tuple[str, ...] = _READERS) -> None:
    """Every operation that reads, by everybody, and by one in Chinese."""
    paths = [
        url.removeprefix("/api/v1")
        for rule, method, url in requests_of(story.app, submission)
        if rule.endpoint.startswith("api.") and method == "GET"
    ]
    paths += [f"{ANIMALS}/leaderboard?split=secret", f"{COURSE}/assignments/no", "/submissions/s_0"]
    for path in paths:
        for who in readers:
            story.api("GET", path, who, note=when)
        story.api(
            "GET", path, "instructor" if "staff" in path else "mate", language="zh", note=when
        )
    story.api("GET", "/me", language="zh", note=when)


def _sign_in(story: Story) -> None:
    right = {"email": "mate@example.edu", "password": PASSWORD}
    for language in LANGUAGES:
        for note, body in (
            ("right", right),
            ("wrong", {**right, "password": "wrong horse"}),
            ("unknown scope", {**right, "scopes": ["fly"]}),
            ("no password", {"email": "mate@example.edu"}),
        ):
            story.api("POST", "/tokens", language=language, note=note, json=body)


def _hand_in(story: Story) -> None:
    """What the door takes, rejects and turns away."""
    good = predictions_csv(story.site.folder, wrong=7)
    cases = (
        ("good", good, {}, "p.csv"),
        ("wrong rows", _TABLE.encode(), {}, "p.csv"),
        ("UTF-16", good.decode().encode("utf-16"), {}, "p.csv"),
        ("a spreadsheet", b"PK\x03\x04 not a zip", {}, "p.xlsx"),
        ("no bundle", b"PK\x03\x04 not a zip", {}, "b.zip"),
        ("empty", b"", {}, "p.csv"),
        ("bad claims", good, {"claims": "accuracy = many"}, "p.csv"),
        ("no claims", good, {"claims": "luck = 0.5"}, "p.csv"),
        ("unknown word", good, {"declared": "luck"}, "p.csv"),
    )
    for language in LANGUAGES:
        for note, content, fields, name in cases:
            data = {"file": (io.BytesIO(content), name), "message": "初次 try", **fields}
            path = f"{ANIMALS}/submissions"
            story.api("POST", path, "other", language=language, note=note, data=data)
        story.api("POST", f"{ANIMALS}/submissions", "other", language=language, note="no file")
        story.api("POST", f"{ANIMALS}/submissions", language=language, note="nobody")


def _upload(story: Story) -> None:
    """A file in parts: fixed, sent, withdrawn."""
    content = predictions_csv(story.site.folder, wrong=9)
    wanted = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "filename": "parts.csv",
    }
    uploads = f"{ANIMALS}/uploads"
    for language in LANGUAGES:
        story.api("POST", uploads, "other", language=language, note="no size", json={"sha256": ""})
    made = story.api("POST", uploads, "other", json=wanted)
    path = f"/uploads/{made['id']}"
    story.api("GET", path, "other")
    for language in LANGUAGES:
        story.api("PATCH", path, "other", language=language, note="nowhere", data=b"x")
        story.api("GET", path, "mate", language=language)
    for start, stop in ((0, 100), (100, len(content))):
        headers = {"Upload-Offset": str(start)}
        story.api("PATCH", path, "other", headers=headers, data=content[start:stop])
    again = story.api("POST", uploads, "other", json={**wanted, "sha256": "b" * 64})
    story.api("DELETE", f"/uploads/{again['id']}", "other")


def _change(story: Story, submission: str) -> None:
    """What a team changes: picks, a withdrawal, an erasure."""
    for language in LANGUAGES:
        for note, body in (
            ("one", {"submissions": [submission]}),
            ("unknown", {"submissions": ["s_0000000000"]}),
            ("no list", {}),
        ):
            story.api("POST", f"{ANIMALS}/picks", "mate", language=language, note=note, json=body)
        story.api("POST", f"/submissions/{submission}/cancel", "mate", language=language)
        story.api("POST", "/me/erasure", "mate", language=language, json={})
        story.api("DELETE", "/me/erasure", "mate", language=language)
        reply = {"text": "By hand."}
        story.api("POST", f"{COURSE}/cases/1/reply", "mate", language=language, json=reply)


def _judge(story: Story, submission: str) -> None:
    """What staff do, and a student who tries."""
    case, told = f"{STAFF}/cases/1", {"text": "Seen."}
    extend = {"whom": "mate@example.edu", "assignment": "animals", "hours": 24, "reason": "illness"}
    animals = f"{STAFF}/assignments/animals"
    for language in LANGUAGES:
        for who in ("mate", "instructor"):
            for path, body in (
                (f"/staff/submissions/{submission}/rejudge", {"cause": "revenge"}),
                (f"/staff/submissions/{submission}/rejudge", {"cause": "rescore"}),
                (f"/staff/submissions/{submission}/first", {}),
                (f"{animals}/missing", {}),
                (f"{animals}/rejudge", {"submissions": [submission], "cause": "rescore"}),
                (f"{animals}/cancel", {"submissions": [submission]}),
                (f"/staff/submissions/{submission}/notes", {"text": "Looked at. 已查看。"}),
                (f"{STAFF}/extensions", extend),
                (f"{STAFF}/extensions", {**extend, "whom": "nobody@example.edu"}),
                (f"{STAFF}/extensions", {**extend, "hours": "many"}),
                (f"{animals}/release", {"released": "yes"}),
                (f"{animals}/release", {"released": True}),
                (f"{animals}/release", {"released": False}),
                (f"/staff/submissions/{submission}/cases", told),
                (f"{case}/notice", {**told, "reply_until": "soon"}),
                (f"{case}/void", told),
                (f"{case}/restore", told),
                (f"{case}/close", told),
            ):
                story.api("POST", path, who, language=language, json=body)
            story.api("DELETE", f"{STAFF}/extensions/1", who, language=language)
    story.site.score(submission)


def _call_the_rest(story: Story, submission: str) -> None:
    """What changes something and is not in the story above: with nothing in the body."""
    adapter = story.app.url_map.bind("localhost")
    called = {(method, adapter.match(path, method)[0]) for method, path in story.called}
    for rule, method, url in requests_of(story.app, submission):
        if rule.endpoint.startswith("api.") and (method, rule.endpoint) not in called:
            for language in LANGUAGES:
                path = url.removeprefix("/api/v1")
                story.api(method, path, "instructor", language=language, json={})


def _by_command(story: Story, submission: str) -> None:
    """Every command that has --json."""
    site, folder = story.site, story.folder
    files = {
        "good.csv": predictions_csv(site.folder, wrong=11),
        "bad.csv": _TABLE.encode(),
        "report.txt": _REPORT.encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    wrong = folder / "wrong"
    wrong.mkdir()
    (wrong / "assignment.toml").write_text("titel = 1\n[scoring]\nmetric = 'acuracy'\n")
    good, bad, animals = f"{folder}/good.csv", f"{folder}/bad.csv", str(site.folder)
    story.command("score", animals, good)
    story.command("score", animals, bad)
    story.command("score", str(wrong), good)
    story.command("grade", animals, "0.8")
    story.command("claims", f"{folder}/report.txt", "--claim", "accuracy=0.95")
    story.command("claims", f"{folder}/report.txt", "--claim", "luck=0.95")
    story.command("keys", "schedule.due")
    story.command("keys", "schedule.deu")
    story.command("new", f"{folder}/new", "--from", f"{folder}/nothing")
    with story.served() as address:
        on_server = {
            "GRADER_SERVER": address,
            "GRADER_TOKEN": story.tokens["other"],
            "GRADER_COURSE": "dl-1",
            "GRADER_CONFIG": str(folder / "config.toml"),
        }
        with patch.dict(os.environ, on_server):
            _on_the_server(story, submission, good, bad)


def _on_the_server(story: Story, submission: str, good: str, bad: str) -> None:
    pack = f"{story.folder}/pack"
    with patch.dict(os.environ, {"GRADER_LANG": "en"}):
        assert CliRunner().invoke(cli, ["data", "animals", pack]).exit_code == 0
    story.command("data", "animals", pack)
    story.command("data", "nothing", f"{story.folder}/pack-2")
    story.command("check", good, "-a", pack)
    story.command("check", bad, "-a", pack)
    story.command("submit", good, "-a", "animals", "-m", "by command", "--key", "one")
    story.command("submit", bad, "-a", "animals")
    for command in ("status", "submissions -a animals", "leaderboard -a animals"):
        story.command(*command.split())
    story.command("quota", "-a", "animals")
    story.command("quota", "-a", "nothing")
    story.command("status", submission)
    story.command("pick", submission)
    story.command("cancel", submission)
