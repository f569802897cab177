"""Commands about agents: machines that run students' code and have nothing but a token."""

from __future__ import annotations

import click

from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.group import main


@main.group()
def agents() -> None:
    """Machines that run students' code over HTTPS (`grader agent`)."""


@agents.command("add")
@click.argument("name")
@click.option("--lanes", default="code,gpu", show_default=True, help="What it may run.")
@click.option("--course", "codes", multiple=True, help="Whose code alone; may be repeated.")
@refusable
def add(name: str, lanes: str, codes: tuple[str, ...]) -> None:
    """Make an agent and print its token, which is shown this once.

    \b
    leaderboard agents add gpu-1 --lanes gpu
    """
    from grader.words.message import said
    from leaderboard.accounts import courses
    from leaderboard.agents import registry
    from leaderboard.errors import BadRequest
    from leaderboard.models import Lane

    with opened_state() as state, state.database.session() as session:
        try:
            wanted = [Lane(word.strip()) for word in lanes.split(",")]
        except ValueError as error:
            known = ", ".join(registry.LANES)
            raise BadRequest(said("agent.bad_lanes", lanes=known)) from error
        of = [courses.course_by_code(session, code) for code in codes]
        click.echo(registry.add(session, name, lanes=wanted, courses=of))
        if state.settings.code_runs_on != "agents":
            say("Workers run code themselves: set LEADERBOARD_CODE_RUNS_ON=agents for one.")


@agents.command("list")
@refusable
def list_() -> None:
    """Print every agent: what it runs, where, since when it is silent, how often it failed."""
    from leaderboard.agents import registry
    from leaderboard.db import utcnow

    with opened_state() as state, state.database.session() as session:
        living = {agent.id for agent in registry.live(session, now=utcnow())}
        for agent in registry.every(session):
            condition = "banned" if agent.banned_at else "there" if agent.id in living else "away"
            if agent.is_draining:
                condition += ", draining"
            lanes = ",".join(agent.lanes)
            host = str(agent.facts.get("host", "-"))
            click.echo(f"{agent.name}\t{condition}\t{lanes}\t{host}\t{agent.faults} faults")


@agents.command("drain")
@click.argument("name")
@click.option("--off", is_flag=True, help="Give it work again.")
@refusable
def drain(name: str, off: bool) -> None:
    """Give an agent no more work; what it runs goes on."""
    from leaderboard.agents import registry

    with opened_state() as state, state.database.session() as session:
        registry.drain(session, registry.by_name(session, name), is_on=not off)


@agents.command("ban")
@click.argument("name")
@refusable
def ban(name: str) -> None:
    """Refuse an agent's token from now on; what it runs goes to another."""
    from leaderboard.agents import registry

    with opened_state() as state, state.database.session() as session:
        registry.ban(session, registry.by_name(session, name))
