"""Runs put together: the rules by hand, the choice on validation, the bundle in the sandbox."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from needs import runner_or_missing

import grader
import sandbox
from reference import cli
from reference.data import ImageSet, stratified_split
from reference.errors import PackError, RunError
from reference.recipe import recipe
from reference.submitting import assignments, ensemble_bundle, ensembles
from reference.submitting.combining import RULES, combine
from reference.training.runs import RunRecord
from reference.training.train import train

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def members(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three smoke runs of two widths that share their validation images."""
    home = tmp_path_factory.mktemp("members")
    for seed in SEEDS:
        case = "24-48-96" if seed == 1 else "16-32-64"
        settings = recipe.load(f"ensemble:{case}", data="digits")
        train(settings, digits, seed=seed, out=home / f"m-{seed}", smoke=True)
    return [home / f"m-{seed}" for seed in SEEDS]


@pytest.fixture(scope="module")
def pack(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("course")
    assignments.write_assignment(digits, home / "digits", seed=1)
    grader.write_public_pack(grader.Assignment.load(home / "digits"), home / "pack")
    return home / "pack"


def logits(members: int, images: int, classes: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [3 * torch.randn(images, classes, generator=generator) for _ in range(members)]


def softmax(row: list[float]) -> list[float]:
    total = sum(math.exp(value) for value in row)
    return [math.exp(value) / total for value in row]


def by_hand(rows: list[list[float]], rule: str) -> list[float]:
    """One image: the members' logits to scores."""
    if rule == "logits":
        return [sum(column) for column in zip(*rows, strict=True)]
    means = [sum(column) / len(rows) for column in zip(*map(softmax, rows), strict=True)]
    if rule == "probabilities":
        return means
    votes = [row.index(max(row)) for row in rows]
    return [votes.count(k) + mean / 2 for k, mean in enumerate(means)]


@pytest.mark.parametrize("rule", RULES)
def test_scores_are_those_by_hand(rule: str):
    each = logits(4, 20, 3)

    together = combine(each, rule)

    for image, row in enumerate(together.tolist()):
        assert row == pytest.approx(by_hand([m[image].tolist() for m in each], rule), rel=1e-5)


def test_equal_votes_are_decided_by_the_mean_probability_and_more_votes_win_over_it():
    sure, unsure = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 0.1]])

    assert combine([unsure, sure], "votes").argmax().item() == 0
    assert combine([unsure, unsure, sure], "votes").argmax().item() == 1
    assert combine([unsure, unsure, sure], "probabilities").argmax().item() == 0


def test_a_rule_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="no rule 'median'"):
        combine(logits(2, 1, 2), "median")


def test_selection_takes_the_best_first_then_what_helps_and_nothing_else():
    labels = torch.tensor([0, 0, 1, 1])
    right = torch.nn.functional.one_hot(labels, 2).float()
    best = right.clone()
    best[0] = torch.tensor([0.4, 0.6])  # wrong of the first image, and not sure
    helpful = right.clone()
    helpful[2:] = torch.tensor([[0.9, 0.1], [0.9, 0.1]])
    harmful = 5 * (1 - right)

    assert ensembles.forward([harmful, helpful, best], labels, "logits") == [2, 1]


def test_members_are_chosen_on_images_that_none_was_trained_on(
    members: list[Path], digits: ImageSet
):
    chosen = ensembles.choose(members, digits, "logits", all_of_them=False)

    _, rows = stratified_split(digits.train_labels, 0.05, seed=0)
    labels = torch.from_numpy(digits.train_labels[rows])
    assert len(chosen.members[0].validation) == len(rows)
    alone = [
        ensembles.accuracy_of([each.validation], labels, "logits")
        for each in ensembles.members_of(members, digits)
    ]
    assert chosen.validation_accuracy >= max(alone)
    assert chosen.members[0].run == members[alone.index(max(alone))]
    tried = [
        ensembles.accuracy_of([each.test], torch.from_numpy(digits.test_labels), "logits")
        for each in ensembles.members_of(members, digits)
    ]
    assert chosen.best_tried.accuracy == max(tried) >= chosen.best_member.accuracy


def test_a_run_with_validation_images_of_its_own_is_refused(
    members: list[Path], run: Path, digits: ImageSet
):
    with pytest.raises(RunError, match="same_validation = true"):
        ensembles.members_of([members[0], run], digits)


def test_sandbox_answers_what_the_training_process_answers(
    members: list[Path], digits: ImageSet, tmp_path: Path
):
    chosen = ensembles.choose(members, digits, "votes", all_of_them=True)
    ensemble_bundle.write_bundle(members, "votes", tmp_path / "bundle")

    with runner_or_missing() as runner:
        images = digits.test_images[:, 0]
        limits = sandbox.RunLimits(wall_seconds=100, memory_mb=4096)
        result = runner.run(tmp_path / "bundle", images, num_classes=10, limits=limits)

    assert result.verdict == "OK", result.detail
    expected = combine([each.test for each in chosen.members], "votes")
    assert np.array_equal(result.labels, expected.argmax(dim=1).numpy())
    assert np.allclose(result.scores, expected.numpy(), rtol=0, atol=1e-4)


def test_command_leaves_bundle_and_csv_that_say_the_same(
    members: list[Path], pack: Path, tmp_path: Path
):
    runs = [word for each in members for word in ("--run", str(each))]
    out = CliRunner().invoke(
        cli.cli, ["ensemble", "three", *runs, "--all", "--pack", str(pack), "--out", str(tmp_path)]
    )

    assert out.exit_code == 0, out.output
    assert "3 of 3 members by logits" in out.stdout
    assert "McNemar p =" in out.stdout
    assert (tmp_path / "three.zip").is_file()
    expected = grader.Pack.load(pack).expected()
    read = grader.parse_predictions((tmp_path / "three.csv").read_bytes(), expected)
    images = np.load(pack / "test" / "images.npy")[:, None]
    each = [ensembles.logits_of(run, RunRecord.read(run), images.copy()) for run in members]
    assert np.allclose(read.scores, combine(each, "logits").numpy())


def test_tables_of_probabilities_are_averaged(pack: Path, tmp_path: Path):
    expected = grader.Pack.load(pack).expected()
    shares = [each.softmax(dim=1) for each in logits(2, len(expected.ids), 10)]
    for number, share in enumerate(shares):
        lines = [
            f"{name},{','.join(map(repr, row))}"
            for name, row in zip(expected.ids, share.tolist(), strict=True)
        ]
        header = f"id,{','.join(grader.Pack.load(pack).classes)}"
        (tmp_path / f"{number}.csv").write_text("\n".join([header, *lines]) + "\n")

    tables = [tmp_path / "0.csv", tmp_path / "1.csv"]
    ensemble_bundle.combine_tables(tables, pack, "probabilities", tmp_path / "both.csv")

    read = grader.parse_predictions((tmp_path / "both.csv").read_bytes(), expected)
    assert np.allclose(read.scores, ((shares[0] + shares[1]) / 2).numpy(), atol=1e-6)


def test_tables_of_labels_can_vote_and_nothing_else(pack: Path, tmp_path: Path):
    expected = grader.Pack.load(pack).expected()
    for number, label in enumerate((3, 5, 5)):
        lines = "".join(f"{name},{label}\n" for name in expected.ids)
        (tmp_path / f"{number}.csv").write_text(f"id,label\n{lines}")
    tables = [tmp_path / f"{number}.csv" for number in range(3)]

    with pytest.raises(PackError, match="only --rule votes"):
        ensemble_bundle.combine_tables(tables, pack, "logits", tmp_path / "out.csv")
    ensemble_bundle.combine_tables(tables, pack, "votes", tmp_path / "out.csv")

    read = grader.parse_predictions((tmp_path / "out.csv").read_bytes(), expected)
    assert set(read.scores.argmax(axis=1)) == {5}
