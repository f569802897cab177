"""`grader keys`: what can stand in assignment.toml (staff)."""

from __future__ import annotations

import click

from grader.cli.chinese.messages import language, tr
from grader.cli.terminal.base import TranslatedCommand, json_option
from grader.cli.terminal.console import show, show_json


@click.command("keys", cls=TranslatedCommand)
@click.argument("name", required=False)
@click.option("--markdown", is_flag=True, help="Print tables in Markdown.")
@json_option
def keys_command(name: str | None, markdown: bool, as_json: bool) -> None:
    """Print an assignment.toml with every key, its meaning and an example; or explain key NAME.

    \b
    Example: grader keys schedule.due
    """
    from grader.settings.key_reference import as_markdown, as_toml, keys

    found = [each for each in keys() if name in (None, each.name, each.path, each.table)]
    if not found:
        raise click.UsageError(tr("there is no key {name}: grader keys lists all", name=name))
    if as_json:
        show_json([{**vars(each), "meaning": each.meaning(language())} for each in found])
    elif markdown:
        show(as_markdown(language()).rstrip())
    elif name is None:
        show(as_toml(language()).rstrip())
    else:
        for each in found:
            show(f"{each.path}: {each.meaning(language())}")
            show("  " + tr("valid: {valid}", valid=each.valid))
            show("  " + tr("default: {default}", default=each.default or "–"))
            show("  " + tr("example: {example}", example=f"{each.name} = {each.example}"))
