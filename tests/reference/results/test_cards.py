"""Sweeps, cards and comparisons, from runs that were really trained (small, on the digits)."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
import statistics
from pathlib import Path

import pytest
from click.testing import CliRunner

from reference.cli import cli
from reference.data import ImageSet
from reference.errors import RunError
from reference.recipe import recipe
from reference.results import (
    card_index,
    card_page,
    cards,
    compare,
    comparison_page,
    plots,
    sweep,
)
from reference.results.cards import Card
from reference.results.collection import finished_runs, runs_of, settings_of_recipe, settings_of_run
from reference.results.spread import difference_limit, pooled_sd, summarise
from reference.training.runs import RunRecord


def test_sweep_trains_every_case_with_every_seed(runs: Path):
    assert sorted(run.folder.name for run in finished_runs(runs)) == [
        "rates-0.02-0",
        "rates-0.02-1",
        "rates-0.05-0",
        "rates-0.05-1",
    ]


def test_sweep_that_was_stopped_trains_only_what_is_missing(
    table: Path, runs: Path, digits: ImageSet, tmp_path: Path
):
    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    before = (copy / "rates-0.05-1" / "run.json").stat().st_mtime_ns
    shutil.rmtree(copy / "rates-0.02-1")
    said: list[str] = []

    sweep.run(sweep.plan(str(table), "digits", copy), digits, say=said.append)

    assert sum("finished in" in line for line in said) == 3
    assert (copy / "rates-0.05-1" / "run.json").stat().st_mtime_ns == before
    assert RunRecord.read(copy / "rates-0.02-1").result == pytest.approx(
        RunRecord.read(runs / "rates-0.02-1").result | {"seconds": pytest.approx(0, abs=600)}
    )


def test_card_summarises_what_the_runs_measured(card: Card, runs: Path):
    measured = [
        RunRecord.read(runs / f"rates-0.05-{seed}").result["test_accuracy"] for seed in (0, 1)
    ]
    summary = card.entries[0].scores["test_accuracy"]

    assert card.entries[0].values == measured
    assert summary.mean == pytest.approx(statistics.fmean(measured))
    assert summary.sd == pytest.approx(statistics.stdev(measured))
    assert [entry.case for entry in card.entries] == ["0.05", "0.02"]
    assert card.test_images == 539
    assert len(card.entries[0].per_class) == 10
    assert card.entries[0].runs[0].environment["threads"] == 1
    assert len(card.entries[0].runs[0].code) == 64


def test_card_is_read_as_it_was_written(card: Card, no_cards: Path):
    path = cards.write(card)

    # through JSON once, since a card's sequences are lists there
    assert json.loads(cards.read("rates").as_json()) == json.loads(card.as_json())
    assert path == no_cards / "rates.json"
    with pytest.raises(RunError, match="there is no card 'rate'; did you mean rates"):
        cards.read("rate")


def test_a_damaged_card_is_named(card: Card, no_cards: Path):
    path = cards.write(card)

    for content in ("{", "[]", '{"format": 1}', '{"format": 1, "entries": [{}], "noise": null}'):
        path.write_text(content)
        with pytest.raises(RunError, match=r"rates\.json can't be read"):
            cards.read("rates")
    path.write_text('{"format": 2}')
    with pytest.raises(RunError, match="is of format 2, not 1"):
        cards.read("rates")


def test_runs_belong_to_what_they_trained_not_to_their_name(
    table: Path, runs: Path, tmp_path: Path
):
    renamed = tmp_path / "another.toml"
    renamed.write_text(
        table.read_text(encoding="utf-8").replace("Learning rates", "Other title"), encoding="utf-8"
    )
    changed = tmp_path / "changed.toml"
    changed.write_text(
        table.read_text(encoding="utf-8").replace("momentum = 0.9", "momentum = 0.8"),
        encoding="utf-8",
    )
    finished = finished_runs(runs)

    assert sorted(runs_of(recipe.load(f"{renamed}:0.05"), finished)) == [0, 1]
    assert runs_of(recipe.load(f"{changed}:0.05"), finished) == {}
    with pytest.raises(RunError, match="no finished run of changed"):
        cards.make(str(changed), finished)


def test_runs_on_two_states_of_an_image_set_are_not_put_together(
    table: Path, runs: Path, tmp_path: Path
):
    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    record = json.loads((copy / "rates-0.05-1" / "run.json").read_text())
    record["data"]["sha256"] = "0" * 64
    (copy / "rates-0.05-1" / "run.json").write_text(json.dumps(record))

    with pytest.raises(RunError, match=r"before and after digits changed: .*rates-0\.05-1"):
        cards.make(str(table), finished_runs(copy))


def test_run_from_before_a_setting_existed_is_still_known(table: Path, runs: Path):
    record = RunRecord.read(runs / "rates-0.05-0")
    old = json.loads(json.dumps(record.settings))
    for name in ("decay", "gamma", "nesterov"):
        del old["training"][name]
    old["training"]["warmup"] = 0.25  # was recorded for every schedule then
    old["training"]["step_epochs"] = 0  # is gone, and was off
    del old["sampling"]

    known = settings_of_run(dataclasses.replace(record, settings=old))

    assert known == settings_of_recipe(recipe.load(f"{table}:0.05"))
    assert known == {
        "model": {"name": "lenet5", "activation": "relu"},
        "training": {"epochs": 4, "batch_size": 64, "lr": 0.05, "momentum": 0.9},
    }


def test_smoke_runs_make_no_card(table: Path, run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "runs" / "small_cnn-3")

    assert finished_runs(tmp_path / "runs") == ()


def test_collapsed_loss_is_null_in_a_card(card: Card):
    first = card.entries[0]
    collapsed = dataclasses.replace(first.runs[0], train_loss=math.nan)
    entry = dataclasses.replace(first, runs=(collapsed,))

    written = json.loads(dataclasses.replace(card, entries=(entry,)).as_json())

    assert written["entries"][0]["runs"][0]["train_loss"] is None


def test_page_says_first_when_images_are_not_the_reports(card: Card):
    notice = "A task derived from Fashion-MNIST."

    page = card_page.page(dataclasses.replace(card, notice=notice))

    assert page.splitlines()[0] == f"**{notice}**"
    assert card_page.page(card).splitlines()[0] == "# Learning rates"


def test_page_holds_figures_verdict_and_fingerprints(card: Card):
    page = card_page.page(card)

    assert str(card.entries[0].scores["test_accuracy"]) in page
    assert card.entries[0].runs[0].code[:12] in page
    assert card.entries[0].data["sha256"][:12] in page
    assert "The means of 2 settings lie" in page
    assert "analysis of variance with seeds as blocks p = " in page
    assert "The report's figures lie .4000 apart" in page


def test_comparison_says_what_lies_within_noise(card: Card):
    mean = card.entries[0].scores["test_accuracy"].mean
    close = dataclasses.replace(card.entries[0], reported={"test_accuracy": mean + 0.001})
    far = dataclasses.replace(card.entries[1], reported={"test_accuracy": 2.0})

    close_line, far_line = compare.lines([dataclasses.replace(card, entries=(close, far))])

    assert close_line.within_noise is True
    assert far_line.within_noise is False
    assert close_line.as_reported == card.entries[0].scores["test_accuracy"]


def test_comparison_finds_the_corrected_recipe_of_the_row(card: Card):
    first = dataclasses.replace(card.entries[0], case="", reported={})
    corrected = dataclasses.replace(card, variant="corrected", entries=(first,))
    other_row = dataclasses.replace(corrected, row="9.2")

    found = compare.lines([card, corrected])[0]
    alone = compare.lines([card, other_row])[0]

    assert found.corrected == first.scores["test_accuracy"]
    assert alone.corrected is None


def test_comparison_does_not_judge_figures_of_other_images(card: Card):
    data = {**card.entries[0].data, "name": "generated-patterns"}
    entry = dataclasses.replace(card.entries[0], data=data)

    (line,) = compare.lines([dataclasses.replace(card, entries=(entry,))])

    assert not line.same_data
    assert line.within_noise is None
    assert f"can't be compared: ours is on {data['title']}" in comparison_page.as_text([line], [])


def test_differences_of_a_table_are_held_against_the_scatter_of_seeds(card: Card):
    (difference,) = compare.differences([card])

    pooled = pooled_sd([entry.values for entry in card.entries])
    assert difference.reported == pytest.approx(0.4)
    assert pooled
    assert difference.limit == pytest.approx(difference_limit(pooled, 2))
    text = comparison_page.as_text(compare.lines([card]), [difference])
    assert "rates: of 1 differences" in text


def test_figures_that_are_means_of_ten_are_held_against_the_noise_of_means(card: Card):
    of_ten = dataclasses.replace(card, reported_runs=10)

    (single,), (mean,) = compare.differences([card]), compare.differences([of_ten])

    assert mean.limit == pytest.approx(single.limit / math.sqrt(10))
    assert "two means of 10 runs of one setting" in comparison_page.as_text([], [mean])
    assert "as many means of 10 runs of one setting span" in card_page.page(of_ten)


def test_figures_that_were_never_run_are_shown_and_held_against_their_images():
    known = [recipe.load(name) for name in ("resnet34_as_reported", "vgg16_as_reported")]

    shown = compare.lines([], known)
    (difference,) = compare.differences([], known)

    assert {line.recipe for line in shown} == {"resnet34_as_reported", "vgg16_as_reported"}
    assert all(line.as_reported is None for line in shown)
    # .58 and .59 of 1,041 pictures: what the report makes a ranking of
    assert difference.table == "report 000"
    assert abs(difference.reported) == pytest.approx(0.01)
    assert difference.within_noise
    assert "not run" in comparison_page.as_text(shown, [difference])


def test_commands_show_what_was_kept(table: Path, runs: Path, no_cards: Path):
    def reference(*arguments: str) -> str:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    told = ["--runs", str(runs)]
    cards.write(cards.make(str(table), finished_runs(runs)))
    swept = reference("sweep", str(table), *told)
    made = reference("card", "rates", *told)
    shown = json.loads(reference("card", "rates", "--json"))
    compared = json.loads(reference("compare", "9", "--json"))

    assert "| 0.05 | Handwritten digits | test accuracy | .5000 |" in swept
    assert made.startswith("# Learning rates")
    assert shown["recipe"] == "rates"
    assert len(compared["figures"]) == 2
    nothing = CliRunner().invoke(cli, ["compare", "9.7"])
    assert (nothing.exit_code, nothing.stdout) == (2, "")
    assert "no figure of a report is of row 9.7" in nothing.stderr
    assert (runs / "rates.png").stat().st_size > 5_000


def test_plot_draws_every_case(card: Card, tmp_path: Path):
    plots.plot_card(card, tmp_path / "deep" / "card.svg")

    drawn = (tmp_path / "deep" / "card.svg").read_text()
    assert "0.05" in drawn
    assert "0.02" in drawn


def test_of_trials_alone_nothing_is_drawn(card: Card, tmp_path: Path):
    tried = [
        dataclasses.replace(each, runs=each.runs[:1], data={**each.data, "name": "digits-small"})
        for each in card.entries
    ]
    trial = dataclasses.replace(card, entries=tried)

    assert not plots.plot_card(trial, tmp_path / "card.svg")
    assert not (tmp_path / "card.svg").exists()
    assert "## Does it train?" in card_page.summary(trial)


@pytest.mark.parametrize("name", cards.names())
def test_shipped_card_fits_its_recipe(name: str):
    shipped = cards.read(name)
    settings = recipe.load(name)

    assert (shipped.recipe, shipped.row, shipped.variant) == (
        settings.name,
        settings.row,
        settings.variant,
    )
    cases = [case.name for case in settings.cases]
    assert {entry.case for entry in shipped.entries} <= set(cases or [""])
    for entry in shipped.entries:
        case = f"{name}:{entry.case}" if entry.case else name
        trained = settings_of_recipe(recipe.load(case, data=entry.data["name"]))
        assert entry.settings == trained, f"{name} has changed: train it again, then its card"
        pooled = [run for run in entry.runs if run in entry.pooled]
        assert len({run.code for run in pooled}) == min(1, len(pooled))
        if pooled:
            expected = summarise([run.test_accuracy for run in pooled])
            assert entry.scores["test_accuracy"] == expected
        if entry.data["name"] != settings.data:
            assert entry.data["notice"] in shipped.notice
            assert re.match(f"(Not run|Run) on {settings.data!r}", shipped.notice)
            assert card_page.page(shipped).startswith(f"**{shipped.notice}**")


def test_pages_are_those_of_the_shipped_cards():
    every = card_index.kept()
    readme = card_index.README.read_text(encoding="utf-8")

    assert readme == card_index.with_table(readme, every)
    assert (cards.FOLDER / "README.md").read_text(encoding="utf-8") == card_index.index(every)
    pages = {path.stem: path.read_text(encoding="utf-8") for path in cards.FOLDER.glob("*.md")}
    assert pages.pop("README")
    assert pages == {card.recipe: card_page.page(card) for card in every}
    drawn = {path.stem for path in cards.FOLDER.glob("*.svg")}
    assert drawn == {card.recipe for card in every if card_page.picture(card)}


def test_making_cards_writes_their_pages(runs: Path, table: Path, no_cards: Path, tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{card_index.START}\nold\n{card_index.END}\nafter\n")
    cards.write(cards.make(str(table), finished_runs(runs)))

    written = card_index.write_pages(readme)

    index = (no_cards / "README.md").read_text()
    assert "[Learning rates](rates.md) (row 9.1, `reference sweep rates`)" in index
    assert (no_cards / "rates.md").read_text().startswith("# Learning rates")
    names = {"README.md", "rates.md", "rates.svg"}
    assert set(written) == {readme, *(no_cards / name for name in names)}
    assert "](rates.svg)" in index
    assert (no_cards / "rates.svg").read_text().count("<use") > 4  # dots are drawn by reference
    assert readme.read_text().startswith("before")
    assert "old" not in readme.read_text()
