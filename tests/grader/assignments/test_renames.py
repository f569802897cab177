"""Which classes were renamed is told by the images that are of them."""

import numpy as np
import pytest

from grader import AnswerKey
from grader.assignments.renames import renamed_classes


def key(classes: list[str], labels: list[str], first: int = 0) -> AnswerKey:
    return AnswerKey(
        ids=tuple(f"i{row}" for row in range(first, first + len(labels))),
        labels=np.array([classes.index(label) for label in labels]),
        public=np.ones(len(labels), dtype=bool),
        num_classes=len(classes),
        classes=tuple(classes),
        sha256="",
    )


BEFORE = key(["cat", "dog", "fox"], ["cat", "dog", "fox", "fox"])


@pytest.mark.parametrize(
    ("after", "renamed"),
    [
        (key(["cat", "dog", "wolf"], ["cat", "dog", "wolf", "wolf"]), {"fox": "wolf"}),
        (key(["wolf", "dog", "cat"], ["cat", "dog", "wolf", "wolf"]), {"fox": "wolf"}),
        (key(["a", "b", "c"], ["b", "c", "a", "a"]), {"cat": "b", "dog": "c", "fox": "a"}),
        # the foxes were taken out and pictures of wolves put in
        (key(["cat", "dog", "wolf"], ["cat", "dog"]), {}),
        (key(["cat", "dog", "wolf"], ["wolf", "wolf", "wolf"], first=4), {}),
        # two classes became one
        (key(["pet", "fox"], ["pet", "pet", "fox", "fox"]), {}),
        (key(["dog", "cat", "fox"], ["dog", "cat", "fox", "fox"]), {}),
    ],
)
def test_a_class_is_known_by_its_images(after: AnswerKey, renamed: dict[str, str]) -> None:
    assert renamed_classes(BEFORE, after) == renamed


def test_a_class_without_images_is_known_by_its_place() -> None:
    before = key(["cat", "dog", "fox"], ["cat", "dog"])
    assert renamed_classes(before, key(["cat", "dog", "wolf"], ["cat", "dog"])) == {"fox": "wolf"}
    assert renamed_classes(before, key(["wolf", "cat", "dog"], ["cat", "dog"])) == {}
