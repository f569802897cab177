"""How a container gets its pipes: handed to it over a Unix socket before a student's code is there.

An engine connects a container's output to itself, and nothing else. Streams through an engine are
slow and end up in its memory; named pipes would stay where a student's code could open them. So
the first lines that run inside connect to a socket of ours, receive the ends of three ordinary
pipes, and hand out descriptors of the file systems whose fullness is read later. Then the socket
is gone. From there on a container is fed and read as any other confined program.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from sandbox.limits import StartFailed
from sandbox.run.backend import HARNESS
from sandbox.runner_env.environment import PACKAGES

INSIDE = "/opt/channel"
SOCKET = "socket"
START_SECONDS = 20.0  # from the engine's "started" to the interpreter's first lines
LOOK_SECONDS = 0.2

BOOT = f"""
import os, socket, sys
channel = socket.socket(socket.AF_UNIX)
channel.connect("{INSIDE}/{SOCKET}")
request, response, output, *rest = socket.recv_fds(channel, 1, 8)[1]
os.dup2(output, 1)
os.dup2(output, 2)
os.close(output)
places = [os.open(place, os.O_PATH | os.O_DIRECTORY) for place in ("/tmp", "/dev/shm")]
socket.send_fds(channel, [b"x"], places)
for descriptor in (*places, channel.detach()):
    os.close(descriptor)
del socket, channel, output, places, descriptor
sys.path[:0] = ["{HARNESS}", "{PACKAGES}"]
from sandbox.inside.boot import main
main(request, response, confine=CONFINE, calls=bytes.fromhex("CALLS"))
"""


def boot(*, confine: bool, calls: bytes) -> str:
    """What the interpreter inside runs; `confine` and `calls` are those of `inside/boot.py`."""
    return BOOT.replace("CONFINE", str(confine)).replace("CALLS", calls.hex())


class Channel:
    """The pipes of one container, and the socket that brings them inside."""

    def __init__(self, folder: Path) -> None:
        """Listen in `folder`, which is ours alone and is made here."""
        folder.mkdir(mode=0o755)
        self._folder = folder
        self._listener = socket.socket(socket.AF_UNIX)
        self._listen(folder)
        request_inside, self.request = os.pipe()
        self.response, response_inside = os.pipe()
        self.output, output_inside = os.pipe()
        self._inside: tuple[int, ...] = (request_inside, response_inside, output_inside)
        self.file_systems: tuple[int, ...] = ()

    def _listen(self, folder: Path) -> None:
        """Bind by the folder's descriptor: a socket's path may have 107 bytes only."""
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            self._listener.bind(f"/proc/self/fd/{descriptor}/{SOCKET}")
        finally:
            os.close(descriptor)
        # the folder above is for our user only; the container's user comes in by a mount
        (folder / SOCKET).chmod(0o666)
        self._listener.listen(1)

    def connect(self, is_alive: Callable[[], bool], also: tuple[int, ...] = ()) -> None:
        """Wait for the program's first lines and hand the pipes in; the socket is gone after.

        Raises:
            StartFailed: it ended before, or took too long.
        """
        try:
            with self._accept(is_alive) as program:
                program.settimeout(START_SECONDS)
                socket.send_fds(program, [b"x"], [*self._inside, *also])
                self.file_systems = tuple(socket.recv_fds(program, 1, 2)[1])
        except OSError as error:
            raise StartFailed(f"the container did not take its pipes: {error}") from error
        finally:
            self._close_inside()
        if len(self.file_systems) != 2:
            raise StartFailed("the container did not hand out its file systems")

    def _accept(self, is_alive: Callable[[], bool]) -> socket.socket:
        self._listener.settimeout(LOOK_SECONDS)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                return self._listener.accept()[0]
            except TimeoutError:
                if not is_alive():
                    break
        raise StartFailed("the program in the container ended at once")

    def _close_inside(self) -> None:
        for descriptor in self._inside:
            os.close(descriptor)
        self._inside = ()
        self._listener.close()
        (self._folder / SOCKET).unlink(missing_ok=True)

    def close(self) -> None:
        """Close what is ours."""
        if self._inside:
            self._close_inside()
        for descriptor in (self.request, self.response, self.output, *self.file_systems):
            os.close(descriptor)
