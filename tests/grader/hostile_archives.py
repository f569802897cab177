"""Archives that nobody packs by mistake, drawn by a seed: each is refused or taken, in bounded time
and memory, and no exception but InvalidBundle comes out.

    python tests/grader/hostile_archives.py --count 20000
"""

from __future__ import annotations

import argparse
import gzip
import io
import random
import resource
import struct
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from grader import InvalidBundle, inspect_bundle

MODEL = b"def build_model(): ...\n"
SLOWEST_SECONDS = 5.0
"""CPU time of one archive: on a machine that others use as well."""
MOST_GROWTH_KB = 64 * 1024

Draw = random.Random


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """One block of a tar; what content belongs to it follows."""
    about = tarfile.TarInfo(name)
    about.size, about.type = size, kind
    return about.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def member(name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    return header(name, len(content), kind) + padded(content)


def pax(*records: tuple[str, str]) -> bytes:
    """A pax header with these records."""
    content = b""
    for key, value in records:
        plain = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        length = len(plain) + 1
        while length != len(f"{length}") + len(plain):
            length += 1
        content += f"{length}".encode() + plain
    return member("pax", content, tarfile.XHDTYPE)


HONEST = member("model.py", MODEL)
END = bytes(1024)


def zipped(files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def claims(draw: Draw) -> bytes:
    """TOML that is dear to read, in a bundle that is fine otherwise."""
    size = draw.choice([10, 400, 5_000, 30_000])
    depth = draw.choice(["a.", "[", "{a=", '"".', "a . ", "'a'."])
    text = draw.choice(
        [
            depth * size + "a = 1",
            "accuracy = " + draw.choice(["1", "[", "{", "0x1", "1_1", '"'] * 2) * size,
            "[" + "a." * size + "a]",
            "\n".join(f"a{n}.b = {n}" for n in range(size // 10)),
            'x = """' + draw.choice(['\\"', '"" ', "\\u0000", "\\ud800"]) * size,
            "accuracy = " + draw.choice(["1e999", "nan", "inf", "-0.0", "9" * 4300, "9" * 190]),
            "accuracy = '" + draw.choice(["\x00", "1" * 60_000, "\u0661", "\u00b2"]) + "'",
        ]
    )
    return zipped({"model.py": MODEL, "claims.toml": text.encode("utf-8", "surrogatepass")})


def litter(draw: Draw) -> bytes:
    """What nobody keeps, and somebody must unpack to skip over."""
    name = draw.choice(["__MACOSX/x", ".git/x", "__pycache__/x", "\udcff", "a/../b", ".DS_Store"])
    megabytes = draw.choice([1, 30])
    if draw.random() < 0.5 and "\udcff" not in name:
        return zipped({"model.py": MODEL, name: bytes(megabytes << 20)})
    content = header(name, megabytes << 20) + bytes(megabytes << 20) + HONEST + END
    return gzip.compress(content, compresslevel=1)


def headers(draw: Draw) -> bytes:
    """Headers upon headers, sizes that no file has, names of every kind."""
    extension = draw.choice(
        [
            pax(("path", draw.choice(["xyz", "a" * 5000, "\x00", "a\nb", "\udcff", "../x", "é"]))),
            pax(("size", draw.choice(["-99", "9" * 30, "9" * 5000, "1e3", "\u0661", ""]))),
            pax(*[(f"k{n}", "v") for n in range(draw.choice([3, 300]))]),
            pax(("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "9" * 20)),
            member(
                "pax", draw.choice([b"99 a=b\n", b"0 a=b\n", b"x", b"-5 a=b\n", b"7 a=bc\n"]), b"x"
            ),
            member("././@LongLink", b"n" * draw.choice([300, 5000]) + b"\0", b"L"),
            member("././@LongLink", b"n" * 300, b"K"),
            member("global", b"19 path=other.py\n\n\n", b"g"),
            header("folder", draw.choice([0, 1, 10**9]), tarfile.DIRTYPE),
            header("sparse", 0, tarfile.GNUTYPE_SPARSE),
        ]
    )
    size = draw.choice([b"\xff" * 12, b"\x80" + b"\xff" * 11, b"77777777777\0", b"-0000000001\0"])
    wild = bytearray(header("wild", 0))
    wild[124:136] = size
    wild[148:156] = b" " * 8
    wild[148:156] = f"{sum(wild):06o}\0 ".encode()
    body = draw.choice([extension * draw.choice([1, 3, 5_000]) + HONEST, bytes(wild) + HONEST])
    whole = body + END
    return gzip.compress(whole, compresslevel=1) if draw.random() < 0.5 else whole


def many(draw: Draw) -> bytes:
    """More entries than anybody looks at."""
    name = draw.choice(["", "/x", "a" * 90, "\x01", "__MACOSX/"])
    count = draw.choice([500, 20_000])
    if draw.random() < 0.3:
        return zipped({f"{number}": b"" for number in range(count // 4)})
    return gzip.compress(header(name or "/", 0) * count + HONEST + END, compresslevel=1)


def spoiled(draw: Draw) -> bytes:
    """An honest archive with a few bytes changed, cut or said twice."""
    files = {
        "model.py": MODEL,
        "checkpoint.safetensors": struct.pack("<Q", 2) + b"{}",
        "a/b.py": b"",
    }
    whole = draw.choice(
        [
            zipped(files, method=draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])),
            b"".join(member(*each) for each in files.items()) + END,
            gzip.compress(b"".join(member(*each) for each in files.items()) + END),
        ]
    )
    content = bytearray(whole)
    for _ in range(draw.choice([1, 3, 20])):
        at = draw.randrange(len(content))
        content[at] = draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])
    if draw.random() < 0.3:
        at = draw.randrange(len(content))
        content[at:] = draw.choice([b"", bytes(content[:at]), bytes(600)])
    return bytes(content)


KINDS: dict[str, tuple[Callable[[Draw], bytes], int]] = {
    "claims": (claims, 3),
    "litter": (litter, 1),
    "headers": (headers, 4),
    "many": (many, 1),
    "spoiled": (spoiled, 11),
}


def try_archives(count: int, seed: int, folder: Path) -> Counter[tuple[str, str]]:
    """How many of each kind ended how: by the first problem's kind, or "taken".

    Raises: AssertionError where one took too long or too much memory; whatever the reader raises.
    """
    draw, seen = random.Random(seed), Counter[tuple[str, str]]()
    path, base = folder / "bundle", None
    names = list(KINDS)
    weights = [KINDS[name][1] for name in names]
    for number in range(count):
        kind = names[number] if number < len(names) else draw.choices(names, weights)[0]
        path.write_bytes(KINDS[kind][0](draw))
        begun = time.process_time()
        try:
            inspect_bundle(path)
            ended, said = "taken", []
        except InvalidBundle as error:
            ended, said = error.problems[0].kind, [one.message for one in error.problems]
        assert all(message.isprintable() for message in said), said
        assert time.process_time() - begun < SLOWEST_SECONDS, (kind, number)
        seen[kind, ended] += 1
        if number == count // 4:
            base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - (base or 0)
    assert grown < MOST_GROWTH_KB, f"{grown} KB"
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen = try_archives(asked.count, asked.seed, Path(folder))
    for (kind, ended), times in sorted(seen.items()):
        print(f"{kind:10} {ended:22} {times:7,}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{sum(seen.values()):,} archives, none taken for anything else; at most {peak} MB")


if __name__ == "__main__":
    main()
