"""How the tests are shared out among the processes of pytest-xdist (`--dist loadfile`).

The tests of a file stay together, and so do all that use one costly thing of the session: an
engine, a browser with its server. A test that is marked `alone` measures time, memory or what is
there on the machine: it runs in one process when all others have ended.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

ALONE = "alone"
DOCKER = "docker"
PAGES = "tests/acceptance"
# The longest first, so that no process is left with much when the others have ended.
ORDER = (
    DOCKER,
    "tests/sandbox/checking",
    PAGES,
    "tests/sandbox",
    "tests/reference/submitting",
    "tests/test_gpu_check.py",
    "tests/leaderboard/evaluations",
    "tests/leaderboard/test_",
    "tests/reference",
    "tests/leaderboard",
    "tests",
    ALONE,
)
GROUPS = "groups"


def group_of(item: pytest.Item) -> str:
    """The tests that it stays with: those of its file, or of something that they share."""
    if item.get_closest_marker(ALONE):
        return ALONE
    names = getattr(item, "fixturenames", ())
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if "docker_host" in names or parameters.get("each_runner") == DOCKER:
        return DOCKER
    if item.nodeid.startswith(PAGES) and "server" in names:
        return PAGES
    return item.nodeid.partition("::")[0]


def place_of(group: str) -> int:
    """Where in ORDER a group stands."""
    return next((place for place, start in enumerate(ORDER) if group.startswith(start)), 0)


class Worker:
    """In each process: sorts the tests, and tells the controller, which sees names only."""

    def __init__(self, groups: Path) -> None:
        self._groups = groups

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Iterator[None]:
        yield
        items.sort(key=lambda item: place_of(group_of(item)))
        content = json.dumps({item.nodeid: group_of(item) for item in items})
        made = self._groups.with_name(f"made-{os.getpid()}")
        made.write_text(content, encoding="utf-8")
        made.replace(self._groups)  # all write the same


class Controller:
    """In the process that gives out the tests and prints the summary."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sharing-out-")
        self._groups = Path(self._folder.name) / "groups.json"

    def pytest_configure_node(self, node: WorkerController) -> None:
        node.workerinput[GROUPS] = str(self._groups)

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> Scheduler:
        config.option.loadscopereorder = False  # they come in their order
        return Scheduler(config, log, self._groups)

    def pytest_unconfigure(self) -> None:
        self._folder.cleanup()


class Scheduler(LoadScopeScheduling):
    """Gives out whole groups, the group `alone` when only one process is left."""

    def __init__(self, config: pytest.Config, log: Producer, groups: Path) -> None:
        super().__init__(config, log)
        self._path = groups
        self._groups: dict[str, str] = {}

    def schedule(self) -> None:
        self._groups = json.loads(self._path.read_text(encoding="utf-8"))
        super().schedule()

    def remove_node(self, node: WorkerController) -> str | None:
        crashed = super().remove_node(node)
        for each in self.nodes:  # the last may have waited for this one
            self._reschedule(each)
        return crashed

    def _split_scope(self, nodeid: str) -> str:
        return self._groups[nodeid]

    def _assign_work_unit(self, node: WorkerController) -> None:
        if next(iter(self.workqueue), "") != ALONE or len(self.nodes) == 1:
            super()._assign_work_unit(node)
        elif any(not each.shutting_down for each in self.nodes if each is not node):
            node.shutdown()


def plugin(config: pytest.Config) -> Worker | Controller | None:
    """What shares out the tests of this process; None where it runs all by itself."""
    if hasattr(config, "workerinput"):
        groups = config.workerinput.get(GROUPS)
        return Worker(Path(groups)) if groups else None
    return Controller() if config.option.dist == "loadfile" else None
