"""The defences that tests can switch off, one at a time, to show that each attack is real.

Nothing but a test gives a non-empty set: `get_runner` takes it as `_without`, and no setting or
option reaches it.
"""

from __future__ import annotations

import os
from pathlib import Path

# what the backends do
CONFINEMENT = {
    "descriptors": "the program inherits no descriptor of the worker",
    "entries": "of /proc only entries are seen that were made before any of the program's code",
    "environment": "the program gets none of the worker's environment variables",
    "held": "the runner's files stay in memory, whoever reads them",
    "files": "no folder of the host is inside but the runner's",
    "ipc": "System V objects and message queues are the program's own",
    "landlock": "files, TCP and signals are limited once more, from inside, before any of its code",
    "network": "the program has a network of its own, with nothing in it",
    "noexec": "what is written to /tmp can't be executed",
    "overlay": "root and devices are mounted anew for each run",
    "privileges": "no capability is held or can be gained",
    "proc": "of the kernel's tables only those that tell nothing of others are seen",
    "processes": "the program sees its own processes only, and all of them die with its first",
    "read_only": "the root can't be written",
    "seccomp": "system calls no model needs are refused",
    "uid": "the program runs as an unprivileged user of the host",
    "users": "each program that lives runs as a host user of its own",
    "userns": "no user namespace can be made inside",
}
# what the trusted side does
TRUSTED_SIDE = {
    "answers_first": "a batch is sent when the one before it is answered",
    "complete": "a program that ends before its last prediction has none",
    "duplicates": "images that went in twice must get the same answer twice",
    "end": "nothing may follow the end",
    "silence": "a hidden run shows nothing that the program says",
    "secret_order": "images go in in an order that is drawn anew each run",
    "values": "predictions are finite scores or labels of known classes",
    "weights_only": "checkpoints are read without running what they hold",
}
DEFENCES = {**CONFINEMENT, **TRUSTED_SIDE}
EVERYTHING_ON: frozenset[str] = frozenset()
LEAKED_FOLDER = "/dev/host"  # where the worker's working directory is inside, without "files"


def known(names: frozenset[str]) -> frozenset[str]:
    """The same names.

    Raises:
        ValueError: one of them is no defence.
    """
    unknown = names - DEFENCES.keys()
    if unknown:
        raise ValueError(f"unknown defences: {', '.join(sorted(unknown))}")
    return names


def leaked_descriptors(without: frozenset[str]) -> tuple[int, ...]:
    """What a program inherits where that is not prevented: the worker's working directory."""
    if "descriptors" not in without:
        return ()
    return (os.open(Path.cwd(), os.O_RDONLY | os.O_DIRECTORY),)
