"""What the last layer is given, and that in two dimensions: by PCA, or by t-SNE (openTSNE)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from openTSNE import TSNE
from sklearn.decomposition import PCA
from torch import Tensor, nn

from reference.errors import ExplainError
from reference.explain.maps import check_layer

BATCH = 256
PERPLEXITY = 30


def features(model: nn.Module, inputs: Tensor, classifier: str) -> NDArray[np.float32]:
    """What the layer `classifier` is given for each image; maps are averaged.

    Shapes: N×C×H×W float → N×F float32.

    Raises:
        ExplainError: there is no such layer.
    """
    check_layer(model, classifier)
    taken: list[Tensor] = []
    hook = model.get_submodule(classifier).register_forward_pre_hook(
        lambda module, given: taken.append(given[0].detach().float().cpu())
    )
    try:
        with torch.no_grad():
            for batch in inputs.split(BATCH):
                model.eval()(batch)
    finally:
        hook.remove()
    found = torch.cat(taken)
    if found.ndim > 2:
        found = found.flatten(2).mean(dim=2)
    vectors: NDArray[np.float32] = found.numpy()
    return vectors


def pca(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """The two directions of most variance, and which share of it each holds.

    Signs as scikit-learn fixes them (the largest loading of each direction is positive).

    Shapes: N×F → N×2.

    Raises:
        ExplainError: fewer than two images or features.
    """
    if min(vectors.shape) < 2:
        raise ExplainError(f"features of shape {vectors.shape} have no two directions")
    reduced = PCA(n_components=2, svd_solver="full").fit(vectors.astype(np.float64))
    first, second = reduced.explained_variance_ratio_.tolist()
    return reduced.transform(vectors.astype(np.float64)), (first, second)


def tsne(vectors: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.float64]:
    """Neighbours stay neighbours; distances between groups mean nothing.

    van der Maaten and Hinton 2008; begun from PCA (Kobak and Berens 2019), so that the picture is
    no matter of chance.

    Shapes: N×F → N×2.

    Raises:
        ExplainError: fewer than ten images.
    """
    if len(vectors) < 10:
        raise ExplainError(f"t-SNE of {len(vectors)} images says nothing: take ten at least")
    perplexity = min(PERPLEXITY, (len(vectors) - 1) // 3)
    made = TSNE(
        perplexity=perplexity, initialization="pca", neighbors="exact", random_state=seed, n_jobs=1
    ).fit(vectors.astype(np.float64))
    return np.asarray(made, dtype=np.float64)
