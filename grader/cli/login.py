"""`grader login`: exchange a password for a token and keep it."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click

from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import TranslatedCommand, checked_address, connect
from grader.cli.terminal.config import save_config
from grader.cli.terminal.console import clean, show, talk
from grader.client.config import LOOPBACK, Config
from grader.words.message import said


@click.command("login", cls=TranslatedCommand)
@click.argument("url")
@click.option("--email", envvar="GRADER_EMAIL", help="Your e-mail address; asked for otherwise.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, for scripts."
)
@click.option("--token", help="Keep this API token, made on the server's token page, instead.")
@click.option("--course", help="The course to use where several have an assignment.")
def login_command(
    url: str, email: str | None, password_stdin: bool, token: str | None, course: str | None
) -> None:
    """Sign in to the server at URL and keep the token.

    \b
    Example: grader login https://grader.example.edu
    """
    address = _safe_address(url)
    if not token:
        token = _token_for(address, email, password_stdin)
    with connect(address, token) as client:
        account = client.me()
    path = save_config(Config(server=address, token=token, course=course))
    show(
        tr(
            "Signed in to {server} as {name} <{email}>.",
            server=address,
            name=clean(account.name),
            email=clean(account.email),
        )
    )
    talk(tr("The token is in {path}, which only you can read.", path=path))


def _safe_address(url: str) -> str:
    """The checked address; one that lets others read the password is warned of."""
    address = checked_address(url)
    parts = urlsplit(address)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        talk(tr("Warning: http sends your password readable by anyone on the way."))
    return address


def _token_for(address: str, email: str | None, password_stdin: bool) -> str:
    email = email or click.prompt(tr(said("word.email")), err=True)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt(tr(said("word.password")), hide_input=True, err=True)
    with connect(address, None) as client:
        return client.login(email, password)
