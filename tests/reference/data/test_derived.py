"""Tasks derived from real images, generated stand-ins, resampling and splits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reference.data import (
    ImageSet,
    derived,
)
from reference.data.resampling import long_tail, over_sample, resample, under_sample
from reference.data.splits import read_split, stratified_parts, write_split
from reference.errors import DataError


def test_long_tail_is_real_images_and_reaches_ten(fashion: ImageSet):
    tail = derived.long_tailed(fashion)

    counts = np.bincount(tail.train_labels)
    assert (counts[0], counts[-1]) == (6_000, 10)
    assert (np.diff(counts) < 0).all()
    assert np.array_equal(tail.test_labels, fashion.test_labels)
    assert "6000, 2948, 1448" in tail.notice
    assert tail.fingerprint == derived.long_tailed(fashion).fingerprint != fashion.fingerprint


def test_coarse_labels_group_all_ten_classes(fashion: ImageSet):
    coarse = derived.coarse(fashion)

    groups = [coarse.classes[label] for label in coarse.test_labels]
    names = [fashion.classes[label] for label in fashion.test_labels]
    assert sorted(name for group in derived.COARSE.values() for name in group) == sorted(
        fashion.classes
    )
    assert all(name in derived.COARSE[group] for name, group in zip(names, groups, strict=True))


def test_noisy_task_has_the_competitions_counts(fashion: ImageSet):
    noisy = derived.noisy(fashion)

    assert (len(noisy.train_labels), len(noisy.test_labels)) == (30_000, 5_000)
    assert np.bincount(noisy.test_labels).tolist() == [500] * 10
    # nothing but noise is black background now
    assert (noisy.train_images == 255).mean() > (fashion.train_images == 255).mean() + 0.03


def test_one_class_is_over_represented(fashion: ImageSet):
    large = derived.one_large(fashion)

    counts = np.bincount(large.train_labels)
    assert counts[large.classes.index("Sandal")] == 6_000
    assert sorted(counts)[:9] == [1_500] * 9


@pytest.mark.parametrize("derive", [derived.coarse, derived.noisy, derived.one_large])
def test_small_task_keeps_the_proportions_of_its_classes(
    fashion: ImageSet, derive: Callable[[ImageSet], ImageSet]
):
    whole = derive(fashion)
    small = derived.small(whole)

    for few, all_of_them in (
        (small.train_labels, whole.train_labels),
        (small.test_labels, whole.test_labels),
    ):
        expected = np.bincount(all_of_them) * derived.SMALL / len(all_of_them)
        assert np.abs(np.bincount(few) - expected).max() <= 0.5
    assert small.name == f"{whole.name}-small"
    assert small.notice.startswith(whole.notice)
    assert small.fingerprint != whole.fingerprint


LABELS = np.repeat([0, 1, 2], [50, 20, 5])


def test_sampling_bounds_each_class():
    assert np.bincount(LABELS[under_sample(LABELS, 20, seed=0)]).tolist() == [20, 20, 5]
    assert np.bincount(LABELS[over_sample(LABELS, 20, seed=0)]).tolist() == [50, 20, 20]
    both = resample(LABELS, most=30, least=10, seed=0)
    assert np.bincount(LABELS[both]).tolist() == [30, 20, 10]
    assert np.array_equal(resample(LABELS, most=0, least=0, seed=0), np.arange(75))


def test_under_sampling_repeats_no_image_and_over_sampling_loses_none():
    fewer = under_sample(LABELS, 20, seed=0)

    assert len(set(fewer.tolist())) == len(fewer)
    assert set(over_sample(LABELS, 60, seed=0).tolist()) == set(range(75))
    assert not np.array_equal(fewer, under_sample(LABELS, 20, seed=1))


def test_long_tail_asks_for_no_more_than_there_is():
    with pytest.raises(ValueError, match="class 2 holds 5 images, not 6"):
        long_tail(LABELS, {0: 10, 1: 10, 2: 6}, seed=0)


def test_parts_are_stratified_and_give_every_row_out():
    parts = stratified_parts(LABELS, (0.6, 0.2, 0.2), seed=0)

    assert [np.bincount(LABELS[part]).tolist() for part in parts] == [
        [30, 12, 3],
        [10, 4, 1],
        [10, 4, 1],
    ]
    assert sorted(np.concatenate(parts).tolist()) == list(range(75))


def test_index_file_holds_a_split_and_fits_its_labels_only(tmp_path: Path):
    training, test = stratified_parts(LABELS, (0.8, 0.2), seed=0)
    path = tmp_path / "splits" / "8-2.json"

    write_split(path, LABELS, {"training": training, "test": test})

    assert np.array_equal(read_split(path, LABELS)["test"], test)
    with pytest.raises(DataError, match="made for other labels"):
        read_split(path, LABELS[::-1].copy())
    content = json.loads(path.read_text())
    content["rows"]["test"] += content["rows"]["training"][:1]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="gives one row to two parts"):
        read_split(path, LABELS)
    path.write_text("[]")
    with pytest.raises(DataError, match="is not an index file"):
        read_split(path, LABELS)
