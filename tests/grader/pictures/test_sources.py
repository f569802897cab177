"""Arrays, tables, parquet and competitions are recognised; of what is not, it says what it saw."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from small_pictures import noise, png, write_classes

from grader.errors import AssignmentError
from grader.pictures.folders import read_class_folders
from grader.pictures.sources.recognise import read_source
from grader.pictures.tree import look

IMAGES = np.stack([noise(row, 6, 8, 3) for row in range(12)])
LABELS = np.arange(12) % 3


def content(collection):
    """Pixels with the name of their class, in a fixed order."""
    rows = range(len(collection.pictures))
    return sorted(
        (collection.pictures.pixels(row).tobytes(), collection.classes[collection.labels[row]])
        for row in rows
    )


def expected(names=("0", "1", "2"), rows=range(12)):
    return sorted((IMAGES[row].tobytes(), names[LABELS[row]]) for row in rows)


def write_pictures(folder, names, rows=range(12)):
    folder.mkdir(parents=True, exist_ok=True)
    for row, name in zip(rows, names, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(IMAGES[row]))
    return folder


def code_of(path):
    with pytest.raises(AssignmentError) as caught:
        read_source(path)
    return caught.value.problems[0].code


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [("x", "y"), ("X", "Y"), ("images", "labels"), ("data", "target"), ("arr_0", "arr_1")],
)
def test_npz_under_the_usual_names(tmp_path, pictures, labels):
    np.savez(tmp_path / "a.npz", **{pictures: IMAGES, labels: LABELS})

    assert content(read_source(tmp_path / "a.npz")) == expected()
    assert content(read_source(tmp_path)) == expected()


@pytest.mark.parametrize(
    "names", ["{part}_images {part}_labels", "x_{part} y_{part}", "{part}X {part}Y"]
)
def test_npz_in_parts_keeps_its_test_part_as_the_six_arrays_of_medmnist(tmp_path, names):
    arrays = {}
    for part, rows in (("train", slice(0, 6)), ("val", slice(6, 9)), ("test", slice(9, 12))):
        pictures, labels = names.format(part=part).split()
        arrays |= {pictures: IMAGES[rows], labels: LABELS[rows, None].astype(np.uint8)}
    np.savez(tmp_path / "a.npz", **arrays)

    found = read_source(tmp_path / "a.npz")

    assert content(found) == expected()
    assert found.is_test.tolist().count(True) == 3
    hidden = {found.pictures.pixels(int(row)).tobytes() for row in np.flatnonzero(found.is_test)}
    assert hidden == {image.tobytes() for image in IMAGES[9:]}


@pytest.mark.parametrize(
    "form",
    [
        IMAGES,
        IMAGES.transpose(0, 3, 1, 2),
        IMAGES.astype(np.int64),
        IMAGES.astype(np.uint16) * 256 + 7,
        (IMAGES / 255).astype(np.float32),
        IMAGES.astype(np.float64),
        np.concatenate([IMAGES, np.full((*IMAGES.shape[:3], 1), 255, np.uint8)], axis=3),
    ],
    ids=["plain", "channels first", "int64", "uint16", "float", "whole floats", "rgba"],
)
def test_arrays_of_any_axes_and_values_give_the_same_pixels(tmp_path, form):
    np.savez(tmp_path / "a.npz", x=form, y=LABELS)

    assert content(read_source(tmp_path / "a.npz")) == expected()


def test_flat_rows_are_square_pictures(tmp_path):
    np.savez(tmp_path / "a.npz", x=IMAGES[:, :6, :6, 0].reshape(12, 36), y=LABELS)

    assert (
        read_source(tmp_path / "a.npz").pictures.pixels(3).tolist() == IMAGES[3, :6, :6, 0].tolist()
    )


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array(["cat", "dog", "owl"])[LABELS], ("cat", "dog", "owl")),
        (np.array([b"cat", b"dog", b"owl"])[LABELS], ("cat", "dog", "owl")),
        (np.eye(3)[LABELS], ("0", "1", "2")),
        (LABELS.astype(float), ("0", "1", "2")),
        (LABELS + 1, ("class 1", "class 2", "class 3")),
    ],
    ids=["texts", "bytes", "one-hot", "floats", "from 1"],
)
def test_labels_of_any_form(tmp_path, labels, names):
    np.savez(tmp_path / "a.npz", x=IMAGES, y=labels)

    assert content(read_source(tmp_path / "a.npz")) == expected(names)


def test_names_of_classes_are_taken_from_beside_the_numbers(tmp_path):
    np.savez(tmp_path / "a.npz", x=IMAGES, y=LABELS, class_names=np.array(["cat", "dog", "owl"]))

    assert read_source(tmp_path / "a.npz").classes == ("cat", "dog", "owl")


def test_arrays_that_cannot_be_taken_say_why(tmp_path):
    for arrays, code in (
        ({"x": np.array([{}] * 12, dtype=object), "y": LABELS}, "pictures.pickled"),
        ({"x": IMAGES, "y": LABELS[:5]}, "pictures.unequal_counts"),
        ({"x": IMAGES.astype(float) - 100, "y": LABELS}, "pictures.array_range"),
        ({"x": IMAGES, "y": np.ones((12, 3))}, "pictures.many_labels"),
        ({"first": IMAGES, "second": LABELS}, "pictures.no_arrays"),
    ):
        np.savez(tmp_path / "a.npz", **arrays)
        assert code_of(tmp_path / "a.npz") == code
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut off")
    assert code_of(tmp_path / "a.npz") == "pictures.array_unreadable"


@pytest.mark.parametrize("order", [range(12), range(11, -1, -1)])
def test_npy_with_labels_in_a_table_whose_ids_count_the_rows(tmp_path, order):
    np.save(tmp_path / "images.npy", IMAGES)
    lines = [f"{row},{LABELS[row]}" for row in order]
    (tmp_path / "labels.csv").write_text("id,label\n" + "\n".join(lines))

    assert content(read_source(tmp_path)) == expected()
    assert content(read_source(tmp_path / "images.npy")) == expected()


def test_npy_beside_npy(tmp_path):
    np.save(tmp_path / "X.npy", IMAGES)
    np.save(tmp_path / "y.npy", LABELS)

    assert content(read_source(tmp_path)) == expected()


TABLES = {
    "labels.csv": "file_name,label\n{}",
    "labels.tsv": "Image\tSpecies\n{}",
    "index.csv": "\ufeffpath;class\n{}",
    "list.txt": "{}",
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("suffix", [".png", ""])
def test_a_table_of_names_and_labels_with_its_pictures(tmp_path, name, suffix):
    write_pictures(tmp_path / "pictures", [f"p{row}.png" for row in range(12)])
    separator = {"labels.tsv": "\t", "index.csv": ";", "list.txt": " "}.get(name, ",")
    lines = [f"p{row}{suffix}{separator}{'abc'[LABELS[row]]}" for row in range(12)]
    if name == "list.txt" and not suffix:
        lines = [f"pictures/{line}" for line in lines]
    (tmp_path / name).write_text(TABLES[name].format("\n".join(lines)))

    assert content(read_source(tmp_path)) == expected("abc")
    assert content(read_source(tmp_path / name)) == expected("abc")


@pytest.mark.parametrize("name", ["labels.json", "metadata.jsonl", "map.json"])
def test_json_of_names_and_labels(tmp_path, name):
    write_pictures(tmp_path / "pictures", [f"p{row}.png" for row in range(12)])
    rows = [{"file_name": f"p{row}.png", "label": "abc"[LABELS[row]]} for row in range(12)]
    text = json.dumps(rows)
    if name == "metadata.jsonl":
        text = "\n".join(map(json.dumps, rows))
    if name == "map.json":
        text = json.dumps({row["file_name"]: row["label"] for row in rows})
    (tmp_path / name).write_text(text)

    assert content(read_source(tmp_path)) == expected("abc")


def test_a_column_of_splits_divides_a_table(tmp_path):
    write_pictures(tmp_path / "pictures", [f"p{row}.png" for row in range(12)])
    lines = [f"p{row},{LABELS[row]},{'test' if row > 8 else 'train'}" for row in range(12)]
    (tmp_path / "all.csv").write_text("id,label,split\n" + "\n".join(lines))

    assert read_source(tmp_path).is_test.tolist() == [row > 8 for row in range(12)]


def test_pictures_that_a_table_names_wrongly_are_told_together(tmp_path):
    write_pictures(tmp_path / "a", ["one.png", "two.png"], range(2))
    write_pictures(tmp_path / "a" / "b", ["two.png"], range(1))
    (tmp_path / "labels.csv").write_text("id,label\none,x\ntwo,y\nthree,x\nfour,y\n")

    with pytest.raises(AssignmentError) as caught:
        read_source(tmp_path / "labels.csv")

    missing, unclear = caught.value.problems
    assert "2 pictures that are not there: three, four" in missing
    assert "fit several pictures: two" in unclear


def kaggle(folder, solution):
    """Nine pictures to train on and three to predict, whose ids begin at 1 in both."""
    write_pictures(folder / "train_images", [f"{row}.png" for row in range(9)], range(9))
    write_pictures(folder / "test_images", [f"{row}.png" for row in range(3)], range(9, 12))
    rows = [f"{row},{'abc'[LABELS[row]]}" for row in range(9)]
    (folder / "train.csv").write_text("id,label\n" + "\n".join(rows))
    (folder / "test.csv").write_text("id\n0\n1\n2\n")
    (folder / "sample_submission.csv").write_text("id,label\n0,a\n1,a\n2,a\n")
    if solution:
        (folder / "solution.csv").write_text(solution)
    return folder


@pytest.mark.parametrize(
    "solution",
    [
        "id,label,Usage\n0,a,Public\n1,b,Private\n2,c,Private\n",
        "Id,a,b,c,Usage\n0,1,0,0,Public\n1,0,1,0,Private\n2,0,0,1,Private\n",
    ],
    ids=["labels", "one-hot"],
)
def test_the_folder_of_a_kaggle_competition(tmp_path, solution):
    found = read_source(kaggle(tmp_path, solution))

    assert content(found) == expected("abc")
    assert found.is_test.tolist() == [False] * 9 + [True] * 3
    assert found.is_public.tolist() == [False] * 9 + [True, False, False]


def test_ignored_rows_of_a_solution_are_left_out_and_counted(tmp_path):
    found = read_source(kaggle(tmp_path, "id,label,Usage\n0,a,Public\n1,b,Ignored\n2,c,Private\n"))

    assert content(found) == expected("abc", [*range(10), 11])
    assert "1 rows whose Usage is Ignored are left out." in found.notices


def test_a_competition_without_its_solution_gives_its_training_pictures(tmp_path):
    found = read_source(kaggle(tmp_path, ""))

    assert content(found) == expected("abc", range(9))
    assert found.is_test is None
    assert "pictures.unlabelled" in {notice.code for notice in found.notices}


@pytest.mark.parametrize(
    ("reference", "table"),
    [
        ("reference_data", "labels.csv"),
        ("reference_data", "truth.txt"),
        ("annotations", "test_annotations_testsplit.json"),
    ],
)
def test_the_bundle_of_a_codabench_or_evalai_challenge(tmp_path, reference, table):
    write_pictures(tmp_path / "input_data", [f"p{row}.png" for row in range(12)])
    (tmp_path / reference).mkdir()
    rows = [(f"p{row}", "abc"[LABELS[row]]) for row in range(12)]
    text = "id,label\n" + "\n".join(",".join(row) for row in rows)
    if table.endswith(".txt"):
        text = "\n".join(" ".join(row) for row in rows)
    if table.endswith(".json"):
        text = json.dumps({"annotations": [{"image_id": a, "label": b} for a, b in rows]})
    (tmp_path / reference / table).write_text(text)
    (tmp_path / "competition.yaml").write_text("title: x\n")

    assert content(read_source(tmp_path)) == expected("abc")


def test_parquet_as_hugging_face_lays_it_out(tmp_path):
    polars = pytest.importorskip("polars")
    (tmp_path / "data").mkdir()
    names = {"info": {"features": {"label": {"names": ["cat", "dog", "owl"]}}}}
    for part, rows in (("train", range(9)), ("test", range(9, 12))):
        table = polars.DataFrame(
            {
                "image": [{"bytes": png(IMAGES[row]), "path": f"{row}.png"} for row in rows],
                "label": [int(LABELS[row]) for row in rows],
            }
        )
        path = tmp_path / "data" / f"{part}-00000-of-00001.parquet"
        table.write_parquet(path, metadata={"huggingface": json.dumps(names)})

    found = read_source(tmp_path)

    assert content(found) == expected(("cat", "dog", "owl"))
    assert found.is_test.tolist().count(True) == 3


@pytest.mark.parametrize(
    ("name", "written"), [("slides.pptx", b"x"), ("archive.zip", b"PK"), ("notes.txt", b"hello")]
)
def test_what_is_not_recognised_says_what_was_seen_and_what_is_taken(tmp_path, name, written):
    (tmp_path / name).write_bytes(written)

    with pytest.raises(AssignmentError) as caught:
        read_source(tmp_path)

    assert f"1 {(tmp_path / name).suffix}" in caught.value.problems[0]
    assert "MedMNIST" in caught.value.problems[0]
    if name == "archive.zip":
        assert code_of(tmp_path / name) == "pictures.packed"


def test_class_folders_with_a_table_beside_them_are_class_folders(tmp_path):
    data = write_classes(tmp_path / "data")
    (data / "about.csv").write_text("id,label\n0,1\n")

    assert read_source(data).classes == ("cat", "dog")
    Image.open(data / "cat" / "0.png").close()


def test_a_folder_that_cannot_be_entered_is_named(tmp_path):
    with pytest.raises(AssignmentError, match="gone: can't be read: No such file"):
        look(tmp_path / "gone")


def test_an_array_that_claims_more_than_a_machine_has_is_refused_in_a_sentence(tmp_path):
    header = io.BytesIO()
    shape = (10**9, 10**4, 10**4)
    told = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, told)
    with zipfile.ZipFile(tmp_path / "claims.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(100))
    assert code_of(tmp_path / "claims.npz") == "pictures.array_unreadable"


def test_pictures_that_links_bring_from_elsewhere_are_told(tmp_path):
    write_pictures(tmp_path / "elsewhere", ["mine.png"], rows=[0])
    folder = write_pictures(tmp_path / "set", ["cat/0.png", "dog/1.png"], rows=[1, 2])
    (folder / "cat" / "again.png").symlink_to("0.png")
    assert look(folder).outside == ()
    (folder / "cat" / "2.png").symlink_to(tmp_path / "elsewhere" / "mine.png")
    (folder / "owl").symlink_to(tmp_path / "elsewhere")
    found = look(folder)
    assert [str(each) for each in found.outside] == ["cat/2.png", "owl/mine.png"]
    [told] = found.notices()
    assert "2 of the pictures lie outside of the folder" in str(told)
    assert str(tmp_path / "elsewhere" / "mine.png") in str(told)


def test_folders_that_are_left_empty_or_lie_deeper_than_classes_are_named(tmp_path):
    folder = write_classes(tmp_path / "data", ("plants", "stones"), count=2)
    write_classes(folder / "animals", ("cat", "dog"), count=2)
    for name in ("fungi", ".thumbnails"):
        (folder / name).mkdir()

    told = [str(each) for each in read_class_folders(folder).notices]

    assert told == [
        "2 folders lie within those of the classes, such as animals/cat: their names are not "
        "used. Are they the classes? Then lay them side by side in one folder.",
        "No pictures lie in these folders, which are no classes: fungi.",
    ]
    write_classes(tmp_path / "plain")
    assert read_class_folders(tmp_path / "plain").notices == ()
