"""Where and how precisely a network runs: device, CPU threads, precision; decided once, recorded in provenance."""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import psutil

from MRTranslateLib.errors import UsageError

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


@dataclass(frozen=True)
class Execution:
    """How a network is run.

    Attributes:
        device: ``cpu`` or ``cuda:N``.
        precision: fp32, or bf16 by autocast.
        threads: CPU threads of the network, at least 1.
    """

    device: str
    precision: Precision
    threads: int


def default_threads() -> int:
    """Physical cores minus one, at least 1: one more thread than idle cores makes torch many times slower."""
    return max((psutil.cpu_count(logical=False) or 1) - 1, 1)


def choose_execution(device: str = "auto", precision: Precision = "fp32", threads: int | None = None) -> Execution:
    """Check a request against this machine.

    Args:
        device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        precision: See :class:`Execution`.
        threads: None for :func:`default_threads`.

    Raises:
        UsageError: If the device does not exist here, or the precision or number of threads is impossible.
    """
    import torch

    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}: use one of {', '.join(PRECISIONS)}")
    if threads is not None and not (isinstance(threads, Integral) and 1 <= threads <= 1024):
        raise UsageError(f"cannot run on {threads!r} threads: use a whole number from 1 to 1024, or leave it out")
    threads = threads or default_threads()
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device):
        raise UsageError(f"unknown device {device!r}: use auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if device != "cpu" and torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and count == 0):
        return Execution("cpu", precision, threads)
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        raise UsageError(f"device {device!r} is not there: this machine has {count} CUDA devices; use cpu or auto")
    return Execution(f"cuda:{index}", precision, threads)
