"""Build the image of the Docker backend: `python -m sandbox.backends.build_image`.

Two ways to the same thing, a file system that holds an interpreter, the packages of
`deploy/locks/runner.txt` and nothing of ours:

- from the runner environment (`.runner`, see `build_runner.py`), which is such a file system. No
  network is needed, it takes seconds, and both backends run the very same files, so that a score
  does not depend on the backend;
- from `image/Dockerfile` on a base image (`--base python:3.11-slim`), where there is no runner
  environment, or where the image is made elsewhere and pulled by its digest. torch is the build for
  CPUs, a tenth of the other; `--cuda` takes that one.

Quick when nothing changed; an image that another one of ours replaces is removed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import docker

from sandbox.backends.docker_engine import ENGINE_ERRORS, LABEL, REPOSITORY, Engine, RunnerImage
from sandbox.runner_env.build_runner import COMPAT, REQUIREMENTS, SMOKE_TEST, say
from sandbox.runner_env.environment import RunnerEnvironment, SandboxUnavailable, find_environment
from sandbox.runner_env.runner_lock import CPU_INDEX, CUDA_INDEX, TORCH, TORCH_FILE, BuildFailed

CHECKOUT = Path(__file__).resolve().parents[2]
DOCKERFILE = Path(__file__).parent / "image" / "Dockerfile"
BASE = "python:3.11-slim"
STAGE = "gradewright.stage"  # label of stages, so that only ours are removed
BUILD_SECONDS = 1800
SAID_LINES = 30  # of a failed step, shown with it
DESCRIBE = """
import json, sys
from importlib.metadata import distributions
found = {item.name: item.version for item in distributions(path=["/opt/packages"])}
print(json.dumps({
    "interpreter": sys.executable, "python_version": sys.version.split()[0], "packages": found,
}))
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 when the image is there, 4 when it could not be built."""
    parser = argparse.ArgumentParser(prog="sandbox.backends.build_image", description=__doc__)
    parser.add_argument("--base", help=f"build image/Dockerfile on this base (such as {BASE})")
    parser.add_argument("--runner", type=Path, help="runner environment (default: found nearby)")
    parser.add_argument(
        "--cuda", action="store_true", help="with --base: torch for GPUs (several GB), not for CPUs"
    )
    options = parser.parse_args(arguments)
    try:
        engine = Engine()
        if options.base:
            image = build(engine, options.base, cuda=options.cuda)
        else:
            image = import_environment(engine, find_environment(options.runner))
    except (BuildFailed, SandboxUnavailable, *ENGINE_ERRORS) as error:
        say(f"The runner image could not be built: {error}")
        return 4
    print(image.id)  # noqa: T201 - the result of the command
    return 0


def import_environment(engine: Engine, environment: RunnerEnvironment) -> RunnerImage:
    """The image of a runner environment, made unless the engine has it.

    Raises:
        BuildFailed: the engine did not take it.
    """
    tag = environment.fingerprint[:16]
    found = engine.find(f"{REPOSITORY}:{tag}")
    if found is not None:
        return found
    say(f"Importing the runner environment into the Docker engine as {REPOSITORY}:{tag}")
    made = RunnerImage(
        id="",
        interpreter=environment.interpreter,
        python_version=environment.python_version,
        fingerprint=environment.fingerprint,
        packages=environment.packages,
    )
    # without /tmp: a file system that is mounted on a folder of the image takes its mode from there
    options = ["--owner=0", "--group=0", "--numeric-owner", "--exclude=./tmp"]
    archive = subprocess.Popen(
        ["tar", *options, "-C", str(environment.root), "-c", "."], stdout=subprocess.PIPE
    )
    with archive, engine.connect(BUILD_SECONDS) as client:
        client.import_image_from_stream(
            archive.stdout, repository=REPOSITORY, tag=tag, changes=[_label(made)]
        )
    if archive.returncode != 0:
        raise BuildFailed(f"{environment.root} could not be read")
    return _found(engine, f"{REPOSITORY}:{tag}")


def build(engine: Engine, base: str, *, cuda: bool = False) -> RunnerImage:
    """The image of `image/Dockerfile` on this base, made unless the engine has it.

    Raises:
        BuildFailed: a step failed, as when the base can't be pulled; with what it said.
    """
    torch = torch_requirements(cuda=cuda).encode()
    parts = (DOCKERFILE.read_bytes(), REQUIREMENTS.read_bytes(), torch, base.encode())
    fingerprint = hashlib.sha256(b"\0".join(parts)).hexdigest()
    tag = f"{REPOSITORY}:{fingerprint[:16]}"
    found = engine.find(tag)
    if found is not None:
        return found
    with engine.connect(BUILD_SECONDS) as client:
        arguments = {"BASE": base, "FINGERPRINT": fingerprint}
        with _context(_files(torch)) as context:
            bare = _build(client, context, arguments)
        made = RunnerImage(id="", fingerprint=fingerprint, **_described(client, bare))
        with _context({"Dockerfile": f"FROM {bare}\n{_label(made)}\n".encode()}) as context:
            _build(client, context, {}, tag)
        for image in client.images(filters={"dangling": True, "label": f"{STAGE}={fingerprint}"}):
            client.remove_image(image["Id"])
    return _found(engine, tag)


def torch_requirements(*, cuda: bool) -> str:
    """What pip is asked for: the locked torch as its build for CPUs and no other, or for GPUs."""
    locked = REQUIREMENTS.with_name(TORCH_FILE).read_text(encoding="utf-8").splitlines()
    pins = [line for line in locked if line and not line.startswith("#")]
    if cuda:
        return "\n".join([f"--extra-index-url {CUDA_INDEX}", *pins, ""])
    here = [line for line in pins if line.partition("==")[0] in TORCH]
    build = [f"{line}+cpu" if line.startswith("torch==") else line for line in here]
    return "\n".join([f"--extra-index-url {CPU_INDEX}", "--find-links /build/wheels", *build, ""])


def _found(engine: Engine, tag: str) -> RunnerImage:
    found = engine.find(tag)
    if found is None:
        raise BuildFailed(f"the engine did not keep {tag}")
    return found


def _label(made: RunnerImage) -> str:
    return f"LABEL {LABEL}={json.dumps(made.label())}"


def _build(
    client: docker.APIClient, context: IO[bytes], arguments: dict[str, str], tag: str | None = None
) -> str:
    """Build a context and return the image's id, saying what goes on."""
    image = ""
    said: deque[str] = deque(maxlen=SAID_LINES)
    for step in client.build(
        fileobj=context,
        custom_context=True,
        buildargs=arguments,
        network_mode="host",
        tag=tag,
        rm=True,
        forcerm=True,
        decode=True,
    ):
        if "error" in step:
            hint = _hint(step["error"] + "".join(said), arguments)
            raise BuildFailed("\n  ".join([*said, step["error"].strip() + hint]))
        image = step.get("aux", {}).get("ID", image)
        line = step.get("stream", "").strip()
        if line.startswith(("Step", "Successfully")):
            say(f"  {line}")
            said.clear()
        elif line:
            said.append(line)
    return image


def _hint(said: str, arguments: dict[str, str]) -> str:
    if "No matching distribution found for torch" in said:
        return (
            f" (Neither {CPU_INDEX} nor this machine's own wheels, which PIP_FIND_LINKS names, "
            "hold that build of torch. Use the runner environment, without --base, or --cuda.)"
        )
    if "pull" in said or "resolve" in said or "dial tcp" in said:
        return (
            f" ({arguments.get('BASE')} can't be pulled here. Use the runner environment, without "
            "--base, or make a base with debootstrap and `docker import`; see sandbox/README.md.)"
        )
    return ""


def _files(torch: bytes) -> dict[str, bytes | Path]:
    """The program, the requirements, and this machine's way to packages."""
    compat = f"{COMPAT.replace('.', '/')}.py"
    settings = {
        "pip.conf": _first(os.environ.get("PIP_CONFIG_FILE"), "/etc/pip.conf"),
        "ca.pem": _first(os.environ.get("PIP_CERT"), os.environ.get("SSL_CERT_FILE")),
    }
    folders = map(Path, os.environ.get("PIP_FIND_LINKS", "").split())
    wheels = [wheel for folder in folders for wheel in sorted(folder.glob("torch*.whl"))]
    return {
        "Dockerfile": DOCKERFILE,
        "runner.txt": REQUIREMENTS,
        "torch.txt": torch,
        "smoke.py": SMOKE_TEST.encode(),
        compat: CHECKOUT / compat,
        **settings,
        **{f"wheels/{wheel.name}": wheel for wheel in wheels},
    }


@contextmanager
def _context(files: Mapping[str, bytes | Path]) -> Iterator[IO[bytes]]:
    """A build context of these files, on disk: a wheel of torch is large."""
    with tempfile.TemporaryFile() as packed:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, content in files.items():
                if isinstance(content, Path):
                    archive.add(content, name)
                    continue
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        packed.seek(0)
        yield packed


def _first(*paths: str | None) -> bytes:
    return next((Path(path).read_bytes() for path in paths if path and Path(path).is_file()), b"")


def _described(client: docker.APIClient, image: str) -> dict[str, Any]:
    """What an image holds, asked of its own interpreter."""
    command = ["python3", "-I", "-S", "-c", DESCRIBE]
    host = client.create_host_config(network_mode="none")
    container = client.create_container(image, entrypoint=command, command=[], host_config=host)
    try:
        client.start(container)
        client.wait(container)
        said = client.logs(container)
        return dict(json.loads(said))
    except ValueError as error:
        raise BuildFailed(f"the image's interpreter said {said[-500:]!r}") from error
    finally:
        client.remove_container(container, force=True)


if __name__ == "__main__":
    sys.exit(main())
