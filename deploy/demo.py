"""The whole product on this machine: a course, real baselines, a leaderboard.

Uses nothing but the commands a course would type:

    make demo                 leaves the server running at the printed address
    DEMO_ONCE=1 make demo     the same, then stops it and exits 0

What is there from an earlier run is used again, and said so; `make clean` starts from nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COURSE = "dl-demo"
# name of the baseline: recipe
BASELINES = ("lenet5", "simple_cnn", "small_cnn")
BOTH_DOORS = "lenet5"
STARTED = time.monotonic()
SERVER_STARTS_WITHIN_SECONDS = 60


def main() -> int:
    """Run the demo; 0 when the board stands and both doors gave identical scores."""
    options = _arguments()
    home: Path = options.home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    server: Server | None = None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops the server like Ctrl-C
    try:
        slug, folder = prepare_assignment(home, options.data)
        people = prepare_course(home, folder)
        server = Server(home, free_port(options.port), slug)
        pack = download_pack(home, server.url, slug, people)
        train_and_bundle(home, pack, quick=options.quick)
        rerun_baselines(home, server.url, slug)
        same = compare_doors(home, server.url, slug, people)
        show_board(server.url, slug, people)
        say(f"Done after {time.monotonic() - STARTED:.0f} s.")
        if options.once:
            return 0 if same else 1
        print_sign_ins(server.url, slug, people)
        server.process.wait()
    except CommandFailed as failed:
        say(str(failed))
        return 1
    except KeyboardInterrupt:
        say("Stopping the server.")
    finally:
        if server:
            server.stop()
    return 0


def prepare_assignment(home: Path, data: str) -> tuple[str, Path]:
    """The assignment folder: Fashion-MNIST, or digits where that can't be had."""
    for name in dict.fromkeys((data, "digits")):
        folder = home / "assignments" / name
        if (folder / "assignment.toml").exists():
            say(f"Using the {name} assignment again: {shown(folder)}")
            return name, folder
        say(f"Writing the assignment {name} to {shown(folder)}")
        try:
            run("reference", "assignment", name, folder)
        except CommandFailed as failed:
            if name == "digits":
                raise
            say(f"{failed}\nGoing on with scikit-learn's digits instead of {name}.")
            continue
        return name, folder
    raise CommandFailed("no data set can be had")


def prepare_course(home: Path, folder: Path) -> dict[str, dict[str, str]]:
    """A course with a student, an instructor and one account for each baseline."""
    run("leaderboard", "--state", state_of(home), "init")
    kept = home / "people.json"
    if kept.exists():
        say("Using the course and its accounts again.")
        people: dict[str, dict[str, str]] = json.loads(kept.read_text())
    else:
        people = make_course(home)
        kept.touch(mode=0o600)
        kept.write_text(json.dumps(people, indent=2))
    run("leaderboard", "--state", state_of(home), "publish", folder, "--course", COURSE)
    return people


def make_course(home: Path) -> dict[str, dict[str, str]]:
    """Everything an instructor types once."""
    state = ("leaderboard", "--state", state_of(home))
    run(*state, "create-course", COURSE, "--title", "Deep Learning (demo)")
    people = {
        "student": account("student@example.edu", "Ada Student", "student"),
        "instructor": account("instructor@example.edu", "Ivan Instructor", "instructor"),
    }
    for name in BASELINES:
        people[name] = account(f"{name}@baselines.example.edu", name, "baseline")
    for person in people.values():
        email, name, role = person["email"], person["name"], person["role"]
        password = ("--password", person["password"])
        run(*state, "create-user", "--email", email, "--name", name, *password)
        run(*state, "enrol", COURSE, email, "--role", role)
        person["token"] = run(*state, "create-token", email, "--name", "demo").strip()
    return people


def account(email: str, name: str, role: str) -> dict[str, str]:
    """An account with a password of its own."""
    return {"email": email, "name": name, "role": role, "password": secrets.token_urlsafe(9)}


class Server:
    """`leaderboard serve` with one worker beside it, logging to a file."""

    def __init__(self, home: Path, port: int, slug: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = home / "server.log"
        say(f"Starting the server at {self.url} (log: {shown(self.log)})")
        nightly = [str(BIN / "reference"), *rerun_arguments(home, self.url, slug)]
        environment = {**os.environ, "LEADERBOARD_NIGHTLY_COMMAND": shlex.join(nightly)}
        command = [BIN / "leaderboard", "--state", state_of(home), "serve", "--port", str(port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """End the server and its worker."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + SERVER_STARTS_WITHIN_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/sign-in", timeout=2):
                    return
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.1)
        self.process.kill()
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        raise CommandFailed(f"The server did not start; its log ends with:\n{last}")


def download_pack(home: Path, url: str, slug: str, people: dict[str, Any]) -> Path:
    """The public pack, downloaded as a student does."""
    pack = home / "pack" / slug
    if pack.exists():
        say(f"Using the downloaded pack again: {shown(pack)}")
    else:
        say("Downloading the public pack as the student")
        run("grader", "data", slug, pack, "--server", url, env=token_of(people["student"]))
    return pack


def train_and_bundle(home: Path, pack: Path, *, quick: bool) -> None:
    """Train each baseline that is not there yet, with progress, and pack it."""
    (home / "bundles").mkdir(exist_ok=True)
    for recipe in BASELINES:
        trained = home / "runs" / pack.name / recipe
        if (home / "bundles" / f"{recipe}.zip").exists():
            say(f"Using the trained {recipe} again: {shown(trained)}")
            continue
        say(f"Training {recipe}")
        size = ("--quick",) if quick else ()
        data = ("--data", pack.name)
        run("reference", "train", recipe, "--out", trained, *data, *size, quiet=False)
        packing = ("--run", trained, "--pack", pack, "--out", home / "bundles")
        run("reference", "bundle", recipe, *packing)


def rerun_arguments(home: Path, url: str, slug: str) -> list[str]:
    """The rerun of all baselines; the queue's cron runs the same every night."""
    return [
        *("rerun", "--server", url, "-a", slug, "--course", COURSE),
        *("--from", str(home / "bundles"), "--tokens", str(home / "tokens.json")),
        *("--state", str(home / "rerun.json")),
    ]


def rerun_baselines(home: Path, url: str, slug: str) -> None:
    """Hand every baseline in as code; a second run of the demo compares with the first."""
    people = json.loads((home / "people.json").read_text())
    tokens = home / "tokens.json"
    tokens.touch(mode=0o600)
    tokens.write_text(json.dumps({name: people[name]["token"] for name in BASELINES}))
    say("Handing the baselines in as code: each runs in the sandbox on the hidden test set")
    run("reference", *rerun_arguments(home, url, slug), "--again", quiet=False)


def compare_doors(home: Path, url: str, slug: str, people: dict[str, Any]) -> bool:
    """Hand the same model in as a CSV and compare its scores with those of its code."""
    say(f"Handing {BOTH_DOORS} in again as a prediction CSV")
    address = ("--server", url, "--json")
    env = token_of(people[BOTH_DOORS])
    csv = home / "bundles" / f"{BOTH_DOORS}.csv"
    message = ("-m", f"{BOTH_DOORS} as CSV", "--wait")
    by_csv = json.loads(run("grader", "submit", csv, "-a", slug, *message, *address, env=env))
    history = json.loads((home / "rerun.json").read_text())
    code_id = next(iter(history["places"].values()))[BOTH_DOORS]["submission"]
    by_code = json.loads(run("grader", "status", code_id, *address, env=env))
    same = True
    for split in ("public", "private"):
        csv_score, code_score = score_of(by_csv, split), score_of(by_code, split)
        different = differences(csv_score, code_score)
        same &= not different
        verdict = f"DIFFERENT in {', '.join(different)}" if different else "identical"
        say(
            f"  {split:7} accuracy as CSV {csv_score['accuracy']:.4f}, "
            f"as code {code_score['accuracy']:.4f}: {verdict}, per-class table and matrix included"
        )
    return same


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two scores differ. Labels alone have no AUC or top-k: what one lacks is passed over."""
    if one is None or other is None:
        return []
    if isinstance(one, dict):
        return [d for key in one for d in differences(one[key], other.get(key), f"{place}.{key}")]
    if isinstance(one, list):
        pairs = zip(one, other, strict=True)
        return [d for i, (a, b) in enumerate(pairs) for d in differences(a, b, f"{place}[{i}]")]
    return [] if one == other else [place.lstrip(".")]


def score_of(report: dict[str, Any], split: str) -> dict[str, Any]:
    """One split of a report; a baseline's account sees both."""
    score = report.get("submission", report).get(split)
    if not score:
        raise CommandFailed(f"no {split} score in: {json.dumps(report)[:500]}")
    return dict(score)


def show_board(url: str, slug: str, people: dict[str, Any]) -> None:
    """The leaderboard, as the student sees it."""
    say("The leaderboard, as a student sees it")
    command = ("grader", "leaderboard", "-a", slug, "--server", url)
    run(*command, env=token_of(people["student"]), quiet=False)


def print_sign_ins(url: str, slug: str, people: dict[str, Any]) -> None:
    """Where to look now, and as whom."""
    say(f"\nThe leaderboard is at {url}/c/{COURSE}/a/{slug}/leaderboard")
    for who in ("student", "instructor"):
        person = people[who]
        say(f"  {who:10}  {person['email']:24}  password {person['password']}")
    say("Stop with Ctrl-C; `make clean` removes what the demo left.")


class CommandFailed(Exception):
    """A step of the demo failed; the message says which and how."""


def run(*command: object, env: dict[str, str] | None = None, quiet: bool = True) -> str:
    """Run one of our commands; give its output, or show it as it comes.

    Raises:
        CommandFailed: it exited with something but 0.
    """
    program, *arguments = [str(part) for part in command]
    done = subprocess.run(
        [str(BIN / program), *arguments],
        check=False,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.PIPE if quiet else None,
        text=True,
    )
    if done.returncode:
        said = f":\n{done.stdout}{done.stderr}" if quiet else ""
        what = f"{program} {' '.join(arguments[:2])}"
        raise CommandFailed(f"`{what} …` failed with exit code {done.returncode}{said}")
    return done.stdout or ""


def say(line: str) -> None:
    """One line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:5.1f} s] {line}", flush=True)


def token_of(person: dict[str, str]) -> dict[str, str]:
    """The environment that signs `grader` in as this person, leaving other sign-ins alone."""
    return {"GRADER_TOKEN": person["token"], "GRADER_COURSE": COURSE}


def state_of(home: Path) -> Path:
    """The server's state folder."""
    return home / "state"


def shown(path: Path) -> str:
    """A path as short as it can be said from the checkout."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def free_port(first: int) -> int:
    """The first port from `first` on that nobody listens on."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise CommandFailed(f"no free port from {first} to {first + 99}")


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--once", action="store_true", help="stop the server at the end")
    parser.add_argument("--port", type=int, default=8000, help="first port to try")
    parser.add_argument("--home", type=Path, default=ROOT / ".demo", help="where all is kept")
    parser.add_argument("--data", default="fashion-mnist", choices=["fashion-mnist", "digits"])
    parser.add_argument("--quick", action="store_true", help="train for seconds only (for tests)")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
