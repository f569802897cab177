"""A small assignment, a real loopback server that speaks /api/v1, and a way to run commands."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from click.testing import CliRunner

from grader import Assignment, write_public_pack
from grader.cli import cli

TOKEN = "gw_token"
RECEIVED_AT = "2026-09-03T08:00:00+00:00"
SETTINGS = """
slug = "shapes"
title = "Three shapes"
classes = ["circle", "square", "cross"]
[submission]
daily_limit = 5
"""


@pytest.fixture
def assignment_folder(tmp_path):
    """An assignment of 3 classes: 90 test images whose brightness tells the class."""
    folder = tmp_path / "shapes"
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.repeat(np.arange(3), 30))
    (folder / "test").mkdir(parents=True)
    (folder / "assignment.toml").write_text(SETTINGS)
    (folder / "README.md").write_text("# Three shapes\n")
    rows = [f"{row},{label}" for row, label in enumerate(labels)]
    (folder / "answers.csv").write_text("\n".join(["id,label", *rows]) + "\n")
    np.save(folder / "test" / "images.npy", images_of(labels, rng))
    for name, count in (("sample", 2), ("train", 40)):
        known = np.repeat(np.arange(3), count)
        (folder / name).mkdir()
        np.save(folder / name / "images.npy", images_of(known, rng))
        (folder / name / "labels.csv").write_text(
            "label\n" + "\n".join(map(str, known.tolist())) + "\n"
        )
    return folder


def images_of(labels, rng):
    noise = rng.integers(0, 40, size=(len(labels), 8, 8))
    return (labels[:, None, None] * 80 + noise).astype(np.uint8)


@pytest.fixture
def pack(assignment_folder, tmp_path):
    """The public pack of that assignment."""
    folder = tmp_path / "pack"
    write_public_pack(Assignment.load(assignment_folder), folder)
    return folder


@pytest.fixture
def right_answers(assignment_folder, tmp_path):
    """A prediction file that is right everywhere."""
    path = tmp_path / "predictions.csv"
    path.write_bytes((assignment_folder / "answers.csv").read_bytes())
    return path


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No setting of the person who runs the tests reaches them."""
    for name in ("GRADER_SERVER", "GRADER_TOKEN", "GRADER_COURSE", "GRADER_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADER_LANG", "en")
    monkeypatch.setenv("GRADER_CONFIG", str(tmp_path / "config.toml"))


@pytest.fixture
def run():
    """Run a command in this process; gives click's result with stdout and stderr apart."""

    def run_command(*arguments, **options):
        result = CliRunner().invoke(cli, [str(each) for each in arguments], **options)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run_command


@pytest.fixture
def run_program():
    """Run a command as a user does, as a program of its own."""

    def run_command(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "grader", *(str(each) for each in arguments)],
            env={**os.environ, **environment},
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    return run_command


class Server:
    """A grading server in miniature: one course, one assignment, and faults on request.

    `faults` are (status, headers) answered first, one a request, before anything else happens;
    "drop" closes the connection after the request was handled, "cut" before; "hang" never answers.
    """

    def __init__(self):
        self.faults = deque()
        self.closing = threading.Event()
        self.submissions = {}
        self.by_key = {}
        self.requests = []
        self.verdict = "OK"
        self.problems = []
        self.pack = b"PK"
        self.pack_sha256 = None
        self.stages = ["queued", "running", "finished"]
        self.event_stream = True
        self.board_rows = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self):
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def accept(self, key, filename, content, message):
        if key in self.by_key:
            return self.submissions[self.by_key[key]]
        submission_id = f"s_{len(self.submissions) + 1:04d}"
        self.by_key[key] = submission_id
        rejected = self.verdict == "REJ"
        self.submissions[submission_id] = {
            "id": submission_id,
            "assignment": "shapes",
            "course": "dl-2026",
            "kind": "csv",
            "filename": filename,
            "message": message,
            "status": "finished" if rejected else "queued",
            "phase": "",
            "verdict": "REJ" if rejected else None,
            "problems": self.problems if rejected else [],
            "flags": [],
            "metric": "accuracy",
            "public": None,
            "private": None,
            "queue": {"place": 1, "eta_seconds": 2.0},
            "accepted_at": RECEIVED_AT,
            "receipt": {
                "id": submission_id,
                "sha256": hashlib.sha256(content).hexdigest(),
                "accepted_at": RECEIVED_AT,
                "signature": "c2lnbmVk",
            },
        }
        return self.submissions[submission_id]

    def advance(self, submission_id):
        """One stage on; what the next look will see."""
        submission = self.submissions[submission_id]
        if submission["status"] == "finished":
            return
        stage = self.stages[min(self.stages.index(submission["status"]) + 1, len(self.stages) - 1)]
        submission |= {"status": stage, "phase": "scoring" if stage == "running" else ""}
        if stage == "finished":
            submission["verdict"] = self.verdict
            if self.verdict == "OK":
                submission["public"] = {"n": 27, "accuracy": 0.75, "macro_f1": 0.74}


def handler_for(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.handle_request()

        def do_POST(self):
            self.handle_request()

        def handle_request(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            path = path.removeprefix("/api/v1")
            server.requests.append((self.command, path, query, dict(self.headers), body))
            fault = server.faults.popleft() if server.faults else None
            if fault == "cut":
                self.close_connection = True
                return None
            if fault == "hang":
                server.closing.wait()
                self.close_connection = True
                return None
            if fault == "drop":
                self.answer(self.command, path, body, silent=True)
                self.close_connection = True
                return None
            if fault is not None:
                status, headers = fault
                if status == "half":
                    return self.reply_half(server.pack)
                return self.reply(status, b"busy", headers)
            return self.answer(self.command, path, body)

        def answer(self, method, path, body, silent=False):
            if path == "/tokens":
                asked = json.loads(body)
                if asked["password"] != "correct horse":
                    return self.refuse(401, "sign_in_refused", "E-mail or password is wrong.")
                return self.reply_json({"token": TOKEN}, 201)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.refuse(401, "sign_in_required", "Please sign in.")
            base = "/courses/dl-2026/assignments"
            if path == "/me":
                courses = [{"code": "dl-2026", "title": "Deep learning", "role": "student"}]
                return self.reply_json(
                    {"name": "Mei", "email": "mei@example.edu", "courses": courses}
                )
            if path == base:
                return self.reply_json({"items": [{"slug": "shapes", "title": "Three shapes"}]})
            if path == f"{base}/shapes/pack":
                sha256 = server.pack_sha256 or hashlib.sha256(server.pack).hexdigest()
                return self.reply_range(server.pack, {"X-Content-SHA256": sha256})
            if path == f"{base}/shapes/submissions" and method == "POST":
                return self.accept(body, silent)
            if path == f"{base}/shapes/submissions":
                return self.reply_json({"items": list(reversed(server.submissions.values()))})
            if path == f"{base}/shapes/leaderboard":
                rows = server.board_rows
                return self.reply_json(
                    {"rows": rows, "total": len(rows), "page": 1, "metric": "accuracy"}
                )
            if path == f"{base}/shapes/quota":
                resets = "2026-09-04T00:00:00+08:00"
                return self.reply_json({"limit": 5, "used": 2, "remaining": 3, "resets_at": resets})
            if path == f"{base}/shapes/picks":
                return self.reply_json({"submissions": json.loads(body)["submissions"]})
            return self.submission(path)

        def submission(self, path):
            _, _, rest = path.partition("/submissions/")
            submission_id, _, tail = rest.partition("/")
            if submission_id not in server.submissions:
                return self.refuse(404, "not_found", "There is nothing here for you.")
            if tail == "events":
                return self.events(submission_id)
            reply = json.loads(json.dumps(server.submissions[submission_id]))
            if not server.event_stream:
                server.advance(submission_id)
            return self.reply_json(reply)

        def events(self, submission_id):
            if not server.event_stream:
                return self.refuse(404, "not_found", "no events here")
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b": hello\n\n")
            while server.submissions[submission_id]["status"] != "finished":
                time.sleep(0.05)  # a reader has looked at the stage before
                server.advance(submission_id)
                report = json.dumps(server.submissions[submission_id])
                self.wfile.write(f"event: submission\ndata: {report}\n\n".encode())
                self.wfile.flush()
            self.close_connection = True
            return None

        def accept(self, body, silent):
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts = {
                part.get_param("name", header="content-disposition"): part
                for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
            }
            file = parts["file"]
            accepted = server.accept(
                self.headers["Idempotency-Key"],
                file.get_filename(),
                file.get_payload(decode=True),
                parts["message"].get_payload(decode=True).decode(),
            )
            return None if silent else self.reply_json(accepted, 201)

        def refuse(self, status, code, detail, **more):
            problem = {"status": status, "code": code, "detail": detail, "owner": "student"}
            self.reply_json({**problem, **more}, status)

        def reply_json(self, value, status=200):
            self.reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def reply_range(self, whole, headers):
            asked = self.headers.get("Range")
            if asked is None:
                return self.reply(200, whole, headers)
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(whole):
                return self.reply(416, b"", headers)
            return self.reply(206, whole[start:], headers)

        def reply_half(self, whole):
            self.send_response(200)
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole[: len(whole) // 2])
            self.close_connection = True

        def reply(self, status, body, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@pytest.fixture
def server():
    """A running miniature server."""
    running = Server()
    yield running
    running.close()


@pytest.fixture
def pauses(monkeypatch):
    """The waits between attempts, noted instead of slept through; other threads sleep on."""
    waited, ours, sleep = [], threading.get_ident(), time.sleep
    monkeypatch.setattr(
        "grader.client.transport.time.sleep",
        lambda seconds: (waited.append if threading.get_ident() == ours else sleep)(seconds),
    )
    return waited


@pytest.fixture
def signed_in(server, monkeypatch):
    """The miniature server, named and signed in to by the environment."""
    monkeypatch.setenv("GRADER_SERVER", server.url)
    monkeypatch.setenv("GRADER_TOKEN", TOKEN)
    return server
