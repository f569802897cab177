"""`leaderboard drafts`: assignments that are made or changed, and not published as they are."""

from __future__ import annotations

from pathlib import Path

import click

from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.group import main


@main.command()
@click.argument("course")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An archive of labelled pictures, an .npz, or an assignment's folder packed.",
)
@click.option("--slug", default="", help="With --from: the new assignment's short name.")
@click.option("--title", default="", help="With --from: its title; default: the slug.")
@click.option("--publish", type=int, metavar="NUMBER", help="Publish a draft; it goes.")
@click.option("--drop", type=int, metavar="NUMBER", help="Throw a draft away.")
@refusable
def drafts(
    course: str,
    source: Path | None,
    slug: str,
    title: str,
    publish: int | None,
    drop: int | None,
) -> None:
    """List a course's drafts of assignments; make, publish or drop one.

    \b
    leaderboard drafts dl-2026 --from marine.zip --slug marine
    leaderboard drafts dl-2026 --publish 3
    """
    from leaderboard.accounts import courses
    from leaderboard.drafts import keeping, making

    if (source is None) != (not slug):
        raise click.UsageError("--from FILE and --slug NAME go together.")
    with opened_state() as state, state.database.session() as session:
        found = courses.course_by_code(session, course)
        if source is not None:
            wanted = making.Wanted(slug=slug, title=title)
            making.make(session, state, found, source, wanted, actor=None)
        if publish is not None:
            about = keeping.one(session, found, publish)
            seen = about.folder_sha256
            made = keeping.publish(session, state, about, seen=seen, actor=None)
            say(f"{course}/{made.slug} is published")
        if drop is not None:
            keeping.drop(session, keeping.one(session, found, drop), actor=None)
        click.echo("number\tslug\timages\tchanged")
        for each in keeping.of_course(session, found):
            loaded = state.catalog.load_version(each.folder_sha256)
            count, changed = len(loaded.answer_key().ids), each.changed_at.isoformat()
            click.echo(f"{each.id}\t{loaded.slug}\t{count}\t{changed}")
