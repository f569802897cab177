"""Code bundles: what is taken, what is refused before a byte is written, and what is said."""

import gzip
import io
import os
import struct
import tarfile
import zipfile

import pytest

from grader import InvalidBundle, inspect_bundle, pack_bundle, unpack_bundle

MODEL = b"def build_model(): ...\n"
HEADER = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
SAFETENSORS = struct.pack("<Q", len(HEADER)) + HEADER + b"\0\0\0\0"
FILES = {"model.py": MODEL, "checkpoint.safetensors": SAFETENSORS, "net/__init__.py": b""}
NAMES = ["checkpoint.safetensors", "model.py", "net/__init__.py"]


def folder_of(files, root):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def zip_of(files, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_of(members, path):
    """members: (name or TarInfo, content or None)."""
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        for member, content in members:
            about = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            if content is not None:
                about.size = len(content)
            archive.addfile(about, None if content is None else io.BytesIO(content))
    return path


def made(kind, files, tmp_path):
    if kind == "folder":
        return folder_of(files, tmp_path / "given")
    if kind == "zip":
        return zip_of(files, tmp_path / "given.zip")
    return tar_of(files.items(), tmp_path / f"given.{kind}")


def refused(source, tmp_path, **options):
    """The kinds of problems; nothing may have been written."""
    target = tmp_path / "unpacked"
    with pytest.raises(InvalidBundle) as caught:
        unpack_bundle(source, target, **options)
    assert not target.exists()
    with pytest.raises(InvalidBundle) as again:
        inspect_bundle(source, **options)
    assert again.value.problems == caught.value.problems
    assert all(one.message.isprintable() for one in caught.value.problems)
    return {one.kind for one in caught.value.problems}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize("top", ["", "my-model/"])
def test_bundle_is_unpacked_with_model_py_at_its_root(kind, top, tmp_path):
    source = made(kind, {f"{top}{name}": content for name, content in FILES.items()}, tmp_path)
    info = unpack_bundle(source, tmp_path / "unpacked")
    assert info == inspect_bundle(source)
    assert [name for name, _ in info.files] == NAMES
    assert info.checkpoints == ("checkpoint.safetensors",)
    assert info.total_bytes == len(MODEL) + len(SAFETENSORS)
    for name, content in FILES.items():
        assert (tmp_path / "unpacked" / name).read_bytes() == content
        assert (tmp_path / "unpacked" / name).stat().st_mode & 0o777 == 0o644


def test_archive_is_known_by_its_content_and_not_by_its_name(tmp_path):
    source = zip_of(FILES, tmp_path / "bundle.tar.gz")
    assert inspect_bundle(source).checkpoints


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_may_begin_with_dot_slash(kind, tmp_path):
    source = made(kind, {f"./{name}": content for name, content in FILES.items()}, tmp_path)
    assert [name for name, _ in inspect_bundle(source).files] == NAMES


def test_litter_of_file_managers_is_left_out(tmp_path):
    litter = ("__MACOSX/my/._model.py", "my/.DS_Store", "my/__pycache__/model.cpython-311.pyc")
    files = {f"my/{name}": content for name, content in FILES.items()}
    source = zip_of(files | dict.fromkeys(litter, b"x"), tmp_path / "bundle.zip")
    assert [name for name, _ in unpack_bundle(source, tmp_path / "unpacked").files] == NAMES
    found = [path.name for path in (tmp_path / "unpacked").rglob("*") if path.is_file()]
    assert sorted(found) == ["__init__.py", "checkpoint.safetensors", "model.py"]


def test_several_checkpoints_stand_in_their_folder(tmp_path):
    files = {"model.py": MODEL, "checkpoints/a.pt": b"x", "checkpoints/b.safetensors": SAFETENSORS}
    info = inspect_bundle(folder_of(files, tmp_path / "given"))
    assert info.checkpoints == ("checkpoints/a.pt", "checkpoints/b.safetensors")


def test_claims_are_read(tmp_path):
    files = FILES | {"claims.toml": b"accuracy = 0.76\n"}
    assert inspect_bundle(zip_of(files, tmp_path / "b.zip")).claims == {"accuracy": 0.76}
    files = FILES | {"claims.toml": b"accuracy = 0.76\nmacro_f1 = \n"}
    with pytest.raises(InvalidBundle) as caught:
        inspect_bundle(zip_of(files, tmp_path / "bad.zip"))
    (problem,) = caught.value.problems
    assert (problem.kind, problem.line) == ("bad_claims", 2)


def test_bundle_without_checkpoint_is_taken_with_a_warning(tmp_path):
    source = folder_of({"model.py": MODEL, "checkpoint.pth": b"x"}, tmp_path / "given")
    assert "rename 'checkpoint.pth'" in inspect_bundle(source).warnings[0]


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "lfs_pointer"),
        (b"\n<!DOCTYPE html><html><body>sign in</body></html>", "web_page"),
    ],
)
def test_what_was_saved_in_place_of_a_checkpoint_is_named(content, kind, suffix, tmp_path):
    files = {"model.py": MODEL, f"checkpoint.{suffix}": content, "report.html": content}
    assert refused(made("zip", files, tmp_path), tmp_path) == {kind}


NO_TENSORS = struct.pack("<Q", 2) + b"{}"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("checkpoint.pt", b"\x89HDF\r\n\x1a\n", "keras_file"),
        ("checkpoint.pt", b"\x1f\x8b\x08", "packed_checkpoint"),
        ("checkpoint.pt", b'{"error": "invalid credentials"}', "text_checkpoint"),
        ("checkpoint.pt", b"\x08\x07\x12\x07pytorch\x1a\x052.4.0", "onnx_file"),
        ("checkpoint.pt", b"PK\x03\x04" + bytes(500), "cut_off_checkpoint"),
        ("checkpoint.pt", NO_TENSORS, "saved_by_safetensors"),
        ("checkpoint.safetensors", b"PK\x03\x04" + bytes(500) + b"PK\x05\x06", "saved_by_torch"),
        ("checkpoint.safetensors", bytes(20), "bad_safetensors"),
        ("checkpoint.safetensors", NO_TENSORS, None),
        ("checkpoint.pt", b"PK\x03\x04" + bytes(5000) + b"PK\x05\x06" + bytes(18), None),
    ],
)
def test_a_checkpoint_of_another_kind_is_named_and_refused_free(name, content, kind, tmp_path):
    files = {"model.py": MODEL, name: content}
    source = made("zip", files, tmp_path)
    if kind is None:
        assert inspect_bundle(source).checkpoints == (name,)
    else:
        assert refused(source, tmp_path) == {kind}


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_predictions_that_were_packed_are_named(kind, tmp_path):
    with pytest.raises(InvalidBundle) as caught:
        inspect_bundle(made(kind, {"predictions.csv": b"id,label\n"}, tmp_path))
    hint = caught.value.problems[0].hint
    assert hint.startswith("to hand in predictions, give 'predictions.csv' itself")


def test_packing_gives_the_same_bytes_and_a_valid_bundle(tmp_path):
    folder = folder_of(FILES | {"__pycache__/x.pyc": b"x"}, tmp_path / "given")
    pack_bundle(folder, tmp_path / "one.zip")
    os.utime(folder / "model.py", (0, 0))
    pack_bundle(folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert inspect_bundle(tmp_path / "one.zip") == inspect_bundle(folder)


def test_a_folder_that_holds_something_is_not_unpacked_into(tmp_path):
    (tmp_path / "unpacked").mkdir()
    (tmp_path / "unpacked" / "mine").touch()
    with pytest.raises(FileExistsError):
        unpack_bundle(zip_of(FILES, tmp_path / "b.zip"), tmp_path / "unpacked")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../evil.py", "path_escape"),
        ("net/../../evil.py", "path_escape"),
        ("net//evil.py", "path_escape"),
        ("/etc/evil.py", "absolute_path"),
        ("C:/evil.py", "absolute_path"),
        ("..\\evil.py", "absolute_path"),
        ("evil\x1b[31m.py", "bad_name"),
        ("evil\u202eyp.py", "bad_name"),
        ("evil. ", "bad_name"),
        ("Model.py", "case_collision"),
        ("/".join("d" * 12), "deep_path"),
        ("n" * 300, "deep_path"),
    ],
)
@pytest.mark.parametrize("kind_of_archive", ["zip", "tar.gz"])
def test_dangerous_name_is_refused(name, kind, kind_of_archive, tmp_path):
    assert refused(made(kind_of_archive, FILES | {name: b"x"}, tmp_path), tmp_path) == {kind}
    assert not (tmp_path.parent / "evil.py").exists()


def test_nul_in_a_name_is_refused(tmp_path):
    path = zip_of(FILES | {"evilZ.py": b"x"}, tmp_path / "b.zip")
    path.write_bytes(path.read_bytes().replace(b"evilZ", b"evil\0"))
    assert refused(path, tmp_path) & {"bad_name", "archive_damaged"}


def test_unicode_forms_of_one_name_collide(tmp_path):
    files = FILES | {"caf\u00e9.py": b"x", "cafe\u0301.py": b"y"}
    assert refused(zip_of(files, tmp_path / "b.zip"), tmp_path) == {"case_collision"}


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_name_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for content in (MODEL, b"import os\n"):
            archive.writestr("model.py", content)
    assert refused(path, tmp_path) == {"duplicate_name"}
    members = [("model.py", MODEL), ("model.py", b"import os\n")]
    assert refused(tar_of(members, tmp_path / "b.tar"), tmp_path) == {"duplicate_name"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(kind, tmp_path):
    about = tarfile.TarInfo("trap")
    about.type, about.linkname = kind, "/etc/passwd"
    source = tar_of([*FILES.items(), (about, None)], tmp_path / "b.tar.gz")
    assert refused(source, tmp_path) == {"not_a_file"}


def test_file_written_through_a_link_is_refused(tmp_path):
    about = tarfile.TarInfo("net")
    about.type, about.linkname = tarfile.SYMTYPE, str(tmp_path)
    source = tar_of([(about, None), ("net/evil.py", b"x"), *FILES.items()], tmp_path / "b.tar")
    assert "not_a_file" in refused(source, tmp_path)
    assert not (tmp_path / "evil.py").exists()


def test_link_in_a_zip_is_refused(tmp_path):
    path = zip_of(FILES, tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a") as archive:
        about = zipfile.ZipInfo("trap")
        about.external_attr = 0o120777 << 16
        archive.writestr(about, "/etc/passwd")
    assert refused(path, tmp_path) == {"not_a_file"}


def test_links_in_a_folder_are_refused(tmp_path):
    folder = folder_of(FILES, tmp_path / "given")
    (folder / "trap").symlink_to("/etc/passwd")
    (folder / "trapdoor").symlink_to("/etc", target_is_directory=True)
    os.mkfifo(folder / "pipe")
    assert refused(folder, tmp_path) == {"not_a_file"}


def test_sparse_file_is_refused(tmp_path):
    path = tmp_path / "b.tar"
    about = tarfile.TarInfo("big")
    about.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "big",
        "GNU.sparse.realsize": str(2**40),
    }
    block = b"1\n0\n0\n".ljust(512, b"\0")
    about.size = len(block)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(about, io.BytesIO(block))
    assert refused(path, tmp_path) <= {"not_a_file", "no_model"}


def test_zip_bomb_is_refused_while_it_is_counted(tmp_path):
    source = zip_of(FILES | {"bomb": bytes(64 * 2**20)}, tmp_path / "b.zip")
    assert source.stat().st_size < 2**20
    assert refused(source, tmp_path) == {"archive_bomb"}
    source = tar_of((FILES | {"bomb": bytes(64 * 2**20)}).items(), tmp_path / "b.tar.gz")
    assert refused(source, tmp_path) == {"archive_bomb"}


def test_zip_that_states_a_small_size_is_counted_nevertheless(tmp_path):
    path = zip_of(FILES | {"bomb": bytes(40 * 2**20)}, tmp_path / "b.zip")
    lie = path.read_bytes().replace(struct.pack("<I", 40 * 2**20), struct.pack("<I", 10))
    path.write_bytes(lie)
    assert refused(path, tmp_path) & {"archive_bomb", "archive_damaged"}


def test_overlapping_entries_are_refused(tmp_path):
    path = zip_of(FILES | {"one": b"x" * 100, "two": b"x" * 100}, tmp_path / "b.zip")
    with zipfile.ZipFile(path) as archive:
        first, second = (archive.getinfo(name).header_offset for name in ("one", "two"))
    content = path.read_bytes()
    at = content.rindex(struct.pack("<I", second), 0, content.rindex(b"PK\x05\x06"))
    path.write_bytes(content[:at] + struct.pack("<I", first) + content[at + 4 :])
    assert refused(path, tmp_path) == {"archive_damaged"}


def test_bundle_over_the_size_limit_is_refused(tmp_path):
    files = FILES | {"data.bin": os.urandom(3 * 2**20)}
    for kind in ("zip", "folder"):
        assert refused(made(kind, files, tmp_path), tmp_path, max_mb=2) == {"too_large"}


def test_too_many_files_are_refused(tmp_path):
    files = FILES | {f"data/{number}": b"" for number in range(3_000)}
    assert refused(zip_of(files, tmp_path / "b.zip"), tmp_path) == {"too_many_files"}


def test_archive_with_a_giant_header_is_refused_in_little_memory(tmp_path):
    about = tarfile.TarInfo("x")
    about.type, about.size = tarfile.XHDTYPE, 2**33
    path = tmp_path / "b.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(about.tobuf())
        file.write(bytes(8 * 2**20))
    assert refused(path, tmp_path) == {"archive_damaged"}
    path = zip_of(FILES, tmp_path / "b.zip")
    end = path.read_bytes().rindex(b"PK\x05\x06")
    content = bytearray(path.read_bytes())
    content[end + 12 : end + 16] = struct.pack("<I", 2**31)
    path.write_bytes(content)
    assert refused(path, tmp_path) == {"archive_damaged"}


@pytest.mark.parametrize("content", [b"", b"id,label\n1,2\n", os.urandom(5_000), b"PK\x03\x04junk"])
def test_what_is_no_archive_is_refused(content, tmp_path):
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    assert refused(path, tmp_path) == {"archive_damaged"}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archive_cut_off_anywhere_is_refused(kind, tmp_path):
    source = made(kind, FILES | {"data.bin": os.urandom(20_000)}, tmp_path)
    content = source.read_bytes()
    for end in range(600, 20_000, 1_999):
        source.write_bytes(content[:end])
        assert refused(source, tmp_path) <= {"archive_damaged", "no_model"}


def test_encrypted_zip_is_refused(tmp_path):
    path = zip_of(FILES, tmp_path / "b.zip")
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    path.write_bytes(content)
    assert refused(path, tmp_path) == {"archive_damaged"}


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_zip_whose_decoder_takes_what_memory_the_archive_says_is_refused(method, tmp_path):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("model.py", MODEL)
    assert refused(path, tmp_path) == {"archive_damaged"}


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["net", "net/layers.py"], "file_and_folder"),
        (["net/layers.py", "net"], "file_and_folder"),
        (["Net/a.py", "net/b.py"], "case_collision"),
        (["net/a.py", "NET"], "case_collision"),
    ],
)
def test_a_place_that_two_entries_claim_is_refused(names, problem, kind, tmp_path):
    source = made(kind, {"model.py": MODEL, **dict.fromkeys(names, b"x")}, tmp_path)
    assert refused(source, tmp_path) == {problem}


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"checkpoint.pt": b"x"}, "no_model"),
        ({"a/model.py": MODEL, "b/x.py": b""}, "no_model"),
        (FILES | {"checkpoint.pt": b"x"}, "ambiguous_checkpoint"),
        (FILES | {"checkpoints/a.pt": b"x"}, "ambiguous_checkpoint"),
        (
            {"model.py": MODEL, "checkpoints/a.pt": b"", "checkpoints/a.safetensors": SAFETENSORS},
            "ambiguous_checkpoint",
        ),
        ({"model.py": MODEL, "checkpoint.safetensors": b""}, "bad_safetensors"),
        ({"model.py": MODEL, "checkpoint.safetensors": b"\xff" * 64}, "bad_safetensors"),
        (
            {"model.py": MODEL, "checkpoint.safetensors": struct.pack("<Q", 2**40) + b"{}"},
            "bad_safetensors",
        ),
    ],
)
def test_bundle_against_the_contract_is_refused_and_told_what_to_do(files, kind, tmp_path):
    source = zip_of(files, tmp_path / "b.zip")
    assert refused(source, tmp_path) == {kind}
    with pytest.raises(InvalidBundle) as caught:
        inspect_bundle(source)
    assert all(one.hint for one in caught.value.problems)


def test_all_problems_of_a_bundle_are_reported_together(tmp_path):
    files = FILES | {"../a": b"", "../b": b"", "/c": b"", "MODEL.PY": b""}
    with pytest.raises(InvalidBundle) as caught:
        inspect_bundle(zip_of(files, tmp_path / "b.zip"))
    found = {one.kind: one.count for one in caught.value.problems}
    assert found == {"path_escape": 2, "absolute_path": 1, "case_collision": 1}


def test_a_checkpoint_is_never_decoded(tmp_path):
    """A pickle that would leave a mark when loaded leaves none."""
    mark = tmp_path / "mark"
    pickle = b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR."
    source = zip_of({"model.py": MODEL, "checkpoint.pt": pickle}, tmp_path / "b.zip")
    assert unpack_bundle(source, tmp_path / "unpacked").checkpoints == ("checkpoint.pt",)
    assert (tmp_path / "unpacked" / "checkpoint.pt").read_bytes() == pickle
    assert not mark.exists()
