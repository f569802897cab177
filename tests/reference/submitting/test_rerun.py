"""The nightly rerun against a server that speaks the API's few routes it needs."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reference import cli
from reference.errors import RerunError
from reference.submitting import rerun

TONIGHT = datetime(2026, 9, 1, 3, 0, tzinfo=UTC)
TOMORROW = TONIGHT + timedelta(days=1)


class Course(ThreadingHTTPServer):
    """A course that scores by the table `accuracy`, and keeps every hand-in by its key."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.accuracy = {"public": 0.9, "private": 0.8}
        self.verdict = "OK"
        self.sees_private = True
        self.by_key: dict[str, str] = {}
        self.reports: dict[str, dict[str, Any]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def hand_in(self, key: str, body: bytes, token: str) -> dict[str, Any]:
        if key not in self.by_key:
            self.by_key[key] = f"s_{len(self.reports):08d}"
            scores = {split: {"n": 10, "accuracy": value} for split, value in self.accuracy.items()}
            scored = scores if self.verdict == "OK" else {}
            self.reports[self.by_key[key]] = {
                "id": self.by_key[key],
                "status": "finished",
                "verdict": self.verdict,
                "public": scored.get("public"),
                "private": scored.get("private") if self.sees_private else None,
                "token": token,
                "message": re.search(rb'name="message"\r\n\r\n([^\r]*)', body)[1].decode(),
            }
        return self.reports[self.by_key[key]]


class Handler(BaseHTTPRequestHandler):
    server: Course

    def do_POST(self) -> None:
        assert self.path == "/api/v1/courses/dl/assignments/digits/submissions"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        token = self.headers["Authorization"].removeprefix("Bearer ")
        self.reply(201, self.server.hand_in(self.headers["Idempotency-Key"], body, token))

    def do_GET(self) -> None:
        name = self.path.removeprefix("/api/v1/submissions/")
        self.reply(200, self.server.reports[name])

    def reply(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *message: object) -> None:
        pass


@pytest.fixture
def course() -> Iterator[Course]:
    with Course() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    folder = tmp_path / "bundles"
    folder.mkdir()
    for name in ("lenet5", "small_cnn"):
        (folder / f"{name}.zip").write_bytes(name.encode())
    return folder


def start(
    course: Course, bundles: Path, *, now: datetime = TONIGHT, again: bool = False
) -> dict[str, rerun.Comparison]:
    comparisons = rerun.rerun(
        rerun.find_baselines(bundles, token="secret", tokens={"small_cnn": "its-own"}),
        server=course.address,
        assignment="digits",
        course="dl",
        state=bundles.parent / "state.json",
        again=again,
        now=now,
    )
    return {each.name: each for each in comparisons}


def test_first_rerun_is_new_and_hands_in_each_under_its_own_account(course: Course, bundles: Path):
    compared = start(course, bundles)

    assert {each.state for each in compared.values()} == {"new"}
    assert str(compared["lenet5"]) == "lenet5: new: public 0.9000, private 0.8000"
    assert [(each["token"], each["message"]) for each in course.reports.values()] == [
        ("secret", "lenet5, nightly rerun of 2026-09-01"),
        ("its-own", "small_cnn, nightly rerun of 2026-09-01"),
    ]


def test_next_night_with_the_same_scores_is_unchanged(course: Course, bundles: Path):
    start(course, bundles)

    compared = start(course, bundles, now=TOMORROW)

    assert {each.state for each in compared.values()} == {"unchanged"}
    assert str(compared["lenet5"]) == "lenet5: unchanged: public 0.9000, private 0.8000"
    assert len(course.reports) == 4


def test_the_same_night_hands_in_once_and_says_so(course: Course, bundles: Path):
    start(course, bundles)

    compared = start(course, bundles, now=TONIGHT + timedelta(hours=1))

    assert len(course.reports) == 2
    assert "handed in already tonight as s_00000000" in str(compared["lenet5"])


def test_the_same_night_can_be_judged_again(course: Course, bundles: Path):
    start(course, bundles)

    compared = start(course, bundles, now=TONIGHT + timedelta(hours=1), again=True)

    assert len(course.reports) == 4
    assert str(compared["lenet5"]) == "lenet5: unchanged: public 0.9000, private 0.8000"


def test_a_moved_score_is_changed_in_that_split(course: Course, bundles: Path):
    start(course, bundles)
    course.accuracy["private"] = 0.7995

    compared = start(course, bundles, now=TOMORROW)

    assert str(compared["lenet5"]) == "lenet5: changed: private accuracy 0.8000 → 0.7995"


def test_a_failure_is_a_change_and_so_is_its_end(course: Course, bundles: Path):
    start(course, bundles)
    course.verdict = "TLE"
    failed = start(course, bundles, now=TOMORROW)
    course.verdict = "OK"

    recovered = start(course, bundles, now=TOMORROW + timedelta(days=1))

    assert str(failed["lenet5"]).startswith("lenet5: changed: verdict OK → TLE")
    assert recovered["lenet5"].differences[0] == "verdict TLE → OK"


def test_another_bundle_under_the_name_is_mentioned(course: Course, bundles: Path):
    start(course, bundles)
    (bundles / "lenet5.zip").write_bytes(b"trained anew")

    compared = start(course, bundles, now=TOMORROW)

    assert str(compared["lenet5"]).endswith("(with another bundle than last time)")
    assert compared["lenet5"].now.sha256 == hashlib.sha256(b"trained anew").hexdigest()


def test_an_account_that_sees_no_private_score_is_refused(course: Course, bundles: Path):
    course.sees_private = False

    with pytest.raises(RerunError, match="does not see the private score"):
        start(course, bundles)


def test_a_baseline_without_a_token_is_refused(bundles: Path):
    with pytest.raises(RerunError, match="no token for baseline 'small_cnn'"):
        rerun.find_baselines(bundles, token=None, tokens={"lenet5": "x"})


def test_a_folder_without_bundles_is_refused(tmp_path: Path):
    with pytest.raises(RerunError, match="holds no bundles"):
        rerun.find_baselines(tmp_path, token="x", tokens={})


def test_tokens_are_never_printed(bundles: Path):
    assert "secret" not in repr(rerun.find_baselines(bundles, token="secret", tokens={}))


@pytest.mark.parametrize("content", ["", "[]", '{"format": 9}', '{"format": 1, "places": 3}'])
def test_a_damaged_state_file_is_refused_before_anything_is_handed_in(
    content: str, course: Course, bundles: Path
):
    (bundles.parent / "state.json").write_text(content)

    with pytest.raises(RerunError, match=r"state\.json"):
        start(course, bundles)

    assert course.reports == {}


def test_command_ends_with_3_where_a_score_has_changed(course: Course, bundles: Path):
    arguments = ["rerun", "--server", course.address, "-a", "digits", "--course", "dl", "--json"]
    arguments += ["--from", str(bundles), "--state", str(bundles.parent / "state.json")]
    environment = {"REFERENCE_TOKEN": "secret"}

    first = CliRunner().invoke(cli.cli, [*arguments, "--again"], env=environment)
    second = CliRunner().invoke(cli.cli, [*arguments, "--again"], env=environment)
    course.accuracy["public"] = 0.5
    third = CliRunner().invoke(cli.cli, [*arguments, "--again"], env=environment)

    assert [first.exit_code, second.exit_code, third.exit_code] == [0, 0, cli.CHANGED]
    assert [each["state"] for each in json.loads(third.stdout)] == ["changed", "changed"]


def test_command_ends_with_5_where_nobody_answers(bundles: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    ended = CliRunner().invoke(
        cli.cli,
        [
            *("rerun", "--server", "http://127.0.0.1:1", "-a", "digits", "--course", "dl"),
            *("--from", str(bundles), "--state", str(bundles / "state.json"), "--token", "x"),
        ],
    )

    assert ended.exit_code == 5
    assert "Traceback" not in ended.output
