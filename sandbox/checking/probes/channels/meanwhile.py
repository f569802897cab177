"""The ways in which a run says a bit and another, at the same time, hears one."""

import contextlib
import ctypes
import fcntl
import mmap
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

LIBRARY = "/opt/packages/torch/lib/libtorch_cpu.so"
PAGE = 4096
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
SYS_FUTEX, FUTEX_WAIT, FUTEX_WAKE = 202, 0, 1
F_OFD_GETLK, F_OFD_SETLK, F_SETPIPE_SZ, F_GETPIPE_SZ = 36, 37, 1031, 1032
LOCK = "hhqqi"


def checked(result: int) -> int:
    """The result of a C function.

    Raises:
        OSError: it is negative.
    """
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Way:
    """Made at both ends before the first bit; `role` is `say` or `hear`."""

    stretch = 1  # slots that a bit takes; ways of more than one do not share them with others
    same_as: type | None = None  # another way, which says the same: what either does both hear

    def __init__(self, role: str) -> None:
        """Nothing that can fail."""

    def prepare(self) -> None:
        """Before the first bit."""

    def show(self, bit: int) -> None:
        """What the sender does for this bit."""

    def look(self) -> float:
        """What the receiver finds: a number that is high for 1 and low for 0, or reversed."""
        return 0.0


class InotifyRoot(Way):
    """A watch on a file of the root sees the other run open it."""

    path = "/opt/packages/torch/utils/dlpack.py"

    def prepare(self) -> None:
        self.watch = checked(libc.inotify_init1(os.O_NONBLOCK))
        checked(libc.inotify_add_watch(self.watch, self.path.encode(), 0x20))

    def show(self, bit: int) -> None:
        if bit:
            os.close(os.open(self.path, os.O_RDONLY))

    def look(self) -> float:
        try:
            return len(os.read(self.watch, 1 << 16))
        except BlockingIOError:
            return 0


class InotifyDevice(InotifyRoot):
    """The same on a device node."""

    path = "/dev/full"


class InotifyInstances(Way):
    """A host user may have so many watches' instances."""

    def __init__(self, role: str) -> None:
        self.held: list[int] = []

    def show(self, bit: int) -> None:
        self.free()
        while bit and (made := libc.inotify_init1(0)) >= 0:
            self.held.append(made)

    def free(self) -> None:
        while self.held:
            os.close(self.held.pop())

    def look(self) -> float:
        made = libc.inotify_init1(0)
        if made >= 0:
            os.close(made)
        return float(made < 0)


class FlockRoot(Way):
    """A lock on a file of the root."""

    path = "/opt/packages/torch/__init__.py"

    def prepare(self) -> None:
        self.file = os.open(self.path, os.O_RDONLY)

    def show(self, bit: int) -> None:
        fcntl.flock(self.file, fcntl.LOCK_EX if bit else fcntl.LOCK_UN)

    def look(self) -> float:
        try:
            fcntl.flock(self.file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return 1
        fcntl.flock(self.file, fcntl.LOCK_UN)
        return 0


class FlockDevice(FlockRoot):
    """A lock on a device node."""

    path = "/dev/full"


class FlockInput(FlockRoot):
    """A lock on what the program was given as its input."""

    def prepare(self) -> None:
        self.file = 0


class OfdLockRoot(FlockRoot):
    """A lock of an open file description."""

    path = "/opt/packages/torch/serialization.py"

    def show(self, bit: int) -> None:
        kind = fcntl.F_RDLCK if bit else fcntl.F_UNLCK
        fcntl.fcntl(self.file, F_OFD_SETLK, struct.pack(LOCK, kind, 0, 0, 0, 0))

    def look(self) -> float:
        asked = struct.pack(LOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
        return float(
            struct.unpack(LOCK, fcntl.fcntl(self.file, F_OFD_GETLK, asked))[0] != fcntl.F_UNLCK
        )


class Mapped(Way):
    """64 pages of a library, mapped."""

    first = 30_000
    mapped: int | None = None

    def map(self) -> int:
        """The address of a new mapping, with every page there."""
        file = os.open(LIBRARY, os.O_RDONLY)
        how = mmap.MAP_SHARED | mmap.MAP_POPULATE
        place = libc.mmap(None, 64 * PAGE, mmap.PROT_READ, how, file, self.first * PAGE)
        os.close(file)
        return int(place)

    def show(self, bit: int) -> None:
        if self.mapped:
            libc.munmap(self.mapped, 64 * PAGE)
        self.mapped = self.map() if bit else None


class FutexOnAFile(Mapped):
    """A wake-up on a page of a mapped file."""

    def prepare(self) -> None:
        self.woken = self.told = 0
        self.address = self.map()
        self.listener: threading.Thread | None = None

    def show(self, bit: int) -> None:
        if bit:
            checked(libc.syscall(SYS_FUTEX, ctypes.c_void_p(self.address), FUTEX_WAKE, 9, 0))

    def look(self) -> float:
        if self.listener is None:
            self.listener = threading.Thread(target=self.listen, daemon=True)
            self.listener.start()
        new, self.told = self.woken - self.told, self.woken
        return new

    def listen(self) -> None:
        value = ctypes.c_int.from_address(self.address).value
        while libc.syscall(SYS_FUTEX, ctypes.c_void_p(self.address), FUTEX_WAIT, value, None) == 0:
            self.woken += 1


class PipeCapacity(Way):
    """A host user's pipes together may have so many pages; later ones get two."""

    def __init__(self, role: str) -> None:
        self.held: list[int] = []

    def show(self, bit: int) -> None:
        while self.held:
            os.close(self.held.pop())
        for _ in range(64 * bit):
            self.held += os.pipe()
            fcntl.fcntl(self.held[-1], F_SETPIPE_SZ, 1 << 20)

    def look(self) -> float:
        ends = os.pipe()
        try:
            return fcntl.fcntl(ends[0], F_GETPIPE_SZ) < 1 << 16
        finally:
            for end in ends:
                os.close(end)


class NewPipes(Way):
    """The numbers of new pipes: the whole kernel has one count a processor."""

    many = 256

    def count(self) -> None:
        """Make one, which takes a number."""
        self.number()

    def number(self) -> int:
        """Of a new one."""
        ends = os.pipe()
        number = os.fstat(ends[0]).st_ino
        for end in ends:
            os.close(end)
        return number

    def prepare(self) -> None:
        self.last = 0

    def show(self, bit: int) -> None:
        with first_processor():
            for _ in range(self.many * bit):
                self.count()

    def look(self) -> float:
        with first_processor():
            number = self.number()
        new, self.last = number - self.last, number
        return max(0, min(new, self.many))


class NewSockets(NewPipes):
    """The same of new sockets."""

    same_as = NewPipes

    def number(self) -> int:
        with socket.socket(socket.AF_UNIX) as made:
            return os.fstat(made.fileno()).st_ino


class NewEntriesOfProc(NewPipes):
    """The same of what is looked up in /proc for the first time."""

    same_as = NewPipes

    def number(self) -> int:
        entry = f"/proc/self/fd/{os.dup(1)}"
        try:
            return os.lstat(entry).st_ino
        finally:
            os.close(int(Path(entry).name))
            with contextlib.suppress(FileNotFoundError):
                os.lstat(entry)  # so that it is forgotten


class NewSharedMemory(NewPipes):
    """The numbers of shared memory without a name, as /proc/…/maps has them."""

    def count(self) -> None:
        mmap.mmap(-1, PAGE).close()

    def number(self) -> int:
        with mmap.mmap(-1, PAGE), own_table("maps").open() as lines:
            return max(int(line.split()[4]) for line in lines if "/dev/zero (deleted)" in line)


@contextlib.contextmanager
def first_processor() -> Iterator[None]:
    """Both ends run on the same processor meanwhile."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class PagesMappedByOthers(Mapped):
    """Whether a page is mapped by this process alone, in /proc/…/pagemap."""

    first = 31_000

    def look(self) -> float:
        address = self.map()
        with own_table("pagemap").open("rb", buffering=0) as table:
            table.seek(address // PAGE * 8)
            (entry,) = struct.unpack("Q", table.read(8))
        libc.munmap(address, 64 * PAGE)
        return not entry >> 56 & 1


class ShareOfMappedPages(Mapped):
    """How many map a page, by this process's share of it in /proc/…/smaps."""

    first = 32_000

    def prepare(self) -> None:
        self.mine = self.map()

    def look(self) -> float:
        with own_table("smaps").open() as lines:
            for line in lines:
                if line.startswith(f"{self.mine:x}-"):
                    break
            share = next(line for line in lines if line.startswith("Pss:"))
        return -float(share.split()[1])


def own_table(name: str) -> Path:
    """The table of this thread, where that of process 1 may be covered."""
    return Path(f"/proc/self/task/{threading.get_native_id()}/{name}")


class SharedMemoryOfAll(Way):
    """What all programs have in /dev/shm, in /proc/meminfo."""

    def show(self, bit: int) -> None:
        with Path("/dev/shm/some").open("wb") as file:
            file.write(bytes(bit * (16 << 20)))

    def look(self) -> float:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("Shmem:"):
                return int(line.split()[1])
        raise OSError("no line Shmem")


class SysinfoMemory(Way):
    """The same, by a system call."""

    same_as = SharedMemoryOfAll

    def look(self) -> float:
        return sysinfo()[6]


class SysinfoProcesses(Way):
    """How many threads there are on the machine."""

    def show(self, bit: int) -> None:
        self.end = getattr(self, "end", None)
        if self.end:
            self.end.set()
            self.end = None
        if bit:
            self.end = threading.Event()
            for _ in range(16):
                threading.Thread(target=self.end.wait, daemon=True).start()

    def look(self) -> float:
        return sysinfo()[10]


def sysinfo() -> tuple[int, ...]:
    """The words of struct sysinfo."""
    room = ctypes.create_string_buffer(128)
    checked(libc.sysinfo(room))
    return struct.unpack("10QH", room.raw[:82])


class ProcessorTime(Way):
    """How far a loop gets while the other run computes: no wall stands here."""

    stretch = 5

    def prepare(self) -> None:
        self.busy = 0
        threading.Thread(target=self.work, daemon=True).start()

    def show(self, bit: int) -> None:
        self.busy = bit

    def work(self) -> None:
        block = bytes(1 << 20)
        while True:
            if self.busy:
                bytearray(block)
            else:
                time.sleep(0.002)

    def look(self) -> float:
        began, rounds = time.perf_counter(), 0
        block = bytes(1 << 18)
        while time.perf_counter() - began < 0.04:
            bytearray(block)
            rounds += 1
        return -rounds


def named(way: type) -> str:
    """`InotifyRoot` -> `inotify root`."""
    return re.sub("(?<!^)(?=[A-Z])", " ", way.__name__).lower()


MEANWHILE = {
    named(way): way
    for way in (
        *(InotifyRoot, InotifyDevice, InotifyInstances, FlockRoot, FlockDevice, FlockInput),
        *(OfdLockRoot, FutexOnAFile, PipeCapacity, PagesMappedByOthers),
        *(NewPipes, NewSockets, NewEntriesOfProc, NewSharedMemory),
        *(ShareOfMappedPages, SharedMemoryOfAll, SysinfoMemory, SysinfoProcesses),
        ProcessorTime,
    )
}
