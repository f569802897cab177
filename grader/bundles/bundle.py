"""Code bundles: what a submission of code must look like, and unpacking it safely.

A bundle is checked to its last byte before anything of it is written, and no checkpoint is ever
decoded here: of a .safetensors file only the header's length is read, a .pt file is only copied.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tomllib
import unicodedata
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from grader.bounded_toml import TomlLimits, place_of, read_toml
from grader.bundles.archives import open_archive
from grader.bundles.checkpoint_kinds import HEAD_BYTES, TAIL_BYTES, WORDS, what_instead
from grader.bundles.entries import CHUNK_BYTES, Archive, Damaged, Entry, TooMuch
from grader.errors import InvalidBundle, Problem
from grader.words.message import Message, said

MAX_FILES: Final = 2_000
MAX_DEPTH: Final = 10
MAX_NAME_BYTES: Final = 240
MAX_RATIO: Final = 200  # unpacked to packed; trained weights hardly shrink
_RATIO_FREE_BYTES: Final = 16 * 2**20  # a small archive may shrink as it likes
_HEADER_BYTES: Final = 4096  # of one entry of a tar, its padding included
CLAIMS: Final = TomlLimits(size=64 * 1024, parts=2, depth=2)
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
    warnings: tuple[Message, ...] = ()


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
    head: bytes  # its first and its last bytes: enough to tell what is no checkpoint
    tail: bytes = b""
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
            with open_archive(self.source, most_bytes=self._most_bytes) as archive:
                found = self._read(archive)
        except TooMuch:
            self._is_too_large(self._most_bytes, self.source.stat().st_size)
            found = {}
        except Damaged as error:
            self._add("archive_damaged", error.why, said("bundle.archive_damaged.hint"))
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
        with open_archive(self.source, most_bytes=self._most_bytes) as archive:
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

    @property
    def _most_bytes(self) -> int:
        """What may be unpacked to look at every entry, whether it is kept or skipped."""
        by_ratio = max(_RATIO_FREE_BYTES, MAX_RATIO * self.source.stat().st_size)
        return min(self.max_bytes, by_ratio) + MAX_FILES * _HEADER_BYTES

    def _read(self, archive: Archive) -> dict[str, _Found]:
        found: dict[str, _Found] = {}
        seen: dict[str, str] = {}
        total = 0
        packed = archive.packed_bytes
        for number, entry in enumerate(archive.entries()):
            if max(number, len(seen)) >= MAX_FILES:
                self._add(
                    "too_many_files",
                    said("bundle.too_many_files", most=f"{MAX_FILES:,}"),
                    said("bundle.too_many_files.hint"),
                )
                break
            if not self._check_name(entry, seen) or entry.kind != "file":
                continue
            is_litter = _LITTER.fullmatch(entry.name) is not None
            if is_litter and packed is None:
                continue  # beside one's own folder it costs nobody anything
            one = _Found(size=0, head=b"")
            kept = b"" if PurePosixPath(entry.name).name == "claims.toml" else None
            for chunk in archive.content(entry):
                one.size += len(chunk)
                total += len(chunk)
                one.head = one.head or chunk[:HEAD_BYTES]
                one.tail = (one.tail + chunk)[-TAIL_BYTES:]
                if kept is not None and len(kept) <= CLAIMS.size:
                    kept += chunk
                if self._is_too_large(total, packed):
                    return found
            one.content = kept
            if not is_litter:
                found[entry.name] = one
        return found

    def _is_too_large(self, total: int, packed: int | None) -> bool:
        if total > self.max_bytes:
            self._add(
                "too_large",
                said("bundle.too_large", most=f"{self.max_bytes // 2**20:,}"),
                said("bundle.too_large.hint"),
            )
            return True
        if packed is not None and total > max(_RATIO_FREE_BYTES, MAX_RATIO * packed):
            self._add(
                "archive_bomb",
                said("bundle.archive_bomb", times=MAX_RATIO),
                said("bundle.archive_bomb.hint"),
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
                    said("bundle.case_collision", name=_shown(name), other=_shown(other)),
                    said("bundle.case_collision.hint"),
                )
                return False
            is_folder = name != entry.name or entry.kind == "folder"
            if self._is_folder.setdefault(name, is_folder) != is_folder:
                self._add(
                    "file_and_folder",
                    said("bundle.file_and_folder", name=_shown(name)),
                    said("bundle.pack_afresh"),
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
                said("bundle.no_model_but", place=_shown(elsewhere[0]))
                if elsewhere
                else said("bundle.no_model"),
                _advice_without_model(found),
            )
        single = [name for name in found if _CHECKPOINT.fullmatch(name)]
        parts = [match for name in sorted(found) if (match := _PART.fullmatch(name))]
        if len(single) + bool(parts) > 1:
            several = ", ".join([*single, *(part[0] for part in parts[:3])])
            self._add(
                "ambiguous_checkpoint",
                said("bundle.several_checkpoints", names=several),
                said("bundle.several_checkpoints.hint"),
            )
        prefixes = [match["name"] for match in parts]
        twice = sorted({name for name in prefixes if prefixes.count(name) > 1})
        if twice:
            self._add(
                "ambiguous_checkpoint",
                said("bundle.two_formats", name=_shown(twice[0])),
                said("bundle.two_formats.hint"),
            )
        for name, one in sorted(found.items()):
            if name.endswith((".pt", ".safetensors")):
                self._check_checkpoint(name, one)

    def _check_checkpoint(self, name: str, one: _Found) -> None:
        kind = what_instead(name, one.size, one.head, one.tail)
        if kind is not None:
            code, hint = WORDS[kind]
            self._add(kind, said(code, name=_shown(name)), said(hint))

    def _claims(self, found: dict[str, _Found]) -> dict[str, Any] | None:
        one = found.get("claims.toml")
        if one is None:
            return None
        content = one.content or b""
        if len(content) > CLAIMS.size:
            self._add("bad_claims", said("bundle.claims_too_large"), None)
            return None
        try:
            return read_toml(content, CLAIMS)
        except tomllib.TOMLDecodeError as error:
            reason, line = place_of(error)
            if not isinstance(reason, Message):
                reason = _printable(reason)
            self._add(
                "bad_claims",
                said("bundle.claims_unreadable", error=reason),
                said("bundle.claims_unreadable.hint"),
                line=line,
            )
            return None

    def _add(
        self, kind: str, message: Message, hint: Message | None, line: int | None = None
    ) -> None:
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
        self._problems.append(Problem(kind=kind, message=message, hint=hint or "", line=line))


def _name_problem(entry: Entry) -> tuple[str, Message, Message] | None:
    """Give kind, message and hint of what is wrong with an entry's name or kind."""
    found = _wrong_with(entry)
    if found is None:
        return None
    kind, code, hint = found
    values = {"kind": entry.kind} if code == "bundle.not_a_file" else {}
    return kind, said(code, name=_shown(entry.name), **values), said(hint)


def _wrong_with(entry: Entry) -> tuple[str, str, str] | None:
    """The kind, and the codes of message and hint."""
    name = entry.name
    parts = name.split("/")
    if entry.repeated:
        return "duplicate_name", "bundle.duplicate_name", "bundle.pack_afresh"
    if entry.kind not in ("file", "folder"):
        return "not_a_file", "bundle.not_a_file", "bundle.not_a_file.hint"
    if not name or "\0" in name or not name.isprintable() or "\ufffd" in name:
        return "bad_name", "bundle.bad_character", "bundle.rename"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or "\\" in name:
        return "absolute_path", "bundle.absolute_path", "bundle.pack_from_inside"
    if any(part in ("..", ".", "") for part in parts):
        return "path_escape", "bundle.path_escape", "bundle.pack_from_inside"
    if any(part != part.rstrip(" .") for part in parts):
        return "bad_name", "bundle.bad_ending", "bundle.rename"
    if len(parts) > MAX_DEPTH or len(name.encode()) > MAX_NAME_BYTES:
        return "deep_path", "bundle.deep_path", "bundle.deep_path.hint"
    return None


def _with_parents(name: str) -> list[str]:
    """`a/b/c` -> `a`, `a/b`, `a/b/c`."""
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _folded(name: str) -> str:
    """What a disk that ignores case takes a name for."""
    return unicodedata.normalize("NFC", name).casefold()


def _no_checkpoint(names: Iterable[str]) -> Message:
    near = [name for name in names if _ALMOST.fullmatch(PurePosixPath(name).name.lower())]
    if near:
        return said("bundle.no_checkpoint_but", name=_shown(near[0]))
    return said("bundle.no_checkpoint")


def _advice_without_model(found: Iterable[str]) -> Message:
    table = next((name for name in found if name.endswith((".csv", ".csv.gz"))), None)
    if table is None:
        return said("bundle.no_model.hint")
    return said("bundle.csv_instead", name=_shown(table))


def _shown(text: str) -> str:
    return f"'{_printable(text)}'"


def _printable(text: str) -> str:
    cut = text if len(text) <= 80 else f"{text[:79]}…"
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in cut
    )
