"""What a worker would refuse is refused at the door, free, in the words of `grader check`."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_site import CLASSES, Site, bundle_zip, make_site, predictions_csv, write_assignment

import grader
from grader.cli import cli
from leaderboard.db import utcnow
from leaderboard.errors import KindNotAllowed, TooLarge
from leaderboard.submissions.accept import quota


def site_and_pack(tmp_path: Path, **settings: str) -> tuple[Site, Path]:
    folder = write_assignment(tmp_path / "animals", daily_limit=2, **settings)
    pack = tmp_path / "pack"
    grader.write_public_pack(grader.Assignment.load(folder), pack)
    return make_site(tmp_path, folder), pack


def checked(tmp_path: Path, pack: Path, content: bytes, name: str) -> list[dict[str, object]]:
    """What `grader check` finds, as JSON."""
    file = tmp_path / name
    file.write_bytes(content)
    reply = CliRunner().invoke(cli, ["check", str(file), "-a", str(pack), "--json"])
    errors: list[dict[str, object]] = json.loads(reply.stdout)["errors"]
    return errors


def left(site: Site) -> int | None:
    with site.state.database.reading() as session:
        assignment, team = site.assignment(session), site.team(session, "ann")
        return quota(session, assignment, team, utcnow()).remaining


def scores_csv(folder: Path, per_class: str) -> bytes:
    lines = predictions_csv(folder).decode().splitlines()[1:]
    rows = [f"{line.split(',')[0]},{per_class}" for line in lines]
    return "\n".join([f"id,{','.join(CLASSES)}", *rows]).encode()


def zip_of(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():  # as programs do: what is small stays as it is
            way = zipfile.ZIP_DEFLATED if len(content) > 1000 else zipfile.ZIP_STORED
            archive.writestr(name, content, way)
    return out.getvalue()


@pytest.mark.parametrize("per_class", ["2.5,-1,0.5,3", "0.5,0.5,0.5,0.5", "1.5,-0.5,0,0"])
def test_scores_that_are_no_probabilities_are_refused_for_log_loss_free(
    tmp_path: Path, per_class: str
) -> None:
    site, pack = site_and_pack(tmp_path, scoring='metric = "log_loss"')
    content = scores_csv(site.folder, per_class)

    submission = site.submission(site.hand_in("ann", content))

    assert submission.verdict == "REJ"
    assert [problem["kind"] for problem in submission.problems] == ["metric_unavailable"]
    assert submission.problems == checked(tmp_path, pack, content, "scores.csv")
    assert left(site) == 2


def test_probabilities_are_taken_for_log_loss(tmp_path: Path) -> None:
    site, _ = site_and_pack(tmp_path, scoring='metric = "log_loss"')

    public_id = site.hand_in("ann", scores_csv(site.folder, "0.7,0.1,0.1,0.1"))
    site.score(public_id)

    assert site.submission(public_id).verdict == "OK"


def test_a_bundle_over_the_assignments_limit_is_refused_at_the_door_free(tmp_path: Path) -> None:
    site, pack = site_and_pack(tmp_path, submission="max_upload_mb = 1")
    content = zip_of(**{"model.py": b"def build_model(): ...\n", "big.bin": bytes(2 << 20)})
    assert len(content) < 1 << 20

    submission = site.submission(site.hand_in("ann", content, filename="bundle.zip"))

    assert submission.verdict == "REJ"
    assert [problem["kind"] for problem in submission.problems] == ["too_large"]
    assert submission.problems == checked(tmp_path, pack, content, "bundle.zip")
    assert left(site) == 2


def test_a_server_that_takes_less_unpacks_what_the_assignment_allows(tmp_path: Path) -> None:
    folder = write_assignment(tmp_path / "animals")
    site = make_site(tmp_path, folder, max_upload_mb="1")
    small = zip_of(**{"model.py": b"def build_model(): ...\n", "big.bin": bytes(2 << 20)})

    assert site.submission(site.hand_in("ann", small, filename="b.zip")).verdict is None
    with pytest.raises(TooLarge, match="the limit is 1 MB"):
        site.hand_in("ann", b"x" * ((1 << 20) + 1))


def test_a_file_over_the_limit_is_told_in_the_same_words(tmp_path: Path) -> None:
    site, pack = site_and_pack(tmp_path, submission="max_upload_mb = 1")
    content = b"id,label\n" * 150_000

    with pytest.raises(TooLarge) as refused:
        site.hand_in("ann", content)

    assert [refused.value.detail] == [
        error["message"] for error in checked(tmp_path, pack, content, "p.csv")
    ]


@pytest.mark.parametrize(
    ("kind", "content", "name"), [("csv", bundle_zip(), "b.zip"), ("code", b"id,label\n", "p.csv")]
)
def test_the_wrong_kind_is_told_in_the_same_words(
    tmp_path: Path, kind: str, content: bytes, name: str
) -> None:
    site, pack = site_and_pack(tmp_path, submission=f'kinds = ["{kind}"]')

    with pytest.raises(KindNotAllowed, match="This assignment takes a") as refused:
        site.hand_in("ann", content, filename=name)

    assert [refused.value.detail] == [
        error["message"] for error in checked(tmp_path, pack, content, name)
    ]


SHEET, TABLE = "save the sheet as CSV", "to_csv"
FOREIGN = {
    "marks.xlsx": (
        zip_of(**{"docProps/app.xml": b"x", "xl/workbook.xml": b"x", "[Content_Types].xml": b"x"}),
        SHEET,
    ),
    "cut-off.xlsx": (b"PK\x03\x04 and no more", SHEET),
    "marks.ods": (
        zip_of(mimetype=b"application/vnd.oasis.opendocument.spreadsheet", a=b""),
        SHEET,
    ),
    "marks.numbers": (zip_of(**{"Index/Document.iwa": b"x"}), SHEET),
    "marks.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), SHEET),
    "predictions.parquet": (b"PAR1\x15\x04" + bytes(60) + b"PAR1", TABLE),
    "predictions.npy": (b"\x93NUMPY\x01\x00" + bytes(60), TABLE),
    "work.ipynb": (b'{\n "cells": [],\n "nbformat": 4\n}\n', "run the notebook"),
    "report.pdf": (b"%PDF-1.7\n" + bytes(60), "hand in the predictions"),
    "report.docx": (zip_of(**{"word/document.xml": b"x"}), "hand in the predictions"),
    "model.py": (b"def build_model():\n    ...\n", "pack model.py"),
    "checkpoint.pt": (zip_of(**{"archive/data.pkl": b"x"}), "pack model.py"),
    "predictions.csv.zip": (zip_of(**{"predictions.csv": b"id,label\n"}), "hand in the CSV itself"),
    "bundle.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(60), "pack code as .zip"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_nothing_to_grade_is_named_with_what_to_do(
    tmp_path: Path, name: str
) -> None:
    site, pack = site_and_pack(tmp_path)
    content, advice = FOREIGN[name]

    with pytest.raises(KindNotAllowed) as refused:
        site.hand_in("ann", content, filename=name)

    sentence = refused.value.detail
    assert sentence.startswith((f"{Path(name).suffix} files", "This .zip holds a CSV"))
    assert advice in sentence
    assert [error["message"] for error in checked(tmp_path, pack, content, name)] == [sentence]
    assert left(site) == 2


@pytest.mark.parametrize(
    "name", ["marks.xlsx", "marks.ods", "predictions.parquet", "work.ipynb", "report.pdf"]
)
def test_a_renamed_file_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    site, _ = site_and_pack(tmp_path)

    with pytest.raises(KindNotAllowed, match=Path(name).suffix):
        site.hand_in("ann", FOREIGN[name][0], filename="predictions.csv")


def test_a_bundle_that_holds_a_spreadsheet_and_a_csv_called_by_another_name_are_taken(
    tmp_path: Path,
) -> None:
    site, _ = site_and_pack(tmp_path)
    bundle = zip_of(**{"model.py": b"def build_model(): ...\n", "xl/workbook.xml": b"x"})

    assert site.submission(site.hand_in("ann", bundle, filename="b.zip")).verdict is None
    csv = predictions_csv(site.folder)
    assert site.submission(site.hand_in("ann", csv, filename="marks.xlsx")).verdict is None
