"""Job ``describe``: what there is to compute with."""

from __future__ import annotations

import platform
from importlib import metadata

import msgspec
import psutil

from MRTranslateLib.inference.device import default_threads
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import platform_description, program_version

PACKAGES = ("torch", "numpy", "scipy", "SimpleITK", "nibabel", "safetensors", "msgspec", "Pillow", "psutil", "tqdm")
GIGABYTE = 1e9


class DescribeParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to choose."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Where a network can run.

    Attributes:
        name: As ``translate`` takes it: ``cpu``, ``cuda:0``, ...
        title: The processor, for people.
        memory_gb: All of its memory, 10^9 bytes.
        free_memory_gb: What was free just now.
    """

    name: str
    title: str
    memory_gb: float
    free_memory_gb: float


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """This machine and this installation.

    Attributes:
        program: Name and version.
        platform: Operating system, processor and Python.
        default_threads: CPU threads taken when none are asked for.
        devices: The CPU first.
        packages: Version by package, None where it is missing.
    """

    program: str
    platform: str
    default_threads: int
    devices: tuple[Device, ...]
    packages: dict[str, str | None]


def describe(parameters: DescribeParameters, progress: Progress) -> Description:
    """Look; without torch there is the CPU and a hint in ``packages``."""
    progress.step("describe", 0.0)
    return Description(
        program=program_version(),
        platform=platform_description(),
        default_threads=default_threads(),
        devices=(_cpu(), *_cuda_devices()),
        packages={name: _version(name) for name in PACKAGES},
    )


def _cpu() -> Device:
    memory = psutil.virtual_memory()
    return Device(
        name="cpu",
        title=platform.processor() or platform.machine(),
        memory_gb=round(memory.total / GIGABYTE, 1),
        free_memory_gb=round(memory.available / GIGABYTE, 1),
    )


def _cuda_devices() -> list[Device]:
    try:
        import torch
    except (ImportError, OSError):  # OSError: on Windows a torch whose libraries do not load
        return []
    if not torch.cuda.is_available():
        return []
    devices = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        devices.append(
            Device(
                name=f"cuda:{index}",
                title=torch.cuda.get_device_name(index),
                memory_gb=round(total / GIGABYTE, 1),
                free_memory_gb=round(free / GIGABYTE, 1),
            )
        )
    return devices


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
