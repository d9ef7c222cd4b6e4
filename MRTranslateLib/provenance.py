"""How a result was made, complete enough to make it again (DESIGN section 6); stored beside it as ``<output>.json``."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

import MRTranslateLib
from MRTranslateLib.attention.report import AttentionReport
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.files import full_extension, json_text, reason, shown
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.plausibility.report import ChecksRecord
from MRTranslateLib.uncertainty.report import UncertaintyReport

SCHEMA_VERSION: Final = 1
NOTICE = "SYNTHETIC: computed, not acquired; research use only, not for diagnostic use"
_LIBRARIES = ("torch", "numpy", "scipy", "SimpleITK", "nibabel", "safetensors")


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closed, immutable part of a sidecar."""


class ModelRecord(_Record, frozen=True, kw_only=True):
    """Which weights: name, version, SHA-256 of the weights file.

    Attributes:
        folder: Where the model lay, absolute, if it was given as a folder; None for a model of the store.
        specialist_sha256: Of the second generator's weights where the model has one and the route is its; else None.
    """

    name: str
    version: str
    weights_sha256: str
    specialist_sha256: str | None = None
    folder: str | None = None

    @property
    def used_sha256(self) -> str:
        """Of the weights that made the result."""
        return self.specialist_sha256 or self.weights_sha256

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        sources: Iterable[Contrast],
        target: Contrast,
        *,
        asked_for: str | os.PathLike[str] | None = None,
    ) -> ModelRecord:
        """The weights that translate a route; ``asked_for`` is the name or folder by which the model was found."""
        by_folder = asked_for is not None and Path(asked_for) == bundle.folder
        card, specialist = bundle.card, bundle.card.components.specialist
        is_special = specialist is not None and specialist.translates(sources, target)
        return cls(
            name=card.name,
            version=card.version,
            weights_sha256=bundle.weights_sha256,
            specialist_sha256=bundle.component_sha256("specialist") if is_special else None,
            folder=str(bundle.folder.absolute()) if by_folder else None,
        )


class RegistrationRecord(_Record, frozen=True, kw_only=True):
    """How a source was moved onto the first one.

    Attributes:
        transform: 4 rows of the rigid matrix, RAS mm in the first source to RAS mm in this one.
        rotation_deg: Angle of the rotation.
        translation_mm: Shift of the centre of the field of view.
        metric_before: Mutual information, nats.
        metric_after: The same after registration.
        overlap: Share of the smaller head inside the other, 0..1.
        verdict: ``moved`` or ``already aligned``.
    """

    transform: tuple[tuple[float, float, float, float], ...]
    rotation_deg: float
    translation_mm: float
    metric_before: float
    metric_after: float
    overlap: float
    verdict: str


class FileRecord(_Record, frozen=True, kw_only=True):
    """An input: the file it came from, None if it was handed over in memory, and what it held.

    Attributes:
        path: Absolute path, None for arrays in memory.
        sha256: Of voxels and grid (:func:`content_sha256`), whatever the file format or compression.
    """

    path: str | None
    sha256: str


class SourceRecord(_Record, frozen=True, kw_only=True):
    """A source contrast.

    Attributes:
        contrast: Which.
        file: Where from.
        percentile_value: The brain's 99.5th percentile in the source's own units, which became 1.
        registration: None where the grid was the first source's.
    """

    contrast: Contrast
    file: FileRecord
    percentile_value: float
    registration: RegistrationRecord | None


class BrainMaskRecord(_Record, frozen=True, kw_only=True):
    """The brain mask: ``given``, ``zero background`` or ``extracted``; its file if given; its volume."""

    origin: str
    file: FileRecord | None
    volume_ml: float


class Parameters(_Record, frozen=True, kw_only=True):
    """What the user may choose.

    Attributes:
        registration: ``auto`` registers sources on other grids, ``always`` all, ``never`` none.
        bias_correction: Whether N4 was run on the sources.
        device: As asked for.
        precision: fp32 or bf16.
        threads: CPU threads of the network.
    """

    registration: Literal["auto", "always", "never"]
    bias_correction: bool
    device: str
    precision: Literal["fp32", "bf16"]
    threads: int


class OutputRecord(_Record, frozen=True, kw_only=True):
    """The result: its path if written, SHA-256 of its content, shape, voxel size in mm and unit."""

    path: str | None
    sha256: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    unit: str


class AttentionRecord(_Record, frozen=True, kw_only=True):
    """The attention map that was made beside the result.

    Attributes:
        weights_sha256: Of the local discriminator.
        lesion_mask: Whose regions were measured, None without.
        output: The map.
        report: What a value means, regions and hardest spots.
    """

    weights_sha256: str
    lesion_mask: FileRecord | None
    output: OutputRecord
    report: AttentionReport


class LowResolutionRecord(_Record, frozen=True, kw_only=True):
    """The acquired low-resolution target that went into the result.

    Attributes:
        file: Where from.
        percentile_value: Its own brain's 99.5th percentile in its own units, which became 1.
        registration: None where it was taken as it lies.
        spacing_mm: Of its voxels along its own axes; None in records of older versions.
        voxel_size: Of its voxels along right, anterior, superior, in voxels of the working grid, 1 or more.
        in_plane_ratio: At which it entered the branch; 1 is re-gridded to the full grid.
        weights_sha256: Of the super-resolution branch.
    """

    file: FileRecord
    percentile_value: float
    registration: RegistrationRecord | None
    voxel_size: tuple[float, float, float]
    in_plane_ratio: int
    weights_sha256: str
    spacing_mm: tuple[float, float, float] | None = None

    @property
    def resolution(self) -> str:
        """Size of its voxels in words, ``3 x 3 x 5 mm``; empty where it was not recorded."""
        return "" if self.spacing_mm is None else " x ".join(f"{mm:.3g}" for mm in self.spacing_mm) + " mm"


class UncertaintyRecord(_Record, frozen=True, kw_only=True):
    """The uncertainty map that was made beside the result.

    Attributes:
        lesion_mask: Whose regions were measured, None without.
        output: The map.
        report: What a value means, its coverage, members and regions.
    """

    lesion_mask: FileRecord | None
    output: OutputRecord
    report: UncertaintyReport


class LevelRecord(_Record, frozen=True, kw_only=True):
    """How the result's brightness was changed after the network.

    Attributes:
        source: Contrast that, with the result as a whole, told the level.
        median: Of the result in the brain before, 1 is the target's 99.5th percentile.
        level: What it became.
    """

    source: Contrast
    median: float
    level: float

    @property
    def sentence(self) -> str:
        """For a reader."""
        change = f"median of the brain brought from {self.median:.2f} to {self.level:.2f}"
        return f"{change}, as the {self.source} and the whole result tell"


class Provenance(_Record, frozen=True, kw_only=True):
    """Everything that made a result.

    Attributes:
        schema_version: Format of this record.
        notice: What everyone who opens the file must know.
        program: Name and version of this program.
        created: UTC, ISO 8601.
        target: Synthetic contrast.
        model: Weights.
        sources: In the order given; the first one's grid is the result's.
        brain_mask: Where the brain is taken to be.
        parameters: The user's choices.
        device: Where the network ran at last, with the device's name.
        libraries: Versions.
        platform: Operating system, processor and Python.
        seed: Of all chance in the run; the translation itself has none.
        seconds: Time per stage.
        warnings: What the user was warned of.
        fallbacks: What could not be done as asked (memory), in words.
        output: The result.
        attention: The attention map, None where none was asked for.
        low_resolution: The acquired low-resolution target, None where none was given.
        uncertainty: The uncertainty map, None where none was asked for.
        checks: What the checks against the sources found, None where they were not asked for.
        level: How the result's brightness was changed, None where it was left as the network made it.
    """

    schema_version: Literal[1]
    notice: str
    program: str
    created: str
    target: Contrast
    model: ModelRecord
    sources: tuple[SourceRecord, ...]
    brain_mask: BrainMaskRecord
    parameters: Parameters
    device: str
    libraries: dict[str, str]
    platform: str
    seed: int
    seconds: dict[str, float]
    warnings: tuple[str, ...]
    fallbacks: tuple[str, ...]
    output: OutputRecord
    attention: AttentionRecord | None = None
    low_resolution: LowResolutionRecord | None = None
    uncertainty: UncertaintyRecord | None = None
    checks: ChecksRecord | None = None
    level: LevelRecord | None = None


def label(target: Contrast) -> str:
    """What a file of a result says of itself in its header."""
    return f"SYNTHETIC {target}; research use only, not for diagnosis"


def sidecar_path(output: Path) -> Path:
    """``out.nii.gz`` -> ``out.json``, beside it."""
    return output.with_name(output.name[: len(output.name) - len(full_extension(output))] + ".json")


def encode(provenance: Provenance) -> str:
    """The sidecar's text."""
    return json_text(provenance)


def read_sidecar(path: Path) -> Provenance:
    """Read a sidecar.

    Raises:
        InputError: If it is missing, no sidecar, or of another schema version.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Provenance)
    except OSError as error:
        raise InputError(f"cannot read {shown(path)}: {reason(error)}; give the .json file beside a result") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        remedy = "give the .json file beside a result"
        raise InputError(f"{shown(path)} is no sidecar of this version ({error}); {remedy}") from None


def content_sha256(array: NDArray[Any], affine: NDArray[np.float64]) -> str:
    """SHA-256 of voxels, dtype, shape and grid: equal for equal images in whatever file format."""
    digest = hashlib.sha256(f"{array.dtype.newbyteorder('<').str} {array.shape}".encode())
    digest.update((np.round(affine, 4) + 0.0).astype("<f8").tobytes())  # + 0.0: minus zero is zero
    digest.update(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).tobytes())
    return digest.hexdigest()


def program_version() -> str:
    """Name and version of this program."""
    return f"MRTranslate {MRTranslateLib.__version__}"


def library_versions() -> dict[str, str]:
    """Versions of the libraries that touch the numbers."""
    return {name: metadata.version(name) for name in _LIBRARIES}


def platform_description() -> str:
    """Operating system, processor architecture, Python."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} processors"
