"""Code bundles: what a submission of code must look like, and unpacking it safely.

A bundle is checked to its last byte before anything of it is written, and no checkpoint is ever
decoded here: of a .safetensors file only the header's length is read, a .pt file is only copied.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import struct
import tomllib
import unicodedata
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from grader.archives import CHUNK_BYTES, Archive, Damaged, Entry, open_archive
from grader.errors import InvalidBundle, Problem

MAX_FILES: Final = 2_000
MAX_DEPTH: Final = 10
MAX_NAME_BYTES: Final = 240
MAX_RATIO: Final = 200  # unpacked to packed; trained weights hardly shrink
_RATIO_FREE_BYTES: Final = 16 * 2**20  # a small archive may shrink as it likes
_CLAIMS_BYTES: Final = 64 * 1024
_SAFETENSORS_HEADER_BYTES: Final = 100_000_000  # the format's own limit
_MOST_PROBLEMS: Final = 20

_CHECKPOINT: Final = re.compile(r"checkpoint\.(safetensors|pt)")
_PART: Final = re.compile(r"checkpoints/(?P<name>[^/]+)\.(?P<suffix>safetensors|pt)")
_ALMOST: Final = re.compile(r"(checkpoint|model|weights|best)\.(pth|pt|ckpt|bin|pkl|safetensors)")
# Left behind by editors and file managers; not part of anybody's work.
_LITTER: Final = re.compile(
    r"(^|.*/)(__MACOSX|__pycache__|\.git|\.ipynb_checkpoints|\.idea|\.vscode)(/.*|$)"
    r"|(^|.*/)(\.DS_Store|\._[^/]*|Thumbs\.db|desktop\.ini)$"
)


@dataclass(frozen=True, kw_only=True)
class BundleInfo:
    """What a bundle holds. files: (name, bytes) by name, as they lie once unpacked."""

    files: tuple[tuple[str, int], ...]
    checkpoints: tuple[str, ...]
    total_bytes: int
    claims: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()


def inspect_bundle(source: Path | str, *, max_mb: int = 1024) -> BundleInfo:
    """Check a folder, .zip, .tar or .tar.gz without writing anything.

    Raises:
        InvalidBundle: with everything that is wrong and what to do about it.
    """
    return _Inspection(Path(source), max_mb * 2**20).info()


def unpack_bundle(source: Path | str, into: Path | str, *, max_mb: int = 1024) -> BundleInfo:
    """Check a bundle, then copy it into a new folder with model.py at its root.

    Raises:
        InvalidBundle: as inspect_bundle; the folder is then not there.
        FileExistsError: the folder exists and is not empty.
    """
    into = Path(into)
    if into.exists() and any(into.iterdir()):
        raise FileExistsError(f"{into} is not empty")
    inspection = _Inspection(Path(source), max_mb * 2**20)
    info = inspection.info()
    into.mkdir(parents=True, exist_ok=True)
    try:
        inspection.write(into)
    except BaseException:
        shutil.rmtree(into)
        raise
    return info


def pack_bundle(folder: Path | str, into: Path | str) -> None:
    """Write a folder as a .zip: the same files give the same bytes.

    Raises:
        InvalidBundle: the folder is no valid bundle.
    """
    folder = Path(folder)
    inspection = _Inspection(folder, 2**50)
    info = inspection.info()
    with zipfile.ZipFile(into, "w") as archive:
        for name, _ in info.files:
            about = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            about.external_attr = (stat.S_IFREG | 0o644) << 16
            # Weights do not shrink; storing them is much faster.
            text = name.endswith((".py", ".toml", ".md", ".txt", ".json"))
            about.compress_type = zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED
            with (
                archive.open(about, "w", force_zip64=True) as target,
                inspection.path_of(name).open("rb") as origin,
            ):
                shutil.copyfileobj(origin, target, CHUNK_BYTES)


@dataclass
class _Found:
    """A file of the bundle, seen in the check."""

    size: int
    head: bytes  # its first bytes: enough for the header length of a .safetensors file
    content: bytes | None = None  # all of it, of claims.toml only


@dataclass
class _Inspection:
    """One bundle being checked: names first, then every byte, then the contract."""

    source: Path
    max_bytes: int
    _problems: list[Problem] = field(default_factory=list)
    _top: str = ""
    _is_folder: dict[str, bool] = field(default_factory=dict)  # by name, of what was seen

    def info(self) -> BundleInfo:
        try:
            with open_archive(self.source) as archive:
                found = self._read(archive)
        except Damaged as error:
            self._add("archive_damaged", str(error), "pack the folder again and hand that in")
            found = {}
        if not self._problems:
            found = self._without_top_folder(found)
            self._check_contract(found)
        claims = None if self._problems else self._claims(found)
        if self._problems:
            raise InvalidBundle(self._problems[:_MOST_PROBLEMS])
        checkpoints = tuple(
            name for name in sorted(found) if _CHECKPOINT.fullmatch(name) or _PART.fullmatch(name)
        )
        return BundleInfo(
            files=tuple((name, found[name].size) for name in sorted(found)),
            checkpoints=checkpoints,
            total_bytes=sum(one.size for one in found.values()),
            claims=claims,
            warnings=() if checkpoints else (_no_checkpoint(found),),
        )

    def write(self, into: Path) -> None:
        """Copy what the check has seen; nothing existing is followed or replaced."""
        left = self.max_bytes
        with open_archive(self.source) as archive:
            for entry in archive.entries():
                if entry.kind != "file" or _LITTER.fullmatch(entry.name):
                    continue
                target = into / entry.name.removeprefix(self._top)
                target.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
                with os.fdopen(os.open(target, flags, 0o644), "wb") as file:
                    for chunk in archive.content(entry):
                        left -= len(chunk)
                        if left < 0:
                            raise OSError(f"{self.source} changed while it was being unpacked")
                        file.write(chunk)

    def path_of(self, name: str) -> Path:
        """Give the file of a bundle that is a folder."""
        return self.source / f"{self._top}{name}"

    def _read(self, archive: Archive) -> dict[str, _Found]:
        found: dict[str, _Found] = {}
        seen: dict[str, str] = {}
        total = 0
        packed = archive.packed_bytes
        for entry in archive.entries():
            if len(seen) >= MAX_FILES:
                self._add(
                    "too_many_files",
                    f"the bundle holds more than {MAX_FILES:,} files and folders",
                    "leave out data sets, caches and environments",
                )
                break
            if not self._check_name(entry, seen) or _LITTER.fullmatch(entry.name):
                continue
            if entry.kind != "file":
                continue
            one = _Found(size=0, head=b"")
            kept = b"" if PurePosixPath(entry.name).name == "claims.toml" else None
            for chunk in archive.content(entry):
                one.size += len(chunk)
                total += len(chunk)
                one.head = one.head or chunk[:16]
                if kept is not None and len(kept) <= _CLAIMS_BYTES:
                    kept += chunk
                if self._is_too_large(total, packed):
                    return found
            one.content = kept
            found[entry.name] = one
        return found

    def _is_too_large(self, total: int, packed: int | None) -> bool:
        if total > self.max_bytes:
            self._add(
                "too_large",
                f"the bundle unpacks to more than {self.max_bytes // 2**20:,} MB",
                "leave out what the model does not need; store weights in half precision",
            )
            return True
        if packed is not None and total > max(_RATIO_FREE_BYTES, MAX_RATIO * packed):
            self._add(
                "archive_bomb",
                f"the archive unpacks to more than {MAX_RATIO} times its size",
                "hand in the files that training wrote, not padding",
            )
            return True
        return False

    def _check_name(self, entry: Entry, seen: dict[str, str]) -> bool:
        """Check one entry's name and kind; `seen` maps folded names to the names so far."""
        problem = _name_problem(entry)
        if problem:
            self._add(*problem)
            return False
        return self._check_place(entry, seen)

    def _check_place(self, entry: Entry, seen: dict[str, str]) -> bool:
        """Check that nothing else has the place of an entry or of the folders it lies in."""
        for name in _with_parents(entry.name):
            other = seen.setdefault(_folded(name), name)
            if other != name:
                self._add(
                    "case_collision",
                    f"{_shown(name)} and {_shown(other)} differ in case only",
                    "rename one: on some disks they are one file",
                )
                return False
            is_folder = name != entry.name or entry.kind == "folder"
            if self._is_folder.setdefault(name, is_folder) != is_folder:
                self._add(
                    "file_and_folder",
                    f"{_shown(name)} is a file and a folder at once",
                    "pack the folder afresh",
                )
                return False
        return True

    def _without_top_folder(self, found: dict[str, _Found]) -> dict[str, _Found]:
        """Take a single folder around everything for the root, unless model.py is at the root."""
        tops = {name.split("/", 1)[0] for name in found}
        if "model.py" in found or len(tops) != 1 or not all("/" in name for name in found):
            return found
        self._top = f"{tops.pop()}/"
        return {name.removeprefix(self._top): one for name, one in found.items()}

    def _check_contract(self, found: dict[str, _Found]) -> None:
        if "model.py" not in found:
            elsewhere = [name for name in found if name.endswith("/model.py")]
            self._add(
                "no_model",
                "model.py is missing"
                + (f"; there is one at {_shown(elsewhere[0])}" if elsewhere else ""),
                "put model.py, with build_model() in it, at the top of the bundle",
            )
        single = [name for name in found if _CHECKPOINT.fullmatch(name)]
        parts = [match for name in sorted(found) if (match := _PART.fullmatch(name))]
        if len(single) + bool(parts) > 1:
            several = ", ".join([*single, *(part[0] for part in parts[:3])])
            self._add(
                "ambiguous_checkpoint",
                f"there are several checkpoints: {several}",
                "keep one checkpoint file, or only files in checkpoints/",
            )
        prefixes = [match["name"] for match in parts]
        twice = sorted({name for name in prefixes if prefixes.count(name) > 1})
        if twice:
            self._add(
                "ambiguous_checkpoint",
                f"checkpoints/ holds {_shown(twice[0])} in two formats",
                "keep one of them",
            )
        for name, one in sorted(found.items()):
            if name.endswith(".safetensors"):
                self._check_safetensors(name, one)

    def _check_safetensors(self, name: str, one: _Found) -> None:
        length = struct.unpack("<Q", one.head[:8])[0] if len(one.head) >= 8 else None
        if (
            length is None
            or length > min(one.size - 8, _SAFETENSORS_HEADER_BYTES)
            or one.head[8:9] != b"{"
        ):
            self._add(
                "bad_safetensors",
                f"{_shown(name)} is no valid safetensors file: its header is cut off or oversized",
                "write it with safetensors.torch.save_file(model.state_dict(), ...)",
            )

    def _claims(self, found: dict[str, _Found]) -> dict[str, Any] | None:
        one = found.get("claims.toml")
        if one is None:
            return None
        content = one.content or b""
        if len(content) > _CLAIMS_BYTES:
            self._add("bad_claims", "claims.toml is larger than 64 KB", "")
            return None
        try:
            return tomllib.loads(content.decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            place = re.search(r"line (\d+)", str(error))
            self._add(
                "bad_claims",
                f"claims.toml is no valid TOML: {_printable(str(error))}",
                "write lines such as accuracy = 0.76",
                line=int(place[1]) if place else None,
            )
            return None

    def _add(self, kind: str, message: str, hint: str, line: int | None = None) -> None:
        for at, known in enumerate(self._problems):
            if known.kind == kind:
                self._problems[at] = Problem(
                    kind=kind,
                    message=known.message,
                    hint=known.hint,
                    line=known.line,
                    count=known.count + 1,
                )
                return
        self._problems.append(Problem(kind=kind, message=message, hint=hint, line=line))


def _name_problem(entry: Entry) -> tuple[str, str, str] | None:
    """Give kind, message and hint of what is wrong with an entry's name or kind."""
    name, shown = entry.name, _shown(entry.name)
    parts = name.split("/")
    if entry.repeated:
        return "duplicate_name", f"{shown} is in the archive twice", "pack the folder afresh"
    if entry.kind not in ("file", "folder"):
        hint = "pack the files themselves (zip without -y, tar with --dereference)"
        return "not_a_file", f"{shown} is a {entry.kind}, not a file", hint
    if not name or "\0" in name or not name.isprintable() or "\ufffd" in name:
        return "bad_name", f"{shown} holds a character that names must not hold", "rename it"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or "\\" in name:
        return "absolute_path", f"{shown} is not a relative path", "pack from inside the folder"
    if any(part in ("..", ".", "") for part in parts):
        return "path_escape", f"{shown} leads out of the bundle", "pack from inside the folder"
    if any(part != part.rstrip(" .") for part in parts):
        return "bad_name", f"{shown} has a part that ends in a space or dot", "rename it"
    if len(parts) > MAX_DEPTH or len(name.encode()) > MAX_NAME_BYTES:
        return "deep_path", f"{shown} is nested too deeply or its name is too long", "shorten it"
    return None


def _with_parents(name: str) -> list[str]:
    """`a/b/c` -> `a`, `a/b`, `a/b/c`."""
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _folded(name: str) -> str:
    """What a disk that ignores case takes a name for."""
    return unicodedata.normalize("NFC", name).casefold()


def _no_checkpoint(names: Iterable[str]) -> str:
    near = [name for name in names if _ALMOST.fullmatch(PurePosixPath(name).name.lower())]
    said = "there is no checkpoint.safetensors, checkpoint.pt or checkpoints/"
    return f"{said}; rename {_shown(near[0])}?" if near else said


def _shown(text: str) -> str:
    return f"'{_printable(text)}'"


def _printable(text: str) -> str:
    cut = text if len(text) <= 80 else f"{text[:79]}…"
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in cut
    )
