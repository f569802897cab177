"""Schemathesis sends what the OpenAPI document allows, and more: no answer may be a surprise."""

from __future__ import annotations

from collections import Counter
from itertools import cycle

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi import checks
from small_site import make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.models import Role

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

UNLIMITED = {"api_requests_per_minute": str(1 << 20), "uploads_per_minute": str(1 << 20)}


@pytest.fixture
def talk(tmp_path):
    """Send that many requests to each operation, within limits; Counter of (operation, status)."""

    def send(each: int, limits: dict[str, str]) -> Counter:
        site = make_site(tmp_path, write_assignment(tmp_path / "animals"), **limits)
        site.person("ada", Role.INSTRUCTOR)
        public_id = site.hand_in("ann", predictions_csv(site.folder))
        site.score(public_id)
        real = {"course": "dl-1", "slug": "animals", "submission": public_id}
        who = {"student": site.token("ann"), "staff": site.token("ada", staff=True)}
        app = create_app(state=site.state)
        schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
        seen: Counter = Counter()
        for result in schema.get_all_operations():
            _send(result.ok(), each, real, who, seen)
        site.state.close()
        return seen

    return send


def _send(operation, count, real, who, seen) -> None:
    sender, is_real = cycle(["student", "staff", None]), cycle([True, True, False, True])

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def one(case):
        name = next(sender)
        headers = {"Authorization": f"Bearer {who[name]}"} if name else {}
        if next(is_real):
            case.path_parameters = {
                key: real.get(key, value) for key, value in (case.path_parameters or {}).items()
            }
        response = case.call(headers=headers)
        seen[operation.label, response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    one()


@pytest.mark.parametrize(
    "each", [12, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(1200)])]
)
def test_every_answer_is_one_that_the_document_knows(talk, each):
    seen = talk(each, UNLIMITED)
    assert all(status < 500 for _operation, status in seen)
    reached = {operation for operation, status in seen if status < 300}
    assert len(reached) >= 12, f"only {sorted(reached)} were reached beyond a refusal"


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_whoever_comes_too_often_is_refused_as_the_document_says(talk):
    seen = talk(100, {"api_requests_per_minute": "20", "uploads_per_minute": "2"})
    assert all(status < 500 for _operation, status in seen)
    assert sum(count for (_, status), count in seen.items() if status == 429) > 1000


def test_the_same_checks_notice_an_answer_that_is_not_in_the_document(tmp_path):
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    app = create_app(state=site.state)
    app.view_functions["api.me"] = lambda: ({"name": 7}, 418)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    with pytest.raises(BaseExceptionGroup):
        _send(schema["/me"]["GET"], 1, {}, {"student": site.token("ann"), "staff": ""}, Counter())
    site.state.close()
