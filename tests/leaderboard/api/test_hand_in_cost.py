"""What one hand-in asks of the database."""

from __future__ import annotations

from small_site import Api, Site, predictions_csv

from leaderboard import create_app

# user, place; the team held, its standing; submission (1) and work (2); charge (1) and audit (3);
# place in the queue
MOST_STATEMENTS = 12


def test_a_hand_in_takes_no_more_statements_than_counted_here(
    site: Site, statements: list[str]
) -> None:
    ann = Api(create_app(state=site.state).test_client(), site.token("ann"))
    for wrong in range(3):  # the first ones make what later ones find
        statements.clear()
        assert ann.hand_in(predictions_csv(site.folder, wrong=wrong)).status_code == 201

    assert len(statements) <= MOST_STATEMENTS, "\n".join(statements)


def test_what_was_handed_in_long_before_costs_no_statement(
    site: Site, statements: list[str]
) -> None:
    ann = Api(create_app(state=site.state).test_client(), site.token("ann"))
    counts = []
    for wrong in range(12):
        statements.clear()
        assert ann.hand_in(predictions_csv(site.folder, wrong=wrong)).status_code == 201
        counts.append(len(statements))

    assert len(set(counts[2:])) == 1
