"""What the NVIDIA driver tells of its cards (NVML, through the package `nvidia-ml-py`)."""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol


class DriverMissing(RuntimeError):
    """There is no NVIDIA driver to ask here, or not the package to ask it with; says which."""


class Driver(Protocol):
    """The little of NVML that lending cards needs. Cards are told by their index."""

    def count(self) -> int:
        """How many cards there are."""

    def name(self, card: int) -> str:
        """The model, such as "NVIDIA H200"."""

    def minor(self, card: int) -> int:
        """The number in /dev/nvidiaN, which need not be the index."""

    def total_bytes(self, card: int) -> int:
        """The card's memory."""

    def used_bytes(self, card: int) -> int:
        """How much of it is in use, by anybody."""

    def processes(self, card: int) -> dict[int, int | None]:
        """Who computes there: process -> bytes; None where the driver can't tell how many."""


class Nvml:
    """The real driver."""

    def __init__(self) -> None:
        """Connect.

        Raises:
            DriverMissing: there is nothing to connect to.
        """
        try:
            import pynvml
        except ImportError as error:
            raise DriverMissing(
                "the package nvidia-ml-py is not installed (pip install 'gradewright[gpu]')"
            ) from error
        self._nvml: Any = pynvml
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as error:
            raise DriverMissing(f"no NVIDIA driver answers ({error})") from error

    def count(self) -> int:
        """How many cards there are."""
        return int(self._ask("DeviceGetCount"))

    def name(self, card: int) -> str:
        """The model."""
        return str(self._ask("DeviceGetName", card))

    def minor(self, card: int) -> int:
        """The number in /dev/nvidiaN."""
        return int(self._ask("DeviceGetMinorNumber", card))

    def total_bytes(self, card: int) -> int:
        """The card's memory."""
        return int(self._ask("DeviceGetMemoryInfo", card).total)

    def used_bytes(self, card: int) -> int:
        """How much of it is in use."""
        return int(self._ask("DeviceGetMemoryInfo", card).used)

    def processes(self, card: int) -> dict[int, int | None]:
        """Who computes there."""
        found = self._ask("DeviceGetComputeRunningProcesses", card)
        return {int(each.pid): each.usedGpuMemory for each in found}

    def _ask(self, what: str, card: int | None = None) -> Any:
        """The driver's answer about a card, or about the host.

        Raises:
            OSError: it has none.
        """
        try:
            about = () if card is None else (self._nvml.nvmlDeviceGetHandleByIndex(card),)
            return getattr(self._nvml, f"nvml{what}")(*about)
        except self._nvml.NVMLError as error:
            raise OSError(f"the NVIDIA driver does not answer ({what}): {error}") from error


@cache
def driver() -> Driver:
    """The driver of this host; connected to once a process.

    Raises:
        DriverMissing: there is none.
    """
    return Nvml()
