"""A port of this machine for a server that is still to be started."""

from __future__ import annotations

import socket
from typing import Final

_HELD: Final[list[socket.socket]] = []


def held_port() -> int:
    """A port that this process keeps to itself until it ends.

    Let go again, it would be anybody's until the server has started, seconds later: other tests
    beside this one ask for ports as well. A socket that is bound, but does not listen, lets a
    server in that sets SO_REUSEADDR, as each does, and the kernel gives its port to nobody else.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    return int(held.getsockname()[1])
