"""`grader check`, the door and the worker say the same of every file."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from small_site import Site, make_site

import grader
from grader.cli import cli
from leaderboard.errors import EmptyUpload, KindNotAllowed
from leaderboard.models import Submission

sys.path.insert(0, str(Path(__file__).parents[2] / "grader"))
from csv_case import Case
from csv_corpus import CASES

KINDS = sorted({(case.ids, case.classes) for case in CASES})


def write_assignment(folder: Path, ids: tuple[str, ...], classes: tuple[str, ...]) -> Path:
    folder.mkdir(parents=True)
    (folder / "assignment.toml").write_text(
        f'slug = "animals"\ntitle = "Corpus"\nclasses = {json.dumps(classes)}\n'
        "allow_absent = true\n"
        '[submission]\nkinds = ["csv"]\ndaily_limit = 0\n'
    )
    splits = ["public", "private"]
    with (folder / "answers.csv").open("w", encoding="utf-8", newline="") as file:
        rows = ((each, n % len(classes), splits[n % 2]) for n, each in enumerate(ids))
        csv.writer(file).writerows([("id", "label", "split"), *rows])
    (folder / "README.md").write_text("A corpus.\n")
    (folder / "test").mkdir()
    np.save(folder / "test" / "images.npy", np.zeros((len(ids), 4, 4), dtype=np.uint8))
    return folder


@pytest.mark.parametrize(("ids", "classes"), KINDS)
def test_check_and_server_agree_on_every_file(
    tmp_path: Path, ids: tuple[str, ...], classes: tuple[str, ...]
) -> None:
    folder = write_assignment(tmp_path / "corpus", ids, classes)
    pack = tmp_path / "pack"
    grader.write_public_pack(grader.Assignment.load(folder), pack)
    site = make_site(tmp_path, folder)
    cases = [case for case in CASES if (case.ids, case.classes) == (ids, classes)]
    disagreements = {}

    for number, case in enumerate(cases):
        if number % 25 == 0:  # rejections are free, but capped a day
            person = site.person(f"student{number}")
        offline = by_check(tmp_path, pack, case)
        if not case.content:  # the door refuses an upload of no bytes before any check
            assert offline
            with pytest.raises(EmptyUpload):
                by_server(site, person.name, case)
            continue
        online = by_server(site, person.name, case)
        by_worker = told_by_worker(site, tmp_path / case.file_name)
        if not offline == online == by_worker:
            disagreements[case.name] = (offline, online, by_worker)
        assert (online == []) == (case.labels is not None), case.name

    assert disagreements == {}
    site.state.close()


def by_check(tmp_path: Path, pack: Path, case: Case) -> list[tuple[object, ...]]:
    file = tmp_path / case.file_name
    file.write_bytes(case.content)
    result = CliRunner().invoke(cli, ["check", str(file), "-a", str(pack), "--json"])
    return told(json.loads(result.stdout).get("errors", []))


def by_server(site: Site, person: str, case: Case) -> list[tuple[object, ...]]:
    try:
        public_id = site.hand_in(person, case.content, filename=case.file_name)
    except KindNotAllowed as refused:  # what is nothing to grade makes no submission
        return [(None, None, refused.detail, "", 1)]
    with site.state.database.reading() as session:
        return told(session.query(Submission).filter_by(public_id=public_id).one().problems)


def told_by_worker(site: Site, file: Path) -> list[tuple[object, ...]]:
    with site.state.database.reading() as session:
        assignment = site.state.catalog.load(site.assignment(session))
    made = grader.evaluate(grader.Submission.detect(file), assignment, runner=None)
    return told([problem.as_dict() for problem in made.problems])


def told(problems: list[dict[str, object]]) -> list[tuple[object, ...]]:
    keys = ("line", "column", "message", "hint", "count")
    return [tuple(problem.get(key) for key in keys) for problem in problems]
