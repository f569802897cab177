"""The small CNN where neighbouring pixels come in as channels."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reference import models


def test_unshuffled_small_cnn_sees_neighbours_as_channels_and_pools_once_less():
    whole = models.find("small_cnn").build(10)
    halved = models.find("small_cnn").build(10, unshuffle=2)
    images = torch.rand(2, 1, 28, 28)

    assert halved(images).shape == (2, 10)
    assert halved.features[0].weight.shape == (32, 4, 3, 3)
    pools = [sum(isinstance(m, nn.MaxPool2d) for m in each.modules()) for each in (whole, halved)]
    assert pools == [3, 2]
    seen = []
    halved.features.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    halved(images)
    assert torch.equal(seen[0][:, 1], images[:, 0, ::2, 1::2])
    with pytest.raises(ValueError, match="can't be divided"):
        models.find("small_cnn").build(10, size=27, unshuffle=2)
