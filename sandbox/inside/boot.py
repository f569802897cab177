"""The first of our files that runs inside: it is imported before anything large."""

from __future__ import annotations

import gc
import os

# What imports make is no garbage to look for (an eighth of the time of `import torch`), and NumPy
# needs no threads beside torch's.
gc.disable()
os.environ["OPENBLAS_NUM_THREADS"] = "1"


def main(request: int, response: int, *, confine: bool, calls: bytes = b"") -> None:
    """Run the harness on the descriptors it reads requests from and answers to.

    `confine`: put up the wall that is put up from inside, while there is one thread. `calls`: a
    narrower filter of system calls than the one from outside.
    """
    if confine:
        from sandbox.inside.landlock import confine as put_up

        put_up()
    if calls:
        from sandbox.inside.narrower import narrow

        narrow(calls)
    from sandbox.inside.harness import main as run

    run(request, response)
