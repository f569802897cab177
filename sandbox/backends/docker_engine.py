"""The Docker engine of this host, and the image that programs run in."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound
from docker.utils import kwargs_from_env
from requests.exceptions import RequestException

from sandbox.confinement.gpu import Card
from sandbox.runner_env.environment import SandboxUnavailable, find_environment

IMAGE_SETTING = "SANDBOX_DOCKER_IMAGE"
REPOSITORY = "gradewright-runner"
LABEL = "gradewright.runner"  # on an image: what it holds, as JSON
ENGINE_ERRORS = (DockerException, RequestException, OSError)
REQUEST_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class RunnerImage:
    """An image by its content's digest, with what it holds."""

    id: str  # sha256:…: a tag could be moved to something else
    interpreter: str
    python_version: str
    fingerprint: str
    packages: dict[str, str]

    def label(self) -> str:
        """The value of `LABEL`."""
        return json.dumps(
            {
                "interpreter": self.interpreter,
                "python_version": self.python_version,
                "fingerprint": self.fingerprint,
                "packages": self.packages,
            }
        )


class Engine:
    """How the engine is reached. Each use has a connection of its own: threads share nothing."""

    def __init__(self) -> None:
        """Ask the engine that `DOCKER_HOST` names, else the one of this host, for its version.

        Raises:
            SandboxUnavailable: there is none, it does not answer us, or it is on another host.
        """
        settings = kwargs_from_env()
        self.address = settings.get("base_url") or "unix:///var/run/docker.sock"
        if not self.address.startswith(("unix://", "http+unix://")):
            raise SandboxUnavailable(
                f"The Docker engine at {self.address} is on another host, where it can't see the "
                "files of a run; students' code needs an engine of this host (a unix:// address)."
            )
        self._version: str | None = None
        try:
            with socket.socket(socket.AF_UNIX) as probe:  # docker-py leaves open what can't connect
                probe.connect(self.address.partition("://")[2])
            with self.connect() as client:
                about = client.version()
        except ENGINE_ERRORS as error:
            raise SandboxUnavailable(unreachable(self.address, error)) from error
        self._version = about["ApiVersion"]
        self.version = about["Version"]

    @contextlib.contextmanager
    def connect(self, seconds: float = REQUEST_SECONDS) -> Iterator[docker.APIClient]:
        """A connection for some calls of one thread, each answered within `seconds`."""
        client = docker.APIClient(base_url=self.address, version=self._version, timeout=seconds)
        # a socket of this host needs no proxy, and looking for one reads the whole environment,
        # which another thread may change meanwhile
        client.trust_env = False
        try:
            yield client
        finally:
            client.close()

    def image(self, runner_env: Path | None = None) -> RunnerImage:
        """The image `SANDBOX_DOCKER_IMAGE` names, else the one made of the runner environment.

        Raises:
            SandboxUnavailable: the engine has none, or it is no runner image.
        """
        name = os.environ.get(IMAGE_SETTING)
        if not name:
            name = f"{REPOSITORY}:{find_environment(runner_env).fingerprint[:16]}"
        found = self.find(name)
        if found is None:
            raise SandboxUnavailable(
                f"The Docker engine has no runner image {name}; "
                "make it with `python -m sandbox.backends.build_image`."
            )
        return found

    def find(self, name: str) -> RunnerImage | None:
        """An image of this name, if the engine has it.

        Raises:
            SandboxUnavailable: it is there and was not made by `build_image`.
        """
        try:
            with self.connect() as client:
                about = client.inspect_image(name)
        except ImageNotFound:
            return None
        except ENGINE_ERRORS as error:
            raise SandboxUnavailable(unreachable(self.address, error)) from error
        label = (about["Config"].get("Labels") or {}).get(LABEL)
        if label is None:
            raise SandboxUnavailable(
                f"The image {name} is no runner image (it lacks the label {LABEL}); "
                "make one with `python -m sandbox.backends.build_image`."
            )
        return RunnerImage(id=about["Id"], **json.loads(label))

    def layers(self, image: RunnerImage) -> tuple[list[Path], str]:
        """The folders that hold the image's files on this host; else none, and why."""
        with self.connect() as client:
            driver = client.inspect_image(image.id)["GraphDriver"]
        if driver["Name"] != "overlay2":
            return [], f"the engine keeps images by {driver['Name']}, not overlay2"
        named = [driver["Data"].get(part) or "" for part in ("UpperDir", "LowerDir")]
        folders = [Path(each) for part in named for each in part.split(":") if each]
        if not all(os.access(folder, os.R_OK | os.X_OK) for folder in folders):
            return [], "this worker can't read where the engine keeps its image"
        return folders, ""


def unreachable(address: str, error: Exception) -> str:
    """Why there is no engine, as a sentence an operator can act on."""
    said = str(error)
    if "Permission denied" in said:
        return (
            f"This user may not use the Docker engine at {address}; add it to the group `docker`, "
            "which makes it as powerful as root."
        )
    return (
        f"No Docker engine answers at {address}, so students' code can't be run with it; "
        f"install `docker.io` and start the engine, or set DOCKER_HOST ({said[:200]})."
    )


def device_request(card: Card) -> dict[str, Any]:
    """The card for a container, as the Docker engine's `DeviceRequests` has it.

    The engine's NVIDIA runtime, or its CDI devices, bring the nodes and the driver's libraries.
    """
    return {
        "Driver": "nvidia",
        "DeviceIDs": [str(card.index)],
        "Capabilities": [["gpu", "compute", "utility"]],
    }
