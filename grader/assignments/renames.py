"""Which classes of an assignment have another name now: told by the images that are of them."""

from __future__ import annotations

from collections import Counter

from grader.assignments.answers import AnswerKey


def renamed_classes(before: AnswerKey, after: AnswerKey) -> dict[str, str]:
    """Old name → new name of the classes whose name alone changed.

    Of the images that both keys have, more than half of the old class's are of the new one, and
    more than half of the new one's were of the old. Two that no image at all is of are the same if
    they have the same place in lists of the same length.
    """
    gone = [name for name in before.classes if name not in after.classes]
    new = [name for name in after.classes if name not in before.classes]
    if not gone or not new:
        return {}
    labels = {
        name: before.classes[label] for name, label in zip(before.ids, before.labels, strict=True)
    }
    pairs = Counter(
        (labels[name], after.classes[label])
        for name, label in zip(after.ids, after.labels, strict=True)
        if name in labels
    )
    old_counts, new_counts = Counter[str](), Counter[str]()
    for (old, now), count in pairs.items():
        old_counts[old] += count
        new_counts[now] += count
    found = {
        old: now
        for (old, now), count in pairs.items()
        if old in gone and now in new and 2 * count > max(old_counts[old], new_counts[now])
    }
    if len(before.classes) == len(after.classes):
        pictured = {before.classes[label] for label in set(before.labels.tolist())}
        pictured |= {after.classes[label] for label in set(after.labels.tolist())}
        places = zip(before.classes, after.classes, strict=True)
        found |= {
            old: now
            for old, now in places
            if old in gone and now in new and not {old, now} & pictured
        }
    return found
