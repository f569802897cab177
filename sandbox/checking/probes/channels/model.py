"""One end of every channel between two runs that was thought of: `plan.json` says which.

The sender is a hidden run: what it sends are its images, which all hold the same message. The
receiver is a run whose log is shown. Both know when each channel's turn is.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from later import LATER
from meanwhile import MEANWHILE, Way, named
from torch import nn

PLAN = json.loads((Path(__file__).parent / "plan.json").read_text())
sent: list[bool] = []
late: list[float] = []  # moments that had passed when they were to be waited for


def build_model() -> nn.Module:
    """The receiver hears all that it can before its first image."""
    if PLAN["role"] == "hear":
        hearing = threading.Thread(target=hear)  # what is hidden of process 1 may show of a thread
        hearing.start()
        hearing.join()
        tell("in time", in_time())
    return nn.Identity()


def predict(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The sender has its message with its first images."""
    if PLAN["role"] == "say" and not sent:
        sent.append(True)
        say([int(pixel > 0) for pixel in images[0, 0, 0].tolist()])
    return torch.full((len(images),), int(in_time()))


def say(bits: list[int]) -> None:
    """Send by every way there is, first by those that are heard at once."""
    for ways, slots in turns():
        for number, slot in enumerate(slots):
            wait_until(slot)
            for way, turned in ways:
                quietly(way.show, bits[(number + turned) % len(bits)])
    for way in LATER.values():
        quietly(lambda way=way: way().leave(bits))


def hear() -> None:
    """Print what was heard by every way: numbers, or why there are none."""
    if PLAN["when"] == "later":
        for name, way in LATER.items():
            tell(name, quietly(lambda way=way: way().find(PLAN["bits"])))
        return
    for ways, slots in turns():
        heard: list[list[object]] = [[] for _ in ways]
        length = slots[1] - slots[0]
        for slot in slots:
            wait_until(slot + 0.6 * length)
            for (way, _), found in zip(ways, heard, strict=True):
                found.append(quietly(lambda way=way: float(way.look())))
        for (way, turned), found in zip(ways, heard, strict=True):
            there = len(found) - turned % len(found)  # the message's first bit
            tell(named(type(way)), found[there:] + found[:there], length * len(slots))


def turns() -> list[tuple[list[tuple[Any, int]], list[float]]]:
    """Ways that share slots, each with the bit of the message it begins with, and the slots.

    That each begins with another one keeps what is heard of one out of the others.
    """
    kinds = [kind for kind in MEANWHILE.values() if kind.stretch == 1 or PLAN["by_time"]]
    made = []
    moment = PLAN["start"]
    for stretch in sorted({kind.stretch for kind in kinds}):
        length = PLAN["slot"] * stretch
        ways = [(kind(PLAN["role"]), beginning(kind)) for kind in kinds if kind.stretch == stretch]
        for way, _ in ways:
            quietly(way.prepare)
        made.append((ways, [moment + number * length for number in range(PLAN["bits"])]))
        moment += (PLAN["bits"] + 3) * length
    return made


def beginning(kind: type[Way]) -> int:
    """Which bit of the message this way says first."""
    return 7 * list(MEANWHILE.values()).index(kind.same_as or kind)


def in_time() -> bool:
    """Whether both ends spoke of the same moments."""
    return bool(len(late) <= PLAN["may_miss"] * PLAN["bits"])


def wait_until(moment: float) -> None:
    """Sleep until then."""
    left = moment - time.time()
    if left < -PLAN["slot"] / 2:
        late.append(moment)
    time.sleep(max(0.0, left))


def quietly(act: Callable[..., Any], *arguments: object) -> Any:
    """What it gives, or why it can't be done here."""
    try:
        return act(*arguments)
    except (OSError, ValueError, AttributeError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"


def tell(name: str, heard: object, seconds: float = 0.0) -> None:
    """One line of the log; `seconds`: that sending took.

    Of many reasons why it can't be done the first is told: a long log would be cut.
    """
    if isinstance(heard, list):
        reasons = [number for number, each in enumerate(heard) if isinstance(each, str)]
        heard = ["" if number in reasons[1:] else each for number, each in enumerate(heard)]
    print("HEARD " + json.dumps([name, heard, seconds]), flush=True)  # noqa: T201 - read by the suite
