"""What often goes wrong with a code bundle, found without running or decoding anything of it.

Sources are parsed, never imported; of a `.pt` file the pickle's opcodes are listed, never executed
(`pickletools`); of a `.safetensors` file the header is read. A hint is advice, not a verdict.
"""

from __future__ import annotations

import ast
import json
import pickletools
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from grader.cli.chinese.messages import tr

# What torch.save(state_dict) refers to; anything else is code that comes with a pickled object.
PLAIN_GLOBALS = frozenset(
    {
        "_codecs encode",
        "collections OrderedDict",
        "torch Size",
        "torch.serialization _get_layout",
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_tensor_v2",
    }
)
NESTED_KEYS = frozenset({"state_dict", "model_state_dict", "model", "net"})
WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel, AveragedModel and torch.compile put before each name."""
NO_TENSORS = frozenset({"__metadata__", "n_averaged"})
OTHER_SUFFIXES = frozenset({".pth", ".ckpt", ".bin", ".pkl", ".h5", ".onnx", ".npz"})
PICKLE_BYTES = 64 << 20
"""No state_dict's opcodes are longer; a larger stream is not read to its end."""


@dataclass(frozen=True, kw_only=True)
class Hint:
    """One piece of advice and the place it is about."""

    file: str
    message: str
    line: int | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        return {"file": self.file, "line": self.line, "message": self.message}

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: {self.message}"
            if self.line
            else f"{self.file}: {self.message}"
        )


def hints_for(bundle: Path) -> tuple[Hint, ...]:
    """Every hint for an unpacked bundle folder, by file name and line."""
    found: list[Hint] = []
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        name = path.relative_to(bundle).as_posix()
        if path.suffix == ".py":
            found += _source_hints(path, name)
        elif path.suffix == ".pt":
            found += _pickle_hints(path, name)
        elif path.suffix == ".safetensors":
            found += _tensor_name_hints(_safetensors_names(path), name)
        elif path.suffix in OTHER_SUFFIXES:
            text = tr("is not read; save the state_dict as checkpoint.safetensors or checkpoint.pt")
            found.append(Hint(file=name, message=text))
    return tuple(found)


def _source_hints(path: Path, name: str) -> Iterator[Hint]:
    try:
        tree = ast.parse(path.read_bytes(), filename=name)
    except (SyntaxError, ValueError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        yield Hint(file=name, line=line, message=tr("is not valid Python: {error}", error=error))
        return
    if name == "model.py" and "build_model" not in _top_level_names(tree):
        yield Hint(file=name, message=tr("defines no function build_model()"))
    for node in ast.walk(tree):
        message = _call_hint(node) if isinstance(node, ast.Call) else None
        if message and isinstance(node, ast.Call):
            yield Hint(file=name, line=node.lineno, message=message)


def _call_hint(call: ast.Call) -> str | None:
    given = {word.arg: word.value for word in call.keywords if word.arg}
    called = ast.unparse(call.func)
    if _is_true(given.get("pretrained")) or _asks_for_weights(given.get("weights")):
        return tr("downloads weights, but there is no network; the checkpoint must hold them all")
    if called.endswith("load_state_dict_from_url") or called.startswith("torch.hub."):
        return tr("needs a network, and there is none")
    if isinstance(call.func, ast.Attribute) and _moves_to_gpu(call.func.attr, call.args):
        return tr(".cuda() fails without a GPU; the model is put on the right device for you")
    return None


def _moves_to_gpu(method: str, arguments: list[ast.expr]) -> bool:
    if method != "to" or not arguments:
        return method == "cuda"
    target = arguments[0]
    return isinstance(target, ast.Constant) and str(target.value).startswith("cuda")


def _is_true(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def _asks_for_weights(value: ast.expr | None) -> bool:
    """Whether it is what torchvision takes: a string, or a member of `ResNet18_Weights`."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str)
    return isinstance(value, ast.Attribute) and "Weights" in ast.unparse(value.value)


def _top_level_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names if "*" not in names else names | {"build_model"}


def _pickle_hints(path: Path, name: str) -> Iterator[Hint]:
    """What the opcodes of a `.pt` file's pickle tell, in both of torch.save's formats."""
    try:
        globals_, strings = _pickle_contents(path)
    except (ValueError, zipfile.BadZipFile, KeyError):
        text = tr("is no file of torch.save: write it with torch.save(model.state_dict(), …)")
        yield Hint(file=name, message=text)
        return
    foreign = sorted(each for each in globals_ if not _is_plain(each))
    if foreign:
        text = tr(
            "holds a pickled object ({names}), not tensors alone, and will not be loaded: "
            "torch.save(model.state_dict(), …)",
            names=", ".join(each.replace(" ", ".") for each in foreign[:3]),
        )
        yield Hint(file=name, message=text)
        return
    nested = sorted(NESTED_KEYS & set(strings))
    if nested and not any(each.startswith(f"{nested[0]}.") for each in strings):
        text = tr("keeps the state_dict under {key!r}; save that one alone", key=nested[0])
        yield Hint(file=name, message=text)
    yield from _tensor_name_hints([each for each in strings if "." in each], name)


def _pickle_contents(path: Path) -> tuple[set[str], list[str]]:
    """The globals that a pickle names (`module name`) and its strings, in order."""
    globals_: set[str] = set()
    strings: list[str] = []
    memo: list[str] = []
    last = ""
    with _pickle_stream(path) as stream:
        for opcode, argument, _ in pickletools.genops(stream.read(PICKLE_BYTES)):
            if opcode.name in ("GLOBAL", "INST"):
                globals_.add(str(argument))
            elif opcode.name == "STACK_GLOBAL":
                globals_.add(" ".join(strings[-2:]))
            elif opcode.name == "MEMOIZE":
                memo.append(last)
            elif opcode.name in ("BINGET", "LONG_BINGET") and _is_text_at(memo, argument):
                strings.append(memo[int(str(argument))])
            elif isinstance(argument, str):
                strings.append(argument)
            last = argument if isinstance(argument, str) else ""
    return globals_, strings


def _is_text_at(memo: list[str], place: object) -> bool:
    return isinstance(place, int) and place < len(memo) and bool(memo[place])


def _pickle_stream(path: Path) -> IO[bytes]:
    if not zipfile.is_zipfile(path):
        return path.open("rb")  # the format before torch 1.6
    with zipfile.ZipFile(path) as archive:
        inner = [each for each in archive.namelist() if each.endswith("data.pkl")]
        if not inner:
            raise KeyError("data.pkl")
        return archive.open(inner[0])


def _is_plain(name: str) -> bool:
    return (
        name in PLAIN_GLOBALS
        or (name.startswith("torch ") and name.endswith("Storage"))
        or (
            name.startswith("torch ") and name.partition(" ")[2].islower()  # a dtype: float32
        )
    )


def _safetensors_names(path: Path) -> list[str]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        try:
            return list(json.loads(file.read(min(length, PICKLE_BYTES))))
        except ValueError:
            return []


def _tensor_name_hints(names: list[str], file: str) -> Iterator[Hint]:
    tensors = [name for name in names if name not in NO_TENSORS]
    prefix = ""
    while more := _wrapper_of(tensors, prefix):
        prefix += more
    if prefix:
        text = tr(
            "names begin with `{prefix}`: save model.{path}.state_dict()",
            prefix=prefix,
            path=prefix.rstrip("."),
        )
        yield Hint(file=file, message=text)


def _wrapper_of(names: list[str], prefix: str) -> str:
    """What a wrapper of the model has put before at least half of the names, behind `prefix`."""
    for wrapper in WRAPPERS:
        wrapped = sum(name.startswith(prefix + wrapper) for name in names)
        if wrapped and wrapped >= len(names) / 2:
            return wrapper
    return ""
