"""The public pack: what students download. Nothing in it depends on an answer or on the split."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.assignments.assignment import Assignment
from grader.assignments.images import read_labelled
from grader.errors import AssignmentError
from grader.prediction_csv.expected import ExpectedRows
from grader.settings.tables import Limits
from grader.words.message import said

_FORMAT: Final = 1


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A public pack on a student's disk: enough to check a submission without the server."""

    folder: Path
    slug: str
    title: str
    classes: tuple[str, ...]
    kinds: tuple[str, ...]
    metric: str
    limits: Limits
    sample_limits: Limits
    max_upload_mb: int
    id_column: str
    label_column: str

    @classmethod
    def load(cls, folder: Path | str) -> Pack:
        """Read a pack that `write_public_pack` wrote.

        Raises:
            AssignmentError: it is no public pack, or a part of it is damaged.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / "assignment.json").read_text(encoding="utf-8"))
            return cls(
                folder=folder,
                slug=about["slug"],
                title=about["title"],
                classes=tuple(about["classes"]),
                kinds=tuple(about["kinds"]),
                metric=about["metric"],
                limits=Limits(**about["limits"]),
                sample_limits=Limits(**about["sample_limits"]),
                max_upload_mb=about["max_upload_mb"],
                id_column=about["id_column"],
                label_column=about["label_column"],
            )
        except FileNotFoundError:
            raise AssignmentError([said("pack.none", folder=str(folder))]) from None
        except (ValueError, KeyError, TypeError) as error:
            raise AssignmentError(
                [said("pack.unreadable", folder=str(folder), error=repr(error))]
            ) from error

    @property
    def num_classes(self) -> int:
        """How many classes the assignment has."""
        return len(self.classes)

    def expected(self) -> ExpectedRows:
        """Say which rows a prediction file must hold.

        Raises:
            AssignmentError: ids.csv is missing or damaged.
        """
        try:
            with (self.folder / "ids.csv").open(encoding="utf-8", newline="") as lines:
                rows = list(csv.reader(lines))
        except (FileNotFoundError, UnicodeDecodeError) as error:
            raise AssignmentError([said("pack.ids_unreadable", folder=str(self.folder))]) from error
        if len(rows) < 2 or any(len(row) != 1 for row in rows):
            raise AssignmentError([said("pack.ids_columns", folder=str(self.folder))])
        return ExpectedRows(
            ids=tuple([row[0] for row in rows[1:]]),
            classes=self.classes,
            id_column=self.id_column,
            label_column=self.label_column,
        )

    def sample(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Give the public examples: uint8 images and int64 labels.

        Raises:
            AssignmentError: they are missing or damaged.
        """
        return read_labelled(self.folder / "sample", self.classes)


def write_public_pack(assignment: Assignment, folder: Path) -> None:
    """Write what students download into a new folder: nothing in it depends on the answers.

    Raises:
        AssignmentError: a part of the assignment can't be read.
        FileExistsError: the folder holds something already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    rules = assignment.submission
    expected = assignment.expected()
    about = {
        "format": _FORMAT,
        "slug": assignment.slug,
        "title": assignment.title,
        "classes": list(assignment.classes),
        "id_column": rules.id_column,
        "label_column": rules.label_column,
        "rows": len(expected.ids),
        "kinds": list(rules.kinds),
        "daily_limit": rules.daily_limit,
        "final_picks": rules.final_picks,
        "max_upload_mb": rules.max_upload_mb,
        "metric": assignment.scoring.metric,
        "rules": asdict(assignment.rules),
        "limits": asdict(assignment.limits),
        "sample_limits": asdict(assignment.sample_limits),
        "train_url": assignment.data.train_url,
        "train_sha256": assignment.data.train_sha256,
    }
    content = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    (folder / "assignment.json").write_text(content, encoding="utf-8")
    (folder / "README.md").write_text(assignment.readme(), encoding="utf-8")
    _write_csv(folder / "ids.csv", [rules.id_column], ([name] for name in expected.ids))
    _write_csv(
        folder / "sample_submission.csv",
        [rules.id_column, rules.label_column],
        ([name, "0"] for name in expected.ids),
    )
    if (assignment.folder / "sample").is_dir():
        images, labels = assignment.sample()
        _write_labelled(folder / "sample", images, labels)
    if (assignment.folder / "train").is_dir():
        shutil.copytree(assignment.folder / "train", folder / "train", ignore=_links_and_hidden)
    if assignment.data.test_images == "public" and (assignment.folder / "test").is_dir():
        (folder / "test").mkdir()
        # In the order of ids.csv: the order of answers.csv is the course's own and stays with it.
        images = assignment.test_images()[assignment.rows_in_answers_order()]
        np.save(folder / "test" / "images.npy", images, allow_pickle=False)


def _write_labelled(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    folder.mkdir()
    np.save(folder / "images.npy", images, allow_pickle=False)
    _write_csv(folder / "labels.csv", ["label"], ([str(label)] for label in labels.tolist()))


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _links_and_hidden(folder: str, names: list[str]) -> list[str]:
    """Leave out symbolic links, which could point at the answers, and hidden files."""
    return [name for name in names if name.startswith(".") or (Path(folder) / name).is_symlink()]
