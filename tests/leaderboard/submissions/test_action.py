"""The GitHub Action hands in to a real server, as a runner of GitHub would start its steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from signing_in import signed_in
from small_site import Site, make_site, predictions_csv, write_assignment
from werkzeug.serving import make_server

from grader.client.client import Client
from leaderboard import create_app
from leaderboard.accounts import accounts, courses
from leaderboard.accounts.scopes import of as scopes_of
from leaderboard.accounts.scopes import submit_to
from leaderboard.assignments import editions
from leaderboard.db import utcnow
from leaderboard.models import Course

ROOT = Path(__file__).parents[3]
ACTION = ROOT / "deploy" / "action"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("action")
    site = make_site(folder / "site", write_assignment(folder / "animals"))
    site.publish(write_assignment(folder / "plants", slug="plants"))
    return site


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(state=site.state), threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def token_for(site: Site, *scopes: str, days: int = 30) -> str:
    with site.state.database.session() as session:
        user = session.get_one(type(site.person("ann")), site.person("ann").id)
        return accounts.issue_token(
            session,
            user,
            name="pipeline",
            scopes=scopes,
            now=utcnow(),
            lifetime=timedelta(days=days),
        ).secret


class Pipeline:
    """A repository's run of the action."""

    def __init__(self, site: Site, url: str, folder: Path) -> None:
        self.folder = folder
        self.token = token_for(site, submit_to("dl-1", "animals"))
        self.inputs = {"server": url, "course": "dl-1", "assignment": "animals"}
        (folder / "predictions.csv").write_bytes(predictions_csv(site.folder))

    def run(self, *arguments: str, event: str = "push", **changed: str) -> Any:
        """The last step of action.yml, with its environment filled in as GitHub does it."""
        inputs = {"path": "predictions.csv", "token": self.token, "message": "", **self.inputs}
        inputs |= changed
        step = described()["runs"]["steps"][-1]
        given = {
            name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: inputs[found[1]], value)
            for name, value in step["env"].items()
        }
        of_github = {
            "GITHUB_EVENT_NAME": event,
            "GITHUB_SHA": inputs.get("commit", COMMIT),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
        }
        return subprocess.run(
            [sys.executable, str(ACTION / "hand_in.py"), *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **given, **of_github},
            cwd=self.folder,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    def outputs(self) -> list[str]:
        return (self.folder / "output").read_text().splitlines()


def described() -> Any:
    return yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture
def pipeline(site: Site, url: str, tmp_path: Path) -> Pipeline:
    return Pipeline(site, url, tmp_path)


def test_a_push_hands_in_and_the_same_commit_again_is_the_same_submission(
    site: Site, pipeline: Pipeline
) -> None:
    first = pipeline.run()
    again = pipeline.run()

    assert first.returncode == 0, first.stdout + first.stderr
    assert again.returncode == 0
    name, one = pipeline.outputs()[0].split("=")
    assert name == "submission"
    assert pipeline.outputs() == [f"submission={one}"] * 2
    assert site.submission(one).message == f"commit {COMMIT[:10]}"
    assert one in (pipeline.folder / "summary").read_text()
    said = first.stdout.replace(f"::add-mask::{pipeline.token}", "") + first.stderr
    assert pipeline.token not in said


def test_other_content_under_the_same_commit_is_refused(pipeline: Pipeline) -> None:
    commit = "f" * 40
    assert pipeline.run(commit=commit).returncode == 0
    with (pipeline.folder / "predictions.csv").open("a") as file:
        file.write("\n")
    result = pipeline.run(commit=commit)
    assert result.returncode == 3
    assert "::error title=Not handed in::" in result.stdout


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run"])
@pytest.mark.parametrize("arguments", [(), ("--may-run",)])
def test_events_that_lend_secrets_to_strangers_are_refused_before_anything_else(
    pipeline: Pipeline, event: str, arguments: tuple[str, ...]
) -> None:
    result = pipeline.run(*arguments, event=event)
    assert result.returncode == 2
    assert f"nothing is handed in on {event}" in result.stdout
    assert pipeline.token not in result.stdout
    assert not (pipeline.folder / "output").exists()


def test_the_first_step_asks_whether_the_event_may(pipeline: Pipeline) -> None:
    steps = described()["runs"]["steps"]
    assert steps[0]["run"].endswith('hand_in.py" --may-run')
    assert pipeline.run("--may-run").returncode == 0


def test_no_input_stands_in_a_line_that_a_shell_runs() -> None:
    assert not any("${{" in step.get("run", "") for step in described()["runs"]["steps"])


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"assignment": "plants"}, 3, "lacks the scope 'submit'"),
        ({"token": "gw_of-nobody"}, 5, "token"),
        ({"token": ""}, 2, "GRADER_TOKEN is empty"),
        ({"path": "nowhere.csv"}, 2, "does not exist"),
        ({"path": "wrong.csv"}, 3, "id"),
    ],
)
def test_what_keeps_it_from_handing_in_is_one_line_on_the_run(
    pipeline: Pipeline, changed: dict[str, str], code: int, words: str
) -> None:
    (pipeline.folder / "wrong.csv").write_text("id,label\nnobody,0\n")
    result = pipeline.run(**changed, commit=f"{abs(hash(words)):040x}")
    assert result.returncode == code, result.stdout + result.stderr
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("::error")]
    assert words in line


HANDING_IN = {
    "api.hand_in",
    *("api.commit_upload", "api.get_upload", "api.send_part", "api.withdraw_upload"),
}
FOR_ALL = {"api.openapi", "api.receipt_key", "api.make_token"}


def test_no_other_route_of_the_api_opens_to_a_token_for_one_assignment(site: Site) -> None:
    app = create_app(state=site.state)
    headers = {"Authorization": f"Bearer {token_for(site, submit_to('dl-1', 'animals'))}"}
    client, asked = app.test_client(), 0
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("api.") or rule.endpoint in HANDING_IN | FOR_ALL:
            continue
        names = dict.fromkeys(rule.arguments, 1) | {"course": "dl-1", "slug": "animals"}
        path = rule.build({name: names[name] for name in rule.arguments})[1]
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            reply = client.open(path, method=method, json={}, headers=headers)
            assert reply.status_code in (403, 404), (method, path)
            asked += 1
    assert asked > 25


def test_the_page_makes_a_token_for_one_assignment_and_says_so(site: Site) -> None:
    site.person("bea")
    browser = signed_in(create_app(state=site.state), "bea")
    page = browser.get("/tokens").text
    scope = submit_to("dl-1", "animals")
    assert f'<option value="{scope}">submit to dl-1/animals, and nothing else</option>' in page

    form = {"csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', page)[1]}
    made = browser.post("/tokens", data={**form, "name": "pipeline", "days": 30, "scope": scope})
    secret = re.search(r"gw_[\w-]{40,}", made.text)[0]

    assert "submit to dl-1/animals, and nothing else</td>" in made.text
    with site.state.database.reading() as session:
        token = accounts.token_of(session, secret, utcnow())
        assert scopes_of(token) == (scope,)
        assert timedelta(days=29) < token.expires_at - utcnow() < timedelta(days=30)


def test_the_command_makes_such_a_token(site: Site) -> None:
    site.person("cem")
    command = [*site.command, "create-token", "cem@example.edu", "--only", "dl-1/animals"]
    made = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    with site.state.database.reading() as session:
        token = accounts.token_of(session, made.stdout.strip(), utcnow())
        assert scopes_of(token) == ("submit:dl-1/animals",)


def test_a_token_for_one_assignment_reads_nothing_and_ends(site: Site) -> None:
    narrow = token_for(site, submit_to("dl-1", "animals"))
    client = create_app(state=site.state).test_client()
    headers = {"Authorization": f"Bearer {narrow}"}
    here = "/api/v1/courses/dl-1/assignments/animals"
    for path in ("/api/v1/me", here, f"{here}/pack", f"{here}/submissions", f"{here}/leaderboard"):
        assert client.get(path, headers=headers).status_code == 403, path
    assert (
        client.post(f"{here}/picks", json={"submissions": []}, headers=headers).status_code == 403
    )
    assert client.post("/api/v1/me/erasure", json={}, headers=headers).status_code in (403, 404)
    committed = {"sha256": "0" * 64, "size": 10, "filename": "p.csv"}
    other = here.replace("animals", "plants")
    assert client.post(f"{other}/uploads", json=committed, headers=headers).status_code == 403
    made = client.post(f"{here}/uploads", json=committed, headers=headers)
    assert made.status_code == 201
    upload = f"/api/v1/uploads/{made.json['id']}"
    assert client.get(upload, headers=headers).status_code == 200
    elsewhere = {"Authorization": f"Bearer {token_for(site, submit_to('dl-1', 'plants'))}"}
    assert client.get(upload, headers=elsewhere).status_code == 403
    assert client.delete(upload, headers=elsewhere).status_code == 403
    assert client.delete(upload, headers=headers).status_code == 200
    ended = token_for(site, submit_to("dl-1", "animals"), days=-1)
    late = client.post(
        f"{here}/uploads", json=committed, headers={"Authorization": f"Bearer {ended}"}
    )
    assert late.status_code == 401


def test_a_scope_for_what_one_does_not_reach_is_refused(site: Site) -> None:
    for scope in ("submit:dl-1/nothing", "submit:other/animals", "submit:", "write"):
        with pytest.raises(Exception, match="submit:COURSE/ASSIGNMENT"):
            token_for(site, scope)


def test_a_renamed_assignment_is_still_handed_in_to(
    site: Site, url: str, pipeline: Pipeline
) -> None:
    narrow = token_for(site, submit_to("dl-1", "plants"))
    with site.state.database.session() as session:
        plants = courses.assignment_of(session, session.get_one(Course, site.course.id), "plants")
        editions.rename(session, plants, "flora", actor=None)
        renamed = plants.id

    result = pipeline.run(assignment="plants", token=narrow, commit="c" * 40)

    assert result.returncode == 0, result.stdout + result.stderr
    [handed_in] = pipeline.outputs()
    assert site.submission(handed_in.split("=")[1]).assignment_id == renamed
    with Client(url, token_for(site, "read")) as client:
        assert client.course_of("plants") == "dl-1"
        assert client.assignment("plants").slug == "flora"
