"""The ways in which a run leaves a message that a later run finds."""

import contextlib
import json
import os
import time
from pathlib import Path

from meanwhile import LIBRARY, PAGE, checked, libc, named


class ResidentPages:
    """Which pages of a library are in memory: read by the sender, asked by the receiver."""

    first = 40_000

    def __init__(self) -> None:
        self.file = os.open(LIBRARY, os.O_RDONLY)
        self.advise(0, os.POSIX_FADV_RANDOM)

    def advise(self, length: int, what: int) -> None:
        """Where that is refused, pages may come along that were not read."""
        with contextlib.suppress(OSError):
            os.posix_fadvise(self.file, self.first * PAGE * bool(length), length, what)

    def leave(self, bits: list[int]) -> None:
        self.advise(1 << 24, os.POSIX_FADV_DONTNEED)
        for number, bit in enumerate(bits):
            if bit:
                os.pread(self.file, 1, (self.first + 32 * number) * PAGE)

    def find(self, count: int) -> list[float]:
        return [self.is_there(self.first + 32 * number) for number in range(count)]

    def is_there(self, page: int) -> float:
        try:
            return os.preadv(self.file, [bytearray(1)], page * PAGE, os.RWF_NOWAIT)
        except BlockingIOError:
            return 0


class ResidentPagesByTime(ResidentPages):
    """The same, by how long a read takes."""

    first = 20_000

    def is_there(self, page: int) -> float:
        began = time.perf_counter()
        os.pread(self.file, 1, page * PAGE)
        return -min(time.perf_counter() - began, 0.001)


class SystemVKeys:
    """Shared memory that stays when its maker is gone."""

    first = json.loads((Path(__file__).parent / "plan.json").read_text())["key"]

    def leave(self, bits: list[int]) -> None:
        for number, bit in enumerate(bits):
            if bit:
                checked(libc.shmget(self.first + number, PAGE, 0o1666))

    def find(self, count: int) -> list[float]:
        found = []
        for number in range(count):
            there = libc.shmget(self.first + number, 0, 0)
            found.append(there >= 0)
            if there >= 0:
                libc.shmctl(there, 0, None)
        return found


class Keyring:
    """Keys of the user's keyring."""

    ADD, KEYCTL, USER, SEARCH = 248, 250, -4, 10

    def leave(self, bits: list[int]) -> None:
        for number, bit in enumerate(bits):
            if bit:
                checked(libc.syscall(self.ADD, b"user", b"way%d" % number, b"x", 1, self.USER))

    def find(self, count: int) -> list[float]:
        found = []
        for number in range(count):
            name = b"way%d" % number
            key = libc.syscall(self.KEYCTL, self.SEARCH, self.USER, b"user", name, 0)
            found.append(key >= 0)
            if key >= 0:
                libc.syscall(self.KEYCTL, 9, key, self.USER)
        return found


class AccessTimes:
    """When a file was last read."""

    def files(self, count: int) -> list[Path]:
        return sorted(Path("/opt/packages/torch/nn/modules").glob("*.py"))[:count]

    def leave(self, bits: list[int]) -> None:
        for bit, file in zip(bits, self.files(len(bits)), strict=False):
            if bit:
                file.read_bytes()

    def find(self, count: int) -> list[float]:
        times = [file.stat().st_atime for file in self.files(count)]
        return [float(each > time.time() - 60) for each in times] + [0.0] * (count - len(times))


class FileNames:
    """Files where a later run might look."""

    places = ("/tmp", "/dev/shm", "/dev/mqueue", "/bundle", "/opt/channel", "/run", "/var/tmp")

    def leave(self, bits: list[int]) -> None:
        for place in self.places:
            for number, bit in enumerate(bits):
                try:
                    if bit:
                        Path(place, f"way{number}").touch()
                except OSError:
                    break

    def find(self, count: int) -> list[float]:
        return [
            float(any(Path(place, f"way{number}").exists() for place in self.places))
            for number in range(count)
        ]


class UnixNames:
    """Abstract socket names, and the number that the kernel gives the next one by itself."""

    def leave(self, bits: list[int]) -> None:
        import socket

        self.kept = []
        for number, bit in enumerate(bits):
            if bit:
                made = socket.socket(socket.AF_UNIX)
                made.bind(f"\0way{number}")
                self.kept.append(made)

    def find(self, count: int) -> list[float]:
        names = Path("/proc/net/unix").read_text()
        return [float(f"@way{number}\n" in names) for number in range(count)]


LATER = {
    named(way): way
    for way in (
        *(ResidentPages, ResidentPagesByTime, SystemVKeys, Keyring, AccessTimes),
        *(FileNames, UnixNames),
    )
}
