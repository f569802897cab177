"""Ways to make class activation maps: known here without loading what computes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# name -> the class of torchcam ("": ours, see `plus_plus`), and the paper
METHODS: Final[Mapping[str, tuple[str, str]]] = {
    "cam": ("CAM", "Zhou et al. 2016, arXiv:1512.04150"),
    "grad-cam": ("GradCAM", "Selvaraju et al. 2017, arXiv:1610.02391"),
    "grad-cam++": ("", "Chattopadhyay et al. 2018, arXiv:1710.11063"),
    "smooth-grad-cam++": ("", "Omeiza et al. 2019, arXiv:1908.01224"),
    "score-cam": ("ScoreCAM", "Wang et al. 2020, arXiv:1910.01279"),
    "ss-cam": ("SSCAM", "Wang et al. 2020, arXiv:2006.14255"),
}
