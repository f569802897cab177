"""Whatever a request holds, the answer is one of ours: a refusal, never a failure of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from hostile_requests import LIMITED, UNLIMITED, Hostile
from signing_in import signed_in
from small_site import Site, make_site, write_assignment
from werkzeug.test import EnvironBuilder, run_wsgi_app

from leaderboard import create_app
from leaderboard.errors import BadRequest
from leaderboard.models import Role
from leaderboard.rules import schedule

DEEP = "[" * 200_000
MANY_DIGITS = "9" * 30
MOST_SECONDS = 20  # of processor time, for any request


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    made = make_site(folder, write_assignment(folder / "animals"), uploads_per_minute="1")
    made.person("mate")
    yield made
    made.state.close()


@pytest.fixture(scope="module")
def app(site: Site) -> Flask:
    return create_app(state=site.state)


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        '{"email":' * 5_000,
        '{"email": "\\ud800", "password": "x"}',
        '{"email": "a\\u0000b", "password": "x"}',
        '{"email": ' + "9" * 5_000 + "}",
        '{"email": NaN}',
        b'{"email": "\xed\xa0\x80", "password": "x"}',
    ],
)
def test_json_that_nobody_should_read_is_refused_without_an_account(app, body):
    reply = app.test_client().post("/api/v1/tokens", data=body, content_type="application/json")
    assert (reply.status_code, reply.json["code"]) == (400, "bad_request")


@pytest.mark.parametrize("number", [MANY_DIGITS, "9" * 5_000, "2147483648"])
def test_a_number_that_no_row_has_leads_nowhere(app, number):
    client = signed_in(app, "mate")
    for path in (f"/notifications/{number}", f"/s/x?baseline={number}"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_beyond_the_calendar_is_no_day(app, site, name, day):
    site.person("instructor", Role.INSTRUCTOR)
    for path, headers in (
        ("/staff/c/dl-1/a/animals/", {}),
        (
            "/api/v1/staff/courses/dl-1/assignments/animals/submissions",
            {"Authorization": f"Bearer {site.token('instructor', staff=True)}"},
        ),
    ):
        client = signed_in(app, "instructor")
        assert client.get(f"{path}?{name}={day}", headers=headers).status_code == 200


@pytest.mark.parametrize("moment", ["0001-01-01T00:00", "9999-12-31T23:59", "9999-12-31T23:59-12"])
def test_a_moment_beyond_the_calendar_is_refused(moment):
    with pytest.raises(BadRequest):
        schedule.moment_of(moment, "Asia/Shanghai")


@pytest.mark.parametrize("path", ["/c/a%00b/", "/sign-in?next=%00", "/s/%00"])
def test_a_character_that_no_database_keeps_is_refused(app, path):
    assert signed_in(app, "mate").get(path).status_code == 400


@pytest.mark.parametrize("file_name", [b"", b'; filename="p.csv"'])
def test_a_part_of_a_form_without_a_name_is_refused(app, site, file_name):
    part = b"--B\r\nContent-Disposition: form-data" + file_name + b"\r\n\r\nx\r\n--B--\r\n"
    reply = app.test_client().post(
        "/api/v1/courses/dl-1/assignments/animals/submissions",
        data=part,
        content_type="multipart/form-data; boundary=B",
        headers={"Authorization": f"Bearer {site.token('mate')}"},
    )
    assert reply.status_code == 400


@pytest.mark.parametrize(
    "host", ["a" * 64 + ".example", "a..b", "a b", "[::1", "é.example", "xn--a", "xn--0.example:80"]
)
def test_a_host_that_is_no_name_is_refused_in_one_line(app, host):
    environ = {**EnvironBuilder("/sign-in").get_environ(), "HTTP_HOST": host}
    _, status, headers = run_wsgi_app(app, environ)
    assert (status[:3], headers["Content-Type"]) == ("400", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    "target",
    [
        *("////evil.example", "//evil.example", "/\n/evil.example", "/\\evil.example"),
        *("/\t/evil.example", "https:evil.example", "/ /evil.example", "javascript:alert(1)"),
        *("/a\r\nX: y", "/\x0b/e"),
    ],
)
def test_next_leads_to_a_path_here_and_breaks_no_header(app, target):
    client = signed_in(app, "mate")
    reply = client.get("/sign-in", query_string={"next": target})
    assert (reply.status_code, reply.location) == (303, "/")
    assert client.get("/sign-in", query_string={"next": "/account?a=b"}).location == "/account?a=b"


def test_whoever_is_signed_in_and_comes_too_often_is_told_to_wait(app, site):
    client, path = signed_in(app, "mate"), "/c/dl-1/a/animals/submit"
    client.get(path)  # the form's token comes into the cookie, which counts as one
    reply = [client.post(path, data={"message": "x"}) for _ in range(2)][-1]
    assert reply.status_code == 429
    assert int(reply.headers["Retry-After"]) > 0
    assert "Too many requests" in reply.text


@pytest.mark.parametrize("limits", [UNLIMITED, LIMITED], ids=["unlimited", "limited"])
@pytest.mark.parametrize(
    "count", [400, pytest.param(50_000, marks=[pytest.mark.long, pytest.mark.timeout(7200)])]
)
def test_no_request_makes_the_server_fail_or_grow(tmp_path: Path, limits, count):
    made = make_site(tmp_path, write_assignment(tmp_path / "animals"), **limits)
    hostile = Hostile(made, create_app(state=made.state), seed=2026)
    hostile.send(count)
    grown_mb = hostile.grown_mb
    made.state.close()
    assert hostile.failed == []
    assert {status for _, status in hostile.seen} >= {200, 303, 400, 404}
    assert grown_mb < 40
    assert hostile.slowest[0] < MOST_SECONDS, hostile.slowest
