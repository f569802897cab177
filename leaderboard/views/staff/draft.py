"""A draft of an assignment, as instructors look at it before it is published. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

import grader
from grader.scoring.power import images_to_tell_apart
from leaderboard.accounts import courses
from leaderboard.assignments import samples
from leaderboard.assignments.changes import Changes
from leaderboard.assignments.samples import Sample
from leaderboard.drafts import checking, editing, keeping
from leaderboard.drafts.checking import Scored
from leaderboard.drafts.settings_form import Field, differences, fields_of
from leaderboard.models import Assignment, AssignmentDraft
from leaderboard.state import State

PICTURES_OF_A_CLASS = 5
_MOST_CLASSES = 60


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """How many hidden images of a class are in each split."""

    name: str
    public: int
    private: int


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """A draft with what there is to know of it; `replaces`: what is published under its slug."""

    id: int
    edition: str
    slug: str
    title: str
    readme: str
    classes: tuple[ClassCount, ...]
    public: int
    private: int
    apart: int | None  # images of the public split by which two teams must differ
    scored: Scored
    warnings: Sequence[str]
    fields: tuple[Field, ...]
    replaces: Assignment | None
    changes: Changes | None
    settings_changed: tuple[tuple[str, str, str], ...]

    @property
    def tables(self) -> tuple[tuple[str, tuple[Field, ...]], ...]:
        """The settings by their table, in the order of the file."""
        names = dict.fromkeys(each.key.table for each in self.fields)
        return tuple(
            (name, tuple(each for each in self.fields if each.key.table == name)) for name in names
        )


def drafted(session: Session, state: State, draft: AssignmentDraft) -> Drafted:
    """What a draft is, and what publishing it changes for those who have handed in."""
    loaded = state.catalog.load_version(draft.folder_sha256)
    key, settings = loaded.answer_key(), editing.settings_of(state, draft)
    counts = {
        which: np.bincount(key.labels[rows], minlength=key.num_classes).tolist()
        for which, rows in (("public", key.public), ("private", ~key.public))
    }
    published = courses.assignments(session, draft.course)
    replaces = next((each for each in published if each.slug == loaded.slug), None)
    public = int(key.public.sum())
    return Drafted(
        id=draft.id,
        edition=draft.folder_sha256,
        slug=loaded.slug,
        title=loaded.title,
        readme=_readme(loaded),
        classes=tuple(
            ClassCount(name=name, public=counts["public"][at], private=counts["private"][at])
            for at, name in enumerate(key.classes)
        ),
        public=public,
        private=len(key.ids) - public,
        apart=images_to_tell_apart(public),
        scored=checking.scored(loaded),
        warnings=loaded.warnings(),
        fields=fields_of(settings),
        replaces=replaces,
        changes=keeping.changes(session, state, draft) if replaces else None,
        settings_changed=(tuple(differences(replaces.settings_toml, settings)) if replaces else ()),
    )


def pictures_of(state: State, draft: AssignmentDraft) -> Sample | None:
    """Some hidden images of each class, on one sheet; None where there are none."""
    loaded = state.catalog.load_version(draft.folder_sha256)
    try:
        images = loaded.test_images()
    except grader.AssignmentError:
        return None  # predictions alone are taken
    key, places = loaded.answer_key(), loaded.rows_in_answers_order()
    rows = [
        row
        for label in range(min(key.num_classes, _MOST_CLASSES))
        for row in np.flatnonzero(key.labels == label)[:PICTURES_OF_A_CLASS].tolist()
    ]
    return samples.drawn(images[places[rows]], tuple(key.labels[rows].tolist()))


def _readme(loaded: grader.Assignment) -> str:
    try:
        return loaded.readme()
    except FileNotFoundError:
        return ""
