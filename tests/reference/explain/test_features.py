"""Features in two dimensions: PCA against the singular value decomposition, t-SNE by neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reference import models
from reference.errors import ExplainError
from reference.explain.features import features, pca, tsne


def test_features_are_what_the_last_layer_is_given():
    entry = models.find("small_cnn")
    network = entry.build(10).eval()
    inputs = torch.randn(3, 1, 28, 28)

    found = features(network, inputs, entry.classifier)

    assert found.shape == (3, 128 * 3 * 3)
    with torch.no_grad():
        last = network.get_submodule(entry.classifier)
        assert torch.allclose(last(torch.from_numpy(found)), network(inputs), atol=1e-5)


def test_features_of_a_network_that_ends_with_maps_are_their_means():
    entry = models.find("nin")
    network = entry.build(10, channels=1, size=28, width=24).eval()

    assert features(network, torch.randn(2, 1, 28, 28), entry.classifier).shape == (2, 24)


def test_pca_is_the_singular_value_decomposition():
    vectors = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32)
    vectors[:, 2] *= 5
    centred = vectors.astype(np.float64) - vectors.astype(np.float64).mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * sizes[:2]

    points, shares = pca(vectors)

    signs = np.sign((points * expected).sum(axis=0))
    assert np.allclose(points, expected * signs)
    assert np.allclose(shares, sizes[:2] ** 2 / (sizes**2).sum())


def test_tsne_keeps_groups_together_and_repeats_itself():
    draw = np.random.default_rng(0)
    centres = 10 * np.eye(3, 8)
    labels = np.repeat(np.arange(3), 30)
    vectors = (centres[labels] + draw.normal(size=(90, 8))).astype(np.float32)

    points = tsne(vectors)

    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (labels[apart.argmin(axis=1)] == labels).all()
    assert np.array_equal(points, tsne(vectors))


def test_too_few_images_are_refused():
    with pytest.raises(ExplainError, match="says nothing"):
        tsne(np.zeros((9, 4), dtype=np.float32))
    with pytest.raises(ExplainError, match="no two directions"):
        pca(np.zeros((1, 4), dtype=np.float32))
