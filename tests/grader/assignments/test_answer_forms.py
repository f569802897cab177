"""answers.csv as people have it: read, or refused with what to do."""

import pytest
from assignment_folders import SETTINGS, write_assignment
from PIL import Image

from grader import Assignment, AssignmentError


@pytest.fixture
def folder(tmp_path):
    return write_assignment(tmp_path / "pets")


ROWS = "".join(f"{row},{row % 3}\n" for row in range(12))
ANSWER_FORMS = {
    "float-labels": ("id,label\n" + ROWS.replace("\n", ".0\n"), "write 3, not 3.0"),
    "one-based": ("id,label\n" + "".join(f"{row},{row % 3 + 1}\n" for row in range(12)), "from 0"),
    "one-hot": ("id,cat,dog,bird\n0,1,0,0\n1,0,1,0\n", "idxmax"),
    "semicolons": ("id;label\n" + ROWS.replace(",", ";"), "save as CSV UTF-8"),
    "tabs": ("id\tlabel\n" + ROWS.replace(",", "\t"), "save as CSV UTF-8"),
    "Id-Category": (
        "Id,Category,Usage\n" + ROWS.replace("\n", ",Public\n"),
        "rename 'category' to 'label', or set [submission] label_column",
    ),
    "image-label": ("image,label\n" + ROWS, "rename 'image' to 'id'"),
    "ignored": ("id,label,Usage\n0,0,Ignored\n1,1,Public\n", "must be left out"),
}


@pytest.mark.parametrize("form", ANSWER_FORMS)
def test_answers_in_another_form_are_refused_with_what_to_do(form, folder):
    answers, hint = ANSWER_FORMS[form]
    (folder / "answers.csv").write_text(answers)
    with pytest.raises(AssignmentError) as caught:
        Assignment.load(folder)
    assert hint in caught.value.problems[0]


def test_answers_under_another_name_are_named(folder):
    (folder / "answers.csv").rename(folder / "solution.csv")
    with pytest.raises(AssignmentError, match=r"is missing \(there is solution.csv"):
        Assignment.load(folder)


def test_columns_of_another_name_are_read_where_the_settings_name_them(tmp_path):
    answers = "Id,Category\n" + ROWS
    settings = SETTINGS + 'id_column = "Id"\nlabel_column = "Category"\n'
    folder = write_assignment(tmp_path / "x", settings, rows=12, answers=answers)
    assert len(Assignment.load(folder).ids()) == 12


def test_ids_may_carry_the_suffix_of_their_image_files(tmp_path):
    answers = "id,label\n" + "".join(f"i{row}.png,{row % 3}\n" for row in range(9))
    folder = write_assignment(tmp_path / "x", SETTINGS, rows=9, answers=answers)
    (folder / "test" / "images.npy").unlink()
    (folder / "test" / "images").mkdir()
    for row in range(9):
        Image.new("L", (4, 4), row).save(folder / "test" / "images" / f"i{row}.png")

    assignment = Assignment.load(folder)

    shown = {
        name: int(image[0, 0])
        for name, image in zip(assignment.ids(), assignment.test_images(), strict=True)
    }
    assert shown == {f"i{row}.png": row for row in range(9)}
