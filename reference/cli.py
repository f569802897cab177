"""The command `reference`. PyTorch is imported by the commands that need it, when they run."""

from __future__ import annotations

import atexit
import dataclasses
import errno
import gc
import importlib
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

import click
import platformdirs

from reference.errors import Refused

INSTALL = "pip install 'gradewright[reference,explain,search]'"
STATE = Path(platformdirs.user_state_dir("gradewright")) / "rerun.json"
CHANGED = 3
PICTURES = (".png", ".svg", ".pdf")
SEED = click.IntRange(min=0, max=2**32 - 1)

runs_folder = click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of run folders.",
)
data_option = click.option(
    "--data", metavar="SET", help="Image set to train on; else the recipe's own or its stand-in."
)
EXISTING = click.Path(exists=True, path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


ELSEWHERE = {
    "assignment": ("reference.submitting.commands", "assignment_command"),
    "calibrate": ("reference.calibration.commands", "calibrate_command"),
    "explain": ("reference.explain.commands", "explain"),
    "search": ("reference.searching.commands", "search_command"),
    "show": ("reference.inspecting.commands", "show"),
    "roc": ("reference.inspecting.commands", "roc"),
    "smaller": ("reference.inspecting.commands", "smaller"),
}


class Commands(click.Group):
    """A group whose commands end in one sentence on stderr and an exit code, never a traceback.

    Those of `ELSEWHERE` are imported when they are asked for.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, name = ELSEWHERE[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as error:
            fail(str(error), error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:  # `| head` has seen enough: click ends without a word
                raise
            fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 2)
        except ModuleNotFoundError as error:
            fail(f"this command needs {error.name}: {INSTALL}", 2)


@click.group(
    "reference",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="gradewright")
def cli() -> None:
    """Train, pack and hand in the baselines of the course.

    \b
    From nothing to a submission:
      reference assignment fashion-mnist assignments/fashion-mnist
      reference train lenet5
      reference bundle lenet5 --run runs/lenet5-0
      grader submit bundles/lenet5.zip -a fashion-mnist -m "LeNet-5" --wait

    \b
    Exit codes: 0 done, 2 wrong usage or a missing extra, 3 a score has changed,
    4 a fault on the server, 5 network, sign-in, or data that can't be had.
    """


@cli.command("list")
@as_json
def list_command(as_json: bool) -> None:
    """List models and recipes."""
    from reference.recipe import listing

    click.echo(json.dumps(listing.as_dict(), indent=2) if as_json else listing.as_text())


@cli.command("train")
@click.argument("recipe")
@data_option
@click.option("--out", type=click.Path(path_type=Path), help="Default: runs/RECIPE-SEED.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same bits.")
@click.option("--quick", is_flag=True, help="A smoke run: two epochs on 2,000 images.")
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted, same bits.")
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard's events into the folder too.")
@as_json
def train_command(
    recipe: str,
    data: str | None,
    out: Path | None,
    seed: int,
    quick: bool,
    resume: bool,
    tensorboard: bool,
    as_json: bool,
) -> None:
    """Train RECIPE (`reference list` shows them), leaving a run folder.

    RECIPE:CASE is one line of a recipe that stands for a whole table.

    \b
    Example: reference train lenet5 --seed 1
    """
    from reference.recipe import recipe as recipes
    from reference.recipe.stand_in import images_for

    images = images_for(recipe, data, say=talk)
    settings = recipes.load(recipe, data=images.name)
    out = out or Path("runs") / f"{settings.full_name}-{seed}"
    # GNU OpenMP's threads spin for milliseconds before they sleep. With spinning cut short, an
    # epoch of LeNet-5 beside three other busy processes took 26 s instead of 45 s on two cores,
    # and as long as ever on a quiet machine. Read when PyTorch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    from reference.results import collection, curves
    from reference.training.runs import discard_unfinished, finite
    from reference.training.train import train

    kept = collection.finished_in(out, settings, images=images.fingerprint, seed=seed, smoke=quick)
    if kept and resume:
        talk(f"finished already in {out}")
        discard_unfinished(out)
        record = kept
    else:
        if not kept:
            collection.check_room(out)
        watching = curves.TensorBoard(out) if tensorboard else nullcontext(lambda measured: None)
        with watching as watch:
            record = train(
                settings,
                images,
                seed=seed,
                out=out,
                smoke=quick,
                resume=resume,
                say=talk,
                watch=watch,
            )
    curves.plot_curves(out)
    if as_json:
        click.echo(json.dumps({"run": str(out), "seed": seed, **finite(record.result)}))
        return
    result = record.result
    chosen = result["validation_accuracy"]
    validation = f"validation {chosen:.4f}, " if chosen is not None else ""
    click.echo(
        f"{out}: epoch {result['epoch']} of {settings.full_name}, seed {seed}: {validation}"
        f"test {result['test_accuracy']:.4f}, {result['seconds']:.0f} s"
    )


@cli.command("bundle")
@click.argument("name")
@click.option(
    "--run", type=click.Path(path_type=Path), help="The run folder. Default: runs/NAME-0."
)
@click.option(
    "--pack",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Public pack whose test images to predict into NAME.csv.",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("bundles"), show_default=True)
@as_json
def bundle_command(
    name: str, run: Path | None, pack: Path | None, out: Path, as_json: bool
) -> None:
    """Pack a run as submission NAME: a code bundle, and with --pack a prediction CSV.

    \b
    Example: reference bundle lenet5 --run runs/lenet5-0 --pack pack
    """
    from reference.submitting.bundling import bundle

    written = bundle(name, run or Path("runs") / f"{name}-0", out, pack=pack)
    paths = {
        "folder": written.folder,
        "archive": written.archive,
        "predictions": written.predictions,
    }
    shown = {key: str(path) for key, path in paths.items() if path}
    click.echo(json.dumps(shown) if as_json else "\n".join(shown.values()))


@cli.command("ensemble")
@click.argument("name")
@click.option("--run", "runs", type=click.Path(path_type=Path), multiple=True, help="A member.")
@click.option("--csv", "csvs", type=EXISTING, multiple=True, help="A prediction CSV, as a member.")
@click.option("--rule", type=click.Choice(["logits", "probabilities", "votes"]), default="logits")
@click.option("--all", "everyone", is_flag=True, help="Take all members: choose none.")
@click.option("--pack", type=EXISTING, help="Public pack whose test images to predict.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("bundles"), show_default=True)
def ensemble_command(name: str, runs: tuple[Path, ...], csvs: tuple[Path, ...], **how: Any) -> None:
    """Put runs together as submission NAME, members chosen on validation; or prediction CSVs.

    \b
    Example: reference ensemble six --run runs/a-0 --run runs/a-1 --run runs/b-0
             reference ensemble two --csv a.csv --csv b.csv --pack pack --rule probabilities
    """
    from reference.submitting import ensemble_bundle

    if bool(runs) == bool(csvs) or (csvs and not how["pack"]):
        fail("an ensemble is of runs (--run) or of CSVs (--csv) and their --pack", 2)
    click.echo(ensemble_bundle.make(name, runs, csvs, **how))


def picture(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Refuses a kind of picture that can't be drawn, before hours of training and not after."""
    if path is not None and path.suffix not in PICTURES:
        raise click.BadParameter(f"{path} must end in {', '.join(PICTURES)}")
    return path


@cli.command("sweep")
@click.argument("recipe")
@runs_folder
@data_option
@click.option("--seed", "seeds", type=SEED, multiple=True, help="Default: the recipe's seeds.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=picture,
    help="Default: RUNS/RECIPE.png.",
)
@as_json
def sweep_command(
    recipe: str,
    runs: Path,
    data: str | None,
    seeds: tuple[int, ...],
    plot: Path | None,
    as_json: bool,
) -> None:
    """Train RECIPE over its seeds, every line of a table; finished runs are kept.

    Ends with what was reached, and whether the lines differ by more than seeds do.

    \b
    Example: reference sweep lenet5_lr --seed 0 --seed 1
    """
    from reference.recipe.stand_in import images_for
    from reference.results import card_page, cards, plots, sweep
    from reference.results.collection import finished_runs

    table, _, line = recipe.partition(":")
    if line:
        fail(f"a sweep trains all lines of {table}: `reference train {recipe}` trains one", 2)
    images = images_for(recipe, data, say=talk)
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # see `train`
    planned = sweep.plan(recipe, images.name, runs, seeds=tuple(dict.fromkeys(seeds)))
    sweep.run(planned, images, say=talk)
    card = cards.make(recipe, finished_runs(runs))
    plot = plot or runs / f"{card.recipe}.png"
    if plots.plot_card(card, plot):
        talk(f"plot: {plot}")
    click.echo(card.as_json() if as_json else card_page.summary(card))


@cli.command("card")
@click.argument("recipe", required=False)
@runs_folder
@click.option("--make", is_flag=True, help="Make it anew from the run folders, and the pages.")
@as_json
def card_command(recipe: str | None, runs: Path, make: bool, as_json: bool) -> None:
    """Show the card of RECIPE: scores over seeds, by class, times, fingerprints.

    Without RECIPE: all of them in one table; with --make, those that have finished runs.

    \b
    Example: reference card lenet5
             reference card lenet5 --make --runs runs
    """
    from reference.results import card_index, card_page, cards

    if make:
        for path in card_index.make(runs, recipe):
            talk(f"written: {path}")
    if recipe is None:
        every = card_index.kept()
        listed = f"[{','.join(card.as_json() for card in every)}]"
        click.echo(listed if as_json else card_page.overview(every))
        return
    card = cards.read(recipe)
    click.echo(card.as_json() if as_json else card_page.page(card), nl=False)


@cli.command("compare")
@click.argument("rows", nargs=-1)
@as_json
def compare_command(rows: tuple[str, ...], as_json: bool) -> None:
    """Set the reports' figures beside ours: report, as reported, corrected.

    Says which differences within a report are no larger than a change of seed makes. ROWS such as
    002 or 002.3 choose; default: all.

    \b
    Example: reference compare 002
    """
    from reference.recipe import recipe as recipes
    from reference.results import cards, compare, comparison_page

    kept = [cards.read(name) for name in cards.names()]
    known = [recipes.load(name) for name in recipes.names()]
    chosen = [card for card in kept if not rows or compare.is_of(card.row, rows)]
    others = [each for each in known if not rows or compare.is_of(each.row, rows)]
    compared = compare.lines(chosen, others), compare.differences(chosen, others)
    if rows and not compared[0]:
        fail(f"no figure of a report is of row {' or '.join(rows)}: see `reference list`", 2)
    click.echo(
        comparison_page.as_json(*compared) if as_json else comparison_page.as_text(*compared)
    )


@cli.command("rerun")
@click.option("--server", required=True, envvar="REFERENCE_SERVER", help="Address of the server.")
@click.option("-a", "--assignment", required=True, envvar="REFERENCE_ASSIGNMENT", metavar="SLUG")
@click.option("--course", envvar="REFERENCE_COURSE", help="Needed where two courses have the slug.")
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("bundles"),
    show_default=True,
    envvar="REFERENCE_BUNDLES",
    help="Where the bundles NAME.zip are.",
)
@click.option("--token", envvar="REFERENCE_TOKEN", help="Token of the baseline account.")
@click.option(
    "--tokens",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="REFERENCE_TOKENS",
    help='JSON file {"NAME": "TOKEN"}, where each baseline has an account of its own.',
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    default=STATE,
    show_default="in the user's state folder",
    envvar="REFERENCE_STATE",
    help="File that keeps the last scores.",
)
@click.option("--again", is_flag=True, help="Hand in even what was handed in today already.")
@as_json
def rerun_command(
    server: str,
    assignment: str,
    course: str | None,
    folder: Path,
    token: str | None,
    tokens: Path | None,
    state: Path,
    again: bool,
    as_json: bool,
) -> None:
    """Hand every baseline in again and compare its scores with last time.

    Exits with 3 if a score has changed or a baseline was not scored.

    \b
    Example: REFERENCE_TOKEN=… reference rerun --server https://grader.example.edu -a fashion-mnist
    """
    import grader
    from reference.submitting import rerun

    baselines = rerun.find_baselines(folder, token=token, tokens=rerun.read_tokens(tokens))
    compared = []
    try:
        for each in rerun.rerun(
            baselines,
            server=server,
            assignment=assignment,
            course=course,
            state=state,
            again=again,
            say=talk,
        ):
            compared.append(each)
            if not as_json:
                click.echo(str(each))
    except grader.ClientError as error:
        fail(str(error), 4 if isinstance(error, grader.ApiError) else 5)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in compared], indent=2))
    if any(each.state == "changed" or each.now.verdict != "OK" for each in compared):
        sys.exit(CHANGED)


def talk(line: str) -> None:
    """Say something to the person at the terminal; results go to stdout, talk does not."""
    click.echo(line, err=True)


def fail(message: str, exit_code: int) -> NoReturn:
    """End the command."""
    talk(f"reference: {message}")
    sys.exit(exit_code)


def main() -> None:
    """The console script `reference`."""
    atexit.register(gc.freeze)  # the end does not look through PyTorch for garbage: half a second
    cli(prog_name="reference")
