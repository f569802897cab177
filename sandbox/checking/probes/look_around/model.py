"""Prints, as one line of JSON, what a program inside can see and do; changes nothing."""

import ctypes
import json
import os
import platform
import socket
import sys
from pathlib import Path

import torch
from torch import nn

KEYCTL = {"x86_64": 250, "aarch64": 219}
FAMILIES = {"AF_INET": 2, "AF_NETLINK": 16, "AF_ALG": 38, "AF_VSOCK": 40}


def build_model() -> nn.Module:
    """A model without weights; the looking around is the point."""
    print("FOUND " + json.dumps(look_around()))  # noqa: T201 - read by the self-check
    return nn.Identity()


def predict(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Class 0 for everything."""
    return torch.zeros(len(images), dtype=torch.int64)


def look_around() -> dict[str, object]:
    """What there is, without touching it."""
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    folders = [folder for folder, _, _ in os.walk("/") if not folder.startswith("/proc")]
    return {
        "environment": sorted(os.environ),
        "process_1_environment": Path("/proc/1/environ").read_bytes().decode("utf-8", "replace"),
        "processes": sorted(path.name for path in Path("/proc").glob("[0-9]*")),
        "sockets": [name for name, family in FAMILIES.items() if opens_socket(family)],
        "interfaces": [name for _, name in socket.if_nameindex()] if sees_interfaces() else [],
        "seccomp": status["Seccomp"],
        "no_new_privileges": status["NoNewPrivs"],
        "capabilities": status["CapEff"],
        "keyctl": ctypes.CDLL(None).syscall(KEYCTL[platform.machine()], 0, -4, 1, 0, 0) >= 0,
        "writable_settings": writable("/proc/sys"),
        "writable_folders": sorted(folder for folder in folders if os.access(folder, os.W_OK)),
        "top_level": sorted(path.name for path in Path("/").iterdir()),
        "opened_device": opens_device(),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
    }


def opens_device() -> bool:
    """Whether a harmless device that no program needs can be opened: only Landlock refuses it."""
    try:
        Path("/dev/full").open("rb").close()
    except OSError:
        return False
    return True


def opens_socket(family: int) -> bool:
    """Whether a socket of this family can be made."""
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
    except OSError:
        return False
    return True


def sees_interfaces() -> bool:
    """Whether the list of network interfaces can be had (it takes a socket)."""
    try:
        socket.if_nameindex()
    except OSError:
        return False
    return True


def writable(top: str) -> list[str]:
    """Files below `top` that access(2) says can be written."""
    return [
        str(Path(folder, name))
        for folder, _, names in os.walk(top)
        for name in names
        if os.access(Path(folder, name), os.W_OK)
    ]
