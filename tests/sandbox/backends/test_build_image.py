"""The image on a base: what is locked, torch for CPUs, and a reason when a step fails."""

from __future__ import annotations

import shutil
import subprocess
import tarfile

import numpy as np
import pytest
from conftest import missing

import sandbox
from sandbox.backends import build_image
from sandbox.backends.docker_engine import Engine
from sandbox.runner_env import build_runner
from sandbox.runner_env.runner_lock import BuildFailed, normal, pins

BASE = "gradewright-test-base:bookworm"


def test_torch_is_asked_for_as_its_build_for_cpus_unless_the_other_is_wanted():
    cpu = build_image.torch_requirements(cuda=False)
    assert "\ntorch==2.13.0+cpu\n" in cpu
    assert "nvidia" not in cpu
    cuda = build_image.torch_requirements(cuda=True)
    assert "\ntorch==2.13.0\n" in cuda
    assert "\nnvidia-cublas==" in cuda
    assert cpu.splitlines()[0] != cuda.splitlines()[0]


def test_wheels_of_torch_that_lie_on_this_machine_are_put_beside_the_locks(tmp_path, monkeypatch):
    for name in ("torch-2.13.0+cpu-cp311-linux.whl", "other-1-py3-none-any.whl"):
        (tmp_path / name).write_bytes(b"a wheel")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} https://example.org/wheels")
    with (
        build_image._context(build_image._files(b"torch==2.13.0+cpu\n")) as packed,
        tarfile.open(fileobj=packed) as archive,
    ):
        names = archive.getnames()
        locked = archive.extractfile("runner.txt").read()
        assert archive.extractfile("torch.txt").read() == b"torch==2.13.0+cpu\n"
    assert "wheels/torch-2.13.0+cpu-cp311-linux.whl" in names
    assert not [name for name in names if "other" in name]
    assert locked == build_runner.REQUIREMENTS.read_bytes()


@pytest.fixture(scope="module")
def base(docker_host, tmp_path_factory):
    """A small Debian with Python and pip in the engine."""
    if shutil.which("debootstrap") is None:
        missing("debootstrap is not installed")
    root = tmp_path_factory.mktemp("base") / "root"
    command = ["debootstrap", "--variant=minbase", "--include=python3,python3-pip,ca-certificates"]
    made = subprocess.run([*command, "bookworm", root], capture_output=True, text=True, check=False)
    if made.returncode:
        missing(f"debootstrap reaches no packages: {made.stdout[-500:]}")
    packed = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
    with packed, Engine().connect(600) as client:
        repository, tag = BASE.split(":")
        client.import_image_from_stream(packed.stdout, repository=repository, tag=tag)
    shutil.rmtree(root)
    yield BASE
    with Engine().connect(600) as client:
        client.remove_image(BASE, force=True)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_an_image_on_a_base_holds_what_is_locked_and_runs_a_bundle(base, bundle, monkeypatch):
    image = build_image.build(Engine(), base)
    try:
        described = {"version": image.python_version, "short": image.python_version[:4]}
        files = (build_runner.REQUIREMENTS, build_runner.REQUIREMENTS.with_name("torch.txt"))
        locked = {pin.name: pin.version for file in files for pin in pins(file, described)}
        held = {normal(name): each.partition("+")[0] for name, each in image.packages.items()}
        assert held == {name: locked.get(name) for name in held}
        assert image.packages["torch"].endswith("+cpu")
        assert not [name for name in held if name.startswith("nvidia-")]

        monkeypatch.setenv("SANDBOX_DOCKER_IMAGE", image.id)
        with sandbox.get_runner("docker") as runner:
            limits = sandbox.RunLimits(wall_seconds=60)
            pixels = np.zeros((16, 8, 8), np.uint8)
            ran = runner.run(bundle(), pixels, num_classes=10, limits=limits)
        assert ran.verdict == "OK", ran
        assert build_image.build(Engine(), base).id == image.id  # at once: nothing changed
    finally:
        with Engine().connect(600) as client:
            client.remove_image(image.id, force=True)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_what_a_step_that_failed_said_is_shown(base, tmp_path, monkeypatch):
    nowhere = tmp_path / "pip.conf"
    nowhere.write_text("[global]\nindex-url = http://127.0.0.1:9/simple\nretries = 0\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(nowhere))
    monkeypatch.setattr(build_image, "DOCKERFILE", changed_dockerfile(tmp_path))
    with pytest.raises(BuildFailed) as raised:
        build_image.build(Engine(), base)
    assert "No matching distribution found for" in str(raised.value)
    assert "returned a non-zero code" in str(raised.value)


def changed_dockerfile(folder):
    """Another fingerprint, so that no earlier image is found."""
    path = folder / "Dockerfile"
    path.write_text(build_image.DOCKERFILE.read_text() + "# another\n")
    return path
