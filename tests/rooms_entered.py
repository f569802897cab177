"""How many rooms the way of one submission goes through: the folders of the functions called.

    python tests/rooms_entered.py

One CSV is handed in, evaluated and read by its team on a real server's state; for each of the four
functions that carry it, the files and the folders are counted whose functions run within one call.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("grader", "leaderboard", "sandbox")
CARRIERS = ("accept", "evaluate", "publish", "student_report")
sys.path.insert(0, str(ROOT / "tests" / "leaderboard"))


@dataclass
class Way:
    """The files entered by the first call of each carrier."""

    entered: dict[str, set[Path]] = field(default_factory=dict)
    _frames: dict[str, FrameType] = field(default_factory=dict)

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Watch every call of this thread."""
        sys.setprofile(self._see)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        is_function = frame.f_code.co_flags & inspect.CO_OPTIMIZED  # no body of a module or class
        if not is_function or event not in ("call", "return") or not path.is_relative_to(ROOT):
            return
        path, name = path.relative_to(ROOT), frame.f_code.co_name
        if path.parts[0] not in PACKAGES:
            return
        if event == "call" and name in CARRIERS and name not in self.entered:
            self.entered[name], self._frames[name] = set(), frame
        for carrier in self._frames:
            self.entered[carrier].add(path)
        if event == "return" and self._frames.get(name) is frame:
            del self._frames[name]


def walk() -> Way:
    """Hand in, evaluate, read."""
    from small_site import Api, make_site, predictions_csv, write_assignment

    from leaderboard import create_app

    way = Way()
    with tempfile.TemporaryDirectory() as name:
        site = make_site(Path(name), write_assignment(Path(name) / "animals"))
        client = Api(create_app(state=site.state).test_client(), site.token("ann"))
        with way.followed():
            public_id = site.hand_in("ann", predictions_csv(site.folder))
            site.score(public_id)
            client.get(f"/submissions/{public_id}")
        site.state.close()
    return way


def main() -> None:
    for carrier, files in walk().entered.items():
        rooms = sorted({str(path.parent) for path in files})
        print(f"{carrier}: {len(files)} files in {len(rooms)} rooms: {', '.join(rooms)}")


if __name__ == "__main__":
    main()
