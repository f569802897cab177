"""One id leads from the page of an error to the lines of the log."""

from __future__ import annotations

import io
import json
import logging
import re
from dataclasses import replace

import pytest
from flask import Flask
from small_site import Site, predictions_csv

from leaderboard import create_app
from leaderboard.web.request_ids import HEADER, LogLine


def test_the_page_of_an_error_shows_the_id_that_its_log_lines_have(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    app.testing = False
    app.view_functions["auth.sign_in"] = broken
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LogLine(as_json=True))
    monkeypatch.setattr(app.logger, "handlers", [handler])

    reply = app.test_client().get("/sign-in", headers={"Accept-Language": "zh"})
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (line,) = [line for line in lines if line["level"] == "error"]
    assert reply.status_code == 500
    assert f"错误 {reply.headers[HEADER]}" in reply.text
    assert {line["request"] for line in lines} == {reply.headers[HEADER]}
    assert line["route"] == "auth.sign_in"
    assert line["error"].endswith("ZeroDivisionError: a bug")


def test_what_a_client_sends_as_an_id_is_taken_from_trusted_proxies_alone(
    app: Flask, site: Site
) -> None:
    def answered(to: Flask, sent: str) -> str:
        return to.test_client().get("/healthz", headers={HEADER: sent}).headers[HEADER]

    assert re.fullmatch("[0-9a-f]{16}", answered(app, "of-the-proxy-1"))
    behind = replace(site.state, settings=replace(site.settings, trusted_proxies=1))
    proxied = create_app(state=behind)
    assert answered(proxied, "of-the-proxy-1") == "of-the-proxy-1"
    assert re.fullmatch("[0-9a-f]{16}", answered(proxied, 'x" <script>'))


def test_each_request_leaves_a_line_that_leads_to_its_submission(
    app: Flask, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "leaderboard.web.request_ids")
    headers = {"Authorization": f"Bearer {site.token('ada')}"}
    file = {"file": (io.BytesIO(predictions_csv(site.folder)), "p.csv")}
    url = "/api/v1/courses/dl-1/assignments/animals/submissions"
    reply = app.test_client().post(url, data=file, headers=headers)
    assert reply.status_code == 201, reply.text
    app.test_client().get("/password/a-secret")
    app.test_client().get("/healthz")
    handed_in, linked = (record.facts for record in caplog.records if hasattr(record, "facts"))
    assert handed_in["submission"] == reply.json["id"]
    assert (handed_in["method"], handed_in["status"]) == ("POST", 201)
    assert linked["method"] == "GET"
    assert "a-secret" not in caplog.text + str(linked)


def test_a_page_that_is_no_failure_of_ours_shows_no_number(app: Flask) -> None:
    reply = app.test_client().get("/no/such/page")
    assert reply.headers[HEADER] not in reply.text


def test_what_a_line_in_words_quotes_begins_no_other_and_moves_no_cursor() -> None:
    said = "refused: %s"
    evil = "x\n2026-11-28 ERROR all is lost\r\x1b[2J\u202e\u2028y"
    record = logging.LogRecord("a", logging.WARNING, "a.py", 1, said, (evil,), None)

    line = LogLine(as_json=False).format(record)

    assert line.isprintable()
    assert line.endswith(r"refused: x\n2026-11-28 ERROR all is lost\r\x1b[2J\u202e\u2028y")
