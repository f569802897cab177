"""The sandbox side by side with running the same model without one, in one run on one machine.

    python tests/bench/bench_sandbox.py [--repeats R] [--submissions N]

Start: from the call of `run` to the first batch inside the model, for a waiting sandbox, for one
that must be started, and for `docker run` + import torch. Speed: from the first batch sent to the
last prediction, against the same batches in a plain process of the same interpreter that has torch
imported, on one thread each. Throughput: code submissions through two real worker processes, sample
run, queue and scoring included. Images are random; nothing here depends on what is in them.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "leaderboard"))

import numpy as np
from small_site import Site, make_site

import sandbox
from sandbox.runner_env.environment import PACKAGES, find_environment

CHECKOUT = Path(__file__).resolve().parents[2]
LIMITS = sandbox.RunLimits(memory_mb=2048)
IMAGES = 10_000
WAIT_SECONDS = 60
# Tells when the first batch arrived, how long the model waited between batches, and the process's
# peak memory; the same file is what the plain process imports.
INSTRUMENTS = """
import time

import torch
from torch import nn

left = waited = 0.0


def preprocess(images):
    global left, waited
    now = time.monotonic()
    if left:
        waited += now - left
    else:
        print("FIRST", now, flush=True)
    return images.float() / 255


def predict(model, batch):
    global left
    scores = model(batch)
    with open("/proc/self/status") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    print("WAITED", waited, "PEAK", peak)
    left = time.monotonic()
    return scores


"""
MODELS = {
    "nothing": """
class Nothing(nn.Module):
    def forward(self, batch):
        return batch.flatten(1)[:, :10]


def build_model():
    return Nothing()
""",
    "lenet5": """
def build_model():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )
""",
    # torchvision's own, its stem of stride 2 kept, on colour images of 32 px
    "resnet18": """
def build_model():
    from torchvision.models import resnet18

    return resnet18(num_classes=10)
""",
}
SHAPES = {"nothing": (28, 28), "lenet5": (28, 28), "resnet18": (32, 32, 3)}
# argv: packages, checkout, bundle, images, batch size. As the harness does it, without one.
PLAIN = """
import sys, time

sys.path[:0] = [sys.argv[1], sys.argv[2], sys.argv[3]]
import numpy as np
import torch
from sandbox.inside.torchvision_compat import define_missing_schemas

define_missing_schemas()
import model as module

torch.set_num_threads(1)
model = module.build_model()
model.load_state_dict(torch.load(sys.argv[3] + "/checkpoint.pt", weights_only=True))
model.eval()
images, size = np.load(sys.argv[4]), int(sys.argv[5])
began = time.perf_counter()
with torch.inference_mode():
    for first in range(0, len(images), size):
        batch = torch.from_numpy(images[first : first + size])
        batch = batch.unsqueeze(1) if batch.ndim == 3 else batch.permute(0, 3, 1, 2).contiguous()
        module.predict(model, module.preprocess(batch)).numpy()
print("SECONDS", time.perf_counter() - began)
"""
SAVE = """
import sys

sys.path[:0] = [sys.argv[1], sys.argv[2], sys.argv[3]]
import torch
from sandbox.inside.torchvision_compat import define_missing_schemas

define_missing_schemas()
import model

torch.save(model.build_model().state_dict(), sys.argv[3] + "/checkpoint.pt")
"""


class PlainPython:
    """The runner environment's own interpreter and packages, unconfined."""

    def __init__(self) -> None:
        environment = find_environment()
        self._program = environment.root / environment.interpreter.lstrip("/")
        self._packages = environment.root / "opt/packages"
        self._libraries = next(environment.root.rglob("libc.so.6")).parent

    def run(self, script: str, *arguments: object) -> str:
        """What the script printed."""
        command = [self._program, "-I", "-S", "-B", "-c", script, self._packages, CHECKOUT]
        return subprocess.run(
            [*map(str, command), *map(str, arguments)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={"LD_LIBRARY_PATH": str(self._libraries)},
        ).stdout


@dataclass(frozen=True, kw_only=True)
class Contest:
    """One model with images to predict."""

    name: str
    bundle: Path
    images: np.ndarray
    images_file: Path

    @classmethod
    def make(cls, name: str, folder: Path, python: PlainPython, images: int = IMAGES) -> Contest:
        bundle = folder / name
        bundle.mkdir()
        (bundle / "model.py").write_text(INSTRUMENTS + MODELS[name])
        python.run(SAVE, bundle)
        shutil.rmtree(bundle / "__pycache__", ignore_errors=True)
        pixels = np.random.default_rng(1).integers(0, 256, (images, *SHAPES[name]), dtype=np.uint8)
        file = folder / f"{name}.npy"
        np.save(file, pixels)
        return cls(name=name, bundle=bundle, images=pixels, images_file=file)

    def sandboxed(self, runner: sandbox.Sandbox) -> dict[str, float]:
        """One run: seconds from the call to the first batch, of predicting, and of waiting."""
        began = time.monotonic()
        result = runner.run(self.bundle, self.images, num_classes=10, limits=LIMITS, logs=True)
        if result.verdict != "OK":
            raise RuntimeError(f"{result.verdict} {result.detail} {result.reason} {result.log}")
        sent = len(re.findall("WAITED", result.log))
        waited, peak = re.findall(r"WAITED (\S+) PEAK (\d+)", result.log)[-1]
        rows = -(-(len(self.images) + 8) // sent) * sent
        return {
            "start": float(re.findall(r"FIRST (\S+)", result.log)[0]) - began,
            "predict": float(result.facts["seconds_per_1000"]) * rows / 1000,
            "waited": float(waited),
            "peak_mb": int(peak) / 1024,
            "group_mb": result.peak_memory_mb,
        }

    def plain(self, python: PlainPython) -> float:
        """Seconds of the same inference in a plain process."""
        said = python.run(PLAIN, self.bundle, self.images_file, LIMITS.batch_size)
        return float(re.findall(r"SECONDS (\S+)", said)[0])


def measure_start(contest: Contest, backend: str, repeats: int) -> dict[str, float] | None:
    """Milliseconds to the first batch, from a waiting sandbox and from none; None: no backend."""
    try:
        cold = sandbox.get_runner(backend)
    except sandbox.SandboxUnavailable as unavailable:
        print(f"   {backend}: {unavailable}")
        return None
    with cold, sandbox.get_runner(backend, warm=2) as warm:
        times: dict[str, list[float]] = {"warm": [], "cold": []}
        for _ in range(repeats):
            wait_for_a_warm_one(warm)
            times["warm"].append(contest.sandboxed(warm)["start"])
        warm.close()
        for _ in range(max(2, repeats // 2)):
            times["cold"].append(contest.sandboxed(cold)["start"])
    return {f"{name}_ms": 1000 * statistics.median(values) for name, values in times.items()}


def measure_starts(contest: Contest, repeats: int) -> dict[str, object]:
    """Both backends, and the command that one of them replaces."""
    figures: dict[str, object] = {}
    print("start: from `run` to the first batch inside the model")
    with docker_engine():
        for backend in ("bubblewrap", "docker"):
            start = measure_start(contest, backend, repeats)
            figures[f"start_{backend}"] = start
            if start is not None:
                print(
                    f"   {backend:10}  waiting {start['warm_ms']:>6.0f} ms"
                    f"   started for it {start['cold_ms']:>6.0f} ms"
                    f"   ({start['cold_ms'] / start['warm_ms']:.0f}×)"
                )
        if figures["start_docker"] is not None:
            figures["docker_run_ms"] = peer = docker_run_ms(3)
            print(f"   docker run + import torch      {peer:>6.0f} ms")
    return figures


def wait_for_a_warm_one(runner: sandbox.Sandbox) -> None:
    """Wait until sandboxes wait and none is being started, so that nothing else runs."""
    runner.expect(LIMITS)
    deadline = time.monotonic() + WAIT_SECONDS
    while not runner.is_settled():
        if time.monotonic() > deadline:
            raise RuntimeError("no sandbox became ready")
        time.sleep(0.02)


@contextmanager
def docker_engine() -> Iterator[None]:
    """The engine that the tests use, where one is here or can be started."""
    sys.path.insert(0, str(CHECKOUT / "tests/sandbox"))
    from private_engine import NoEngine, docker_engine

    with ExitStack() as stack:
        try:
            stack.enter_context(docker_engine())
        except NoEngine as reason:
            print(f"   docker: {reason}")
        yield


def docker_run_ms(repeats: int) -> float:
    """`docker run` of the runner image with import torch: what a pool saves."""
    from sandbox.backends.docker_engine import Engine

    image = Engine().image()
    command = ["docker", "run", "--rm", "--network=none", "--entrypoint", image.interpreter]
    command += [
        image.id,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path[:0] = [{PACKAGES!r}]; import torch",
    ]
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def measure_speed(contest: Contest, python: PlainPython, repeats: int) -> dict[str, float]:
    """Seconds in the sandbox and plainly, in turns, after one warm-up each."""
    inside: list[dict[str, float]] = []
    plain: list[float] = []
    with sandbox.get_runner("bubblewrap", warm=1) as runner:
        for _ in range(repeats):
            wait_for_a_warm_one(runner)
            inside.append(contest.sandboxed(runner))
            wait_for_a_warm_one(runner)  # the refill must not run beside the plain process
            plain.append(contest.plain(python))
    predict = statistics.median(one["predict"] for one in inside)
    return {
        "sandbox_s": predict,
        "plain_s": statistics.median(plain),
        "ratio": predict / statistics.median(plain),
        "between_batches": statistics.median(one["waited"] / one["predict"] for one in inside),
        "peak_mb": max(one["peak_mb"] for one in inside),
        "group_mb": max(one["group_mb"] for one in inside),
    }


def measure_memory(contest: Contest) -> dict[str, float]:
    """Peak memory of the process inside with a model that has none, less two batches."""
    with sandbox.get_runner("bubblewrap") as runner:
        seen = contest.sandboxed(runner)
    batches = 2 * LIMITS.batch_size * contest.images[0].nbytes / 2**20
    return {"own_mb": seen["peak_mb"] - batches, "group_mb": seen["group_mb"]}


def measure_throughput(contest: Contest, folder: Path, submissions: int) -> dict[str, float]:
    """Hand-ins a minute, from the first to the last score, of two worker processes."""
    make_assignment(folder / "assignment", contest.images)
    site = make_site(folder, folder / "assignment")
    bundle = shutil.make_archive(str(folder / "bundle"), "zip", contest.bundle)
    content = Path(bundle).read_bytes()
    with ExitStack() as stack:
        for name in ("1", "2"):
            stack.enter_context(site.worker(name, LEADERBOARD_WORKER_CONCURRENCY="1"))
        hand_in_and_wait(site, content, teams=2)  # until both have started
        began = time.monotonic()
        hand_in_and_wait(site, content, teams=submissions)
        seconds = time.monotonic() - began
    site.state.close()
    return {"submissions": submissions, "seconds": seconds, "a_minute": 60 * submissions / seconds}


def hand_in_and_wait(site: Site, content: bytes, *, teams: int) -> None:
    """One bundle a team, all at once, until the last has its score."""
    handed_in = [
        site.hand_in(f"team{number:02d}", content, filename="bundle.zip", slug="bench")
        for number in range(teams)
    ]
    verdicts = {site.wait(public_id, seconds=600).verdict for public_id in handed_in}
    if verdicts != {"OK"}:
        raise RuntimeError(f"verdicts {verdicts}")


def make_assignment(folder: Path, images: np.ndarray) -> None:
    """Ten classes, labels by chance."""
    labels = np.random.default_rng(2).integers(0, 10, len(images))
    for part in ("test", "sample"):
        (folder / part).mkdir(parents=True)
    np.save(folder / "test/images.npy", images)
    np.save(folder / "sample/images.npy", images[:100])
    rows = [f"{row},{label}" for row, label in enumerate(labels)]
    (folder / "answers.csv").write_text("\n".join(["id,label", *rows]) + "\n")
    (folder / "sample/labels.csv").write_text("\n".join(["id,label", *rows[:100]]) + "\n")
    (folder / "README.md").write_text("Random images.\n")
    (folder / "assignment.toml").write_text(
        'slug = "bench"\ntitle = "Bench"\n'
        f"classes = {json.dumps([f'class {number}' for number in range(10)])}\n"
        f"[limits]\nmemory_mb = {LIMITS.memory_mb}\n"
    )


def run(repeats: int = 3, submissions: int = 20) -> dict[str, object]:
    """Measure everything and print a table."""
    figures: dict[str, object] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        python = PlainPython()
        contests = {name: Contest.make(name, folder, python) for name in MODELS}
        figures |= measure_starts(contests["lenet5"], repeats)
        print(f"speed: {IMAGES:,} images, batches of {LIMITS.batch_size}, one thread")
        for name, times in (("lenet5", repeats), ("resnet18", 2)):
            figures[name] = speed = measure_speed(contests[name], python, times)
            print(
                f"   {name:10}  sandbox {speed['sandbox_s']:>7.3f} s"
                f"   plain {speed['plain_s']:>7.3f} s   {speed['ratio']:.3f}×"
                f"   between batches {speed['between_batches']:.1%}"
            )
        figures["memory"] = memory = measure_memory(contests["nothing"])
        print(f"memory: the harness's own {memory['own_mb']:.0f} MB")
        figures["throughput"] = rate = measure_throughput(contests["lenet5"], folder, submissions)
        print(f"throughput: {rate['a_minute']:.1f} lenet5 code submissions a minute")
    return figures


def main() -> dict[str, object]:
    """Measure everything."""
    return run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--submissions", type=int, default=20)
    options = parser.parse_args()
    sys.exit(not run(options.repeats, options.submissions))
