"""The whole product on this machine: a course, real baselines, a leaderboard.

Uses nothing but the commands a course would type:

    make demo                 leaves the server running at the printed address
    DEMO_ONCE=1 make demo     the same, then stops it and exits 0

The server comes first, then a baseline that takes seconds; the others train behind, and the
assignment's page says how far they are. The commands of `leaderboard` run in this process: each
would take a second and a half of a processor to import the server anew.

What is there from an earlier run is used again, and said so; `make clean` starts from nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
import traceback
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COURSE = "dl-demo"
# name of the baseline: recipe
BASELINES = ("lenet5", "simple_cnn", "small_cnn")
BOTH_DOORS = "lenet5"
QUICK = "class_means"  # the nearest mean of a class's training images: seconds, by CSV
PROGRESS = "## The demo is still at work\n\n"
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
        with ThreadPoolExecutor(max_workers=1) as beside:
            prepared = beside.submit(prepare_assignment, home, options.data)
            run("leaderboard", "--state", state_of(home), "init")
            server = Server(home, free_port(options.port), options.data)
            people = enrol(home, "student", QUICK)  # while the server starts
            slug, folder = prepared.result()
        server.wait_until_it_answers()
        say("The first page is there")
        print_sign_ins(server.url, people)
        if slug != options.data:  # its nights are about another assignment
            server.stop()
            server = Server(home, free_port(options.port), slug)
            server.wait_until_it_answers()
        run("leaderboard", "--state", state_of(home), "publish", folder, "--course", COURSE)
        say(f"The assignment is at {server.url}/c/{COURSE}/a/{slug}/")
        pack = download_pack(home, server.url, slug, people)
        hand_in_quick(home, pack, server.url, slug, people)
        say(f"The first baseline is on the board: {server.url}/c/{COURSE}/a/{slug}/leaderboard")
        baselines = (BOTH_DOORS,) if options.quick else BASELINES
        people = enrol(home, "instructor", *baselines)
        train_and_bundle(home, pack, folder, baselines, quick=options.quick)
        rerun_baselines(home, server.url, slug, baselines)
        tell_progress(home, folder, "")
        same = compare_doors(home, server.url, slug, people)
        show_board(server.url, slug, people)
        say(f"Done after {time.monotonic() - STARTED:.0f} s.")
        if options.once:
            return 0 if same else 1
        print_sign_ins(server.url, people)
        say("Stop with Ctrl-C; `make clean` removes what the demo left.")
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


def enrol(home: Path, *names: str) -> dict[str, dict[str, str]]:
    """What an instructor types once: the course, and an account for each of these people.

    Gives all that there are, by name; who is there from before is not made again.
    """
    state = ("leaderboard", "--state", state_of(home))
    kept = home / "people.json"
    people: dict[str, dict[str, str]] = {}
    if kept.exists():
        people = json.loads(kept.read_text())
    else:
        run(*state, "create-course", COURSE, "--title", "Deep Learning (demo)")
        kept.touch(mode=0o600)
    for name in names:
        if name not in people:
            person = _account(name)
            email, title, role = person["email"], person["name"], person["role"]
            password = ("--password", person["password"])
            run(*state, "create-user", "--email", email, "--name", title, *password)
            run(*state, "enrol", COURSE, email, "--role", role)
            person["token"] = run(*state, "create-token", email, "--name", "demo").strip()
            people[name] = person
            kept.write_text(json.dumps(people, indent=2))
    return people


def _account(name: str) -> dict[str, str]:
    """An account with a password of its own."""
    title = {"student": "Ada Student", "instructor": "Ivan Instructor"}.get(name, name)
    role = name if name in ("student", "instructor") else "baseline"
    email = f"{name}@example.edu" if role == name else f"{name}@baselines.example.edu"
    return {"email": email, "name": title, "role": role, "password": secrets.token_urlsafe(9)}


class Server:
    """`leaderboard serve` with one worker beside it, logging to a file."""

    def __init__(self, home: Path, port: int, slug: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = home / "server.log"
        say(f"Starting the server at {self.url} (log: {shown(self.log)})")
        nightly = [str(BIN / "reference"), *rerun_arguments(home, self.url, slug)]
        environment = {**os.environ, "LEADERBOARD_NIGHTLY_COMMAND": shlex.join(nightly)}
        command: list[str | Path] = [BIN / "leaderboard", "--state", state_of(home)]
        command += ["serve", "--port", str(port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def stop(self) -> None:
        """End the server and its worker."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def wait_until_it_answers(self) -> None:
        """Return when the first page is there.

        Raises:
            CommandFailed: the server ended, or takes too long; its log's last lines are told.
        """
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


def hand_in_quick(
    home: Path, pack: Path, url: str, slug: str, people: dict[str, dict[str, str]]
) -> None:
    """Hand in what the means of the classes' training images say; of an earlier run, once."""
    csv = home / f"{QUICK}-{slug}.csv"
    if csv.exists():
        say(f"{QUICK} was handed in before.")
        return
    say(f"Handing in {QUICK}")
    write_quick(pack, csv)
    message = ("-m", "the nearest mean of a class", "--wait")
    env = token_of(people[QUICK])
    run("grader", "submit", csv, "-a", slug, *message, "--server", url, env=env)


def write_quick(pack: Path, csv: Path) -> None:
    """Predictions for the pack's test images: of each, the class whose mean image is nearest."""
    labels = np.loadtxt(
        pack / "train" / "labels.csv", dtype=int, skiprows=1, usecols=-1, delimiter=","
    )
    train = _flat(pack / "train" / "images.npy")
    means = np.stack([train[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    test = _flat(pack / "test" / "images.npy")
    # |x − m|² without |x|², which is the same for every class
    nearest = ((means**2).sum(axis=1) - 2 * test @ means.T).argmin(axis=1)
    head, *ids = (pack / "ids.csv").read_text(encoding="utf-8").split()
    rows = [f"{name},{label}" for name, label in zip(ids, nearest, strict=True)]
    csv.write_text("\n".join([f"{head},label", *rows]) + "\n", encoding="utf-8")


def _flat(path: Path) -> NDArray[np.float32]:
    images: NDArray[np.uint8] = np.load(path)
    return images.reshape(len(images), -1).astype(np.float32)


def tell_progress(home: Path, folder: Path, line: str) -> None:
    """Say on the assignment's page what the demo does meanwhile; "" says nothing any more."""
    readme = folder / "README.md"
    before = readme.read_text(encoding="utf-8")
    text = before.partition(PROGRESS)[0].rstrip() + "\n" + (f"\n{PROGRESS}{line}\n" if line else "")
    if text == before:
        return
    readme.write_text(text, encoding="utf-8")
    run("leaderboard", "--state", state_of(home), "publish", folder, "--course", COURSE)


def train_and_bundle(
    home: Path, pack: Path, folder: Path, baselines: Sequence[str], *, quick: bool
) -> None:
    """Train each baseline that is not there yet, with progress, and pack it."""
    (home / "bundles").mkdir(exist_ok=True)
    for done, recipe in enumerate(baselines):
        trained = home / "runs" / pack.name / recipe
        if (home / "bundles" / f"{recipe}.zip").exists():
            say(f"Using the trained {recipe} again: {shown(trained)}")
            continue
        say(f"Training {recipe}")
        tell_progress(home, folder, f"{recipe} trains ({done + 1} of {len(baselines)})")
        size = ("--data", pack.name, *(("--quick",) if quick else ()))
        began = time.monotonic()
        run("reference", "train", recipe, "--out", trained, *size, quiet=False)
        note_minutes(folder, recipe, (time.monotonic() - began) / 60)
        packing = ("--run", trained, "--pack", pack, "--out", home / "bundles")
        run("reference", "bundle", recipe, *packing)


def note_minutes(folder: Path, baseline: str, minutes: float) -> None:
    """Write into the assignment how long a baseline trained here; the next publishing shows it."""
    path = folder / "assignment.toml"
    known = tomllib.loads(path.read_text(encoding="utf-8"))["scoring"].get("baseline_minutes", {})
    noted = json.dumps({**known, baseline: round(minutes, 2)}).replace('": ', '" = ')
    text = re.sub(r"(?m)^baseline_minutes = .*\n", "", path.read_text(encoding="utf-8"))
    line = f"[scoring]\nbaseline_minutes = {noted}\n"
    path.write_text(text.replace("[scoring]\n", line), encoding="utf-8")


def rerun_arguments(home: Path, url: str, slug: str) -> list[str]:
    """The rerun of all baselines; the queue's cron runs the same every night."""
    return [
        *("rerun", "--server", url, "-a", slug, "--course", COURSE),
        *("--from", str(home / "bundles"), "--tokens", str(home / "tokens.json")),
        *("--state", str(home / "rerun.json")),
    ]


def rerun_baselines(home: Path, url: str, slug: str, baselines: Sequence[str]) -> None:
    """Hand every baseline in as code; a second run of the demo compares with the first."""
    people = json.loads((home / "people.json").read_text())
    tokens = home / "tokens.json"
    tokens.touch(mode=0o600)
    tokens.write_text(json.dumps({name: people[name]["token"] for name in baselines}))
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


def print_sign_ins(url: str, people: dict[str, Any]) -> None:
    """Where to look now, and as whom."""
    say(f"Look at {url} as")
    for who in ("student", "instructor"):
        if who not in people:
            continue
        person = people[who]
        say(f"  {who:10}  {person['email']:24}  password {person['password']}")


class CommandFailed(Exception):
    """A step of the demo failed; the message says which and how."""


def run(*command: object, env: dict[str, str] | None = None, quiet: bool = True) -> str:
    """Run one of our commands; give its output, or show it as it comes.

    Raises:
        CommandFailed: it exited with something but 0.
    """
    program, *arguments = [str(part) for part in command]
    if program == "leaderboard":
        code, told = _run_here(arguments)
    else:
        done = subprocess.run(
            [str(BIN / program), *arguments],
            check=False,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
        )
        code, told = done.returncode, done.stdout or ""
        if code and quiet:
            told += done.stderr
    if code:
        said = f":\n{told}" if told else ""
        what = f"{program} {' '.join(arguments[:2])}"
        raise CommandFailed(f"`{what} …` failed with exit code {code}{said}")
    return told


def _run_here(arguments: list[str]) -> tuple[int, str]:
    """The exit code of a command of `leaderboard`, and its output; where it failed, all it said."""
    [command] = entry_points(group="console_scripts", name="leaderboard")
    done = CliRunner().invoke(command.load(), arguments, prog_name="leaderboard")
    if done.exc_info is not None and not isinstance(done.exception, SystemExit | None):
        traceback.print_exception(done.exception)
    return done.exit_code, done.output if done.exit_code else done.stdout


def say(line: str) -> None:
    """One line of progress with the seconds since the start."""
    # not to what holds the output of a command that runs in this process meanwhile
    print(f"[{time.monotonic() - STARTED:5.1f} s] {line}", file=sys.__stdout__, flush=True)


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
    parser.add_argument(
        "--quick", action="store_true", help="one baseline, for seconds (for tests)"
    )
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
