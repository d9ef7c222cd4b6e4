"""The model card: the typed contract of a bundle (DESIGN section 5), stored as ``model.json``.

Every field but the optional last ones must be there and nothing else may be: a card that could be read says all of it.
Reading is strict, so a misspelt key is an error with its path and not a silent default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.files import json_text
from MRTranslateLib.models.architecture import Architecture
from MRTranslateLib.models.components import (
    AttentionQuality,
    Components,
    LocalDiscriminatorCard,
    SuperResolutionCard,
    SuperResolutionQuality,
)
from MRTranslateLib.models.limits import RobustnessLimit
from MRTranslateLib.models.part import Count, Part, Sentence, require_distinct
from MRTranslateLib.models.route import CardRoute
from MRTranslateLib.models.training_run import TrainingRun
from MRTranslateLib.models.uncertainty import LowResolutionUncertainty, UncertaintyCalibration, UncertaintyQuality

SCHEMA_VERSION = 1
"""Version of the card's own format; raised whenever an old card could no longer be read: when a field without default
is added, or one is removed or changes its meaning."""
NAME_PATTERN = r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?\Z"
"""Names of models are names of folders on every system: short, lower case, never hidden, no separators."""
FILE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z"
SHA256_PATTERN = r"^[0-9a-f]{64}\Z"

ModelName = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}\Z")]
System = Literal["supervised", "A", "B", "C"]


class RouteQuality(CardRoute, frozen=True, kw_only=True):
    """How well one route was measured to work; PSNR in dB, means over the cases of a split.

    Attributes:
        split: Whose scans, for example ``val``; never people seen in training unless it says ``train``.
        num_cases: Number of scans in the means, at least 1.
        brain_psnr: In the brain mask.
        brain_ssim: 3D Gaussian SSIM averaged in the brain mask.
        num_lesion_cases: Scans with a drawn lesion, in the lesion means; None where they were not counted.
        lesion_psnr: In the lesion mask; None when no case of the split has one.
        baseline_brain_psnr: The same of the per-voxel regression; None where not measured.
        baseline_lesion_psnr: The same in the lesion mask; None where not measured.
    """

    split: Sentence
    num_cases: Annotated[int, msgspec.Meta(ge=1)]
    brain_psnr: float
    brain_ssim: float
    num_lesion_cases: Count | None = None
    lesion_psnr: float | None
    baseline_brain_psnr: float | None
    baseline_lesion_psnr: float | None


class Predecessor(Part, frozen=True, kw_only=True):
    """The model that this one replaced, for comparison.

    Attributes:
        name: Its name.
        version: Its version.
        quality: Its rows, measured on the same people in the same way.
    """

    name: str
    version: str
    quality: tuple[RouteQuality, ...]


class Preprocessing(Part, frozen=True, kw_only=True):
    """What the network expects to be done to a volume before it sees it, and what it has seen.

    Attributes:
        percentile: Percentile of the brain's intensities that becomes 1.
        in_plane_spacing_mm: Smallest and largest in-plane voxel size seen in training.
        slice_spacing_mm: Smallest and largest distance of slices seen in training.
        neighbour_spacing_mm: Distance of the neighbouring slices that a 2.5D network is given.
    """

    percentile: Annotated[float, msgspec.Meta(gt=0, le=100)]
    in_plane_spacing_mm: tuple[float, float]
    slice_spacing_mm: tuple[float, float]
    neighbour_spacing_mm: Annotated[float, msgspec.Meta(gt=0)]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("in_plane_spacing_mm", "slice_spacing_mm"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be smallest and largest, both above 0, got {low:g} and {high:g}")


class ValueRanges(Part, frozen=True, kw_only=True):
    """Intensities: what goes into the network, what comes out, what is written.

    Attributes:
        network_input: Lowest and highest value, normalised.
        network_output: Lowest and highest value, normalised.
        written_unit: Value in a written file of the target brain's 99.5th percentile (1 inside).
    """

    network_input: tuple[float, float]
    network_output: tuple[float, float]
    written_unit: Annotated[float, msgspec.Meta(gt=0)]


class TrainingData(Part, frozen=True, kw_only=True):
    """One collection the weights were trained on, with the credit its licence asks for."""

    name: Sentence
    licence: Sentence
    attribution: Sentence
    num_people: Annotated[int, msgspec.Meta(ge=1)]


class FileRecord(Part, frozen=True, kw_only=True):
    """What a file of the bundle must be: its SHA-256 in hexadecimal and its size."""

    sha256: Annotated[str, msgspec.Meta(pattern=SHA256_PATTERN)]
    bytes: Count


class ModelCard(Part, frozen=True, kw_only=True):
    """What a bundle is, offers, was made from and must not be used for.

    Attributes:
        schema_version: Format of this card, ``SCHEMA_VERSION``.
        name: Name of the model and of its folder.
        version: ``major.minor.patch`` of the weights.
        title: One line for lists.
        systems_trained: Training stages the weights went through.
        architecture: The network the weights fit.
        sources: Contrasts it takes, any non-empty subset of them.
        targets: Contrasts it makes, whenever they are not among the sources given.
        quality: Measured routes; an offered route without a row was not measured.
        intended_use: What it is for.
        not_for: What it must not be used for.
        limits: Known weaknesses, a sentence each.
        preprocessing: What the network expects and has seen.
        value_ranges: Intensities in, out and written.
        training_data: Collections with licences.
        training_run: How to train it again.
        metrics_protocol: How ``quality`` was measured, in words.
        metrics_command: The command that measures it again.
        files: Every file of the bundle but ``model.json``; empty only until the bundle is written.
        components: Networks beside the generator; cards without this key have none.
        predecessor: The model that this one replaced; None for the first.
        attention_quality: How well the attention map points at errors, per measured route.
        attention_protocol: How ``attention_quality`` was measured, in words.
        attention_command: The command that measures it again.
        super_resolution_quality: What an acquired low-resolution target gains, per measured route and acquisition.
        super_resolution_protocol: How ``super_resolution_quality`` was measured, in words.
        super_resolution_command: The command that measures it again.
        robustness_limits: How far a perturbation may change a result, derived from validation data; empty where none
            was derived.
        uncertainty_calibrations: How wide the 90 % interval of the uncertainty map is, at most one table per target.
        uncertainty_quality: What the uncertainty map is worth, per measured route.
        uncertainty_protocol: How both were measured, in words.
        uncertainty_command: The command that measures them again.
        low_resolution_uncertainty: The same with an acquired low-resolution target, at most one table per target and
            acquisition; measured by the same command. Cards without this key make no such map.
    """

    schema_version: int
    name: ModelName
    version: Version
    title: Sentence
    systems_trained: tuple[System, ...]
    architecture: Architecture
    sources: tuple[Contrast, ...]
    targets: tuple[Contrast, ...]
    quality: tuple[RouteQuality, ...]
    intended_use: Sentence
    not_for: Sentence
    limits: tuple[Sentence, ...]
    preprocessing: Preprocessing
    value_ranges: ValueRanges
    training_data: tuple[TrainingData, ...]
    training_run: TrainingRun
    metrics_protocol: str
    metrics_command: str
    files: dict[str, FileRecord]
    components: Components = Components()
    predecessor: Predecessor | None = None
    attention_quality: tuple[AttentionQuality, ...] = ()
    attention_protocol: str = ""
    attention_command: str = ""
    super_resolution_quality: tuple[SuperResolutionQuality, ...] = ()
    super_resolution_protocol: str = ""
    super_resolution_command: str = ""
    robustness_limits: tuple[RobustnessLimit, ...] = ()
    uncertainty_calibrations: tuple[UncertaintyCalibration, ...] = ()
    uncertainty_quality: tuple[UncertaintyQuality, ...] = ()
    uncertainty_protocol: str = ""
    uncertainty_command: str = ""
    low_resolution_uncertainty: tuple[LowResolutionUncertainty, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("systems_trained", "sources", "targets"):
            require_distinct(name, getattr(self, name))
        for name, rows in (
            ("quality", self.quality),
            ("attention_quality", self.attention_quality),
            ("super_resolution_quality", self.super_resolution_quality),
            ("uncertainty_quality", self.uncertainty_quality),
            ("specialist", () if self.components.specialist is None else self.components.specialist.routes),
            (
                "low_resolution_uncertainty",
                tuple(row for each in self.low_resolution_uncertainty for row in each.quality),
            ),
        ):
            for row in rows:
                if not self.offers(row.sources, row.target):
                    raise ValueError(f"{name} names {'+'.join(row.sources)}>{row.target}, which is not offered")
        if self.attention_quality and self.components.local_discriminator is None:
            raise ValueError("attention_quality is given, but components name no local_discriminator")
        if self.super_resolution_quality and self.components.super_resolution is None:
            raise ValueError("super_resolution_quality is given, but components name no super_resolution")
        calibrated = tuple(table.target for table in self.uncertainty_calibrations)
        if len(set(calibrated)) < len(calibrated) or not set(calibrated) <= set(self.targets):
            raise ValueError(f"uncertainty_calibrations must name targets, each once, got {', '.join(calibrated)}")
        acquired = tuple((row.target, row.setting) for row in self.low_resolution_uncertainty)
        if len(set(acquired)) < len(acquired) or not {target for target, _ in acquired} <= set(self.targets):
            named = ", ".join(f"{target} ({setting})" for target, setting in acquired)
            raise ValueError(f"low_resolution_uncertainty must name targets, each once per acquisition, got {named}")
        if acquired and self.components.super_resolution is None:
            raise ValueError("low_resolution_uncertainty is given, but components name no super_resolution")
        for name in self.files:
            if not re.match(FILE_NAME_PATTERN, name) or name.lower() == "model.json":
                raise ValueError(f"files names {name!r}, which is not the plain name of a file in the bundle")

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """The version as numbers, in the order of their age."""
        return tuple(int(part) for part in self.version.split("."))

    def offers(self, sources: Iterable[Contrast], target: Contrast) -> bool:
        """Whether the model translates these sources to this target."""
        given = set(sources)
        return bool(given) and given <= set(self.sources) and target in self.targets and target not in given

    def require_route(self, sources: Iterable[Contrast], target: Contrast) -> None:
        """Do nothing if the model :meth:`offers` the route.

        Raises:
            ModelError: If it does not; the sentence says what it offers.
        """
        given = tuple(sources)
        if not self.offers(given, target):
            raise ModelError(
                f"model {self.name} does not offer {'+'.join(given)}>{target}: it takes any of "
                f"{', '.join(self.sources)} and makes {', '.join(self.targets)} where that is not given"
            )

    def uncertainty_calibration(self, target: Contrast) -> UncertaintyCalibration | None:
        """How wide the 90 % interval of a target is; None where it was not measured."""
        return next((table for table in self.uncertainty_calibrations if table.target == target), None)

    def require_low_resolution_uncertainty(self, target: Contrast) -> tuple[LowResolutionUncertainty, ...]:
        """How wide the interval is where the target was also acquired at low resolution, per acquisition.

        Raises:
            ModelError: If that was not measured.
        """
        rows = tuple(row for row in self.low_resolution_uncertainty if row.target == target)
        if not rows:
            raise ModelError(
                f"model {self.name} has no calibration of the uncertainty of {target} from a low-resolution target: "
                "leave out the uncertainty map or the low-resolution target"
            )
        return rows

    def require_attention(self) -> LocalDiscriminatorCard:
        """The local discriminator, which makes the attention map.

        Raises:
            ModelError: If it has none.
        """
        if self.components.local_discriminator is None:
            raise ModelError(
                f"model {self.name} comes without a local discriminator, so it makes no attention map: leave the map "
                "out, or choose a model whose card (mrtranslate models show) names one"
            )
        return self.components.local_discriminator

    def require_super_resolution(self) -> SuperResolutionCard:
        """The super-resolution branch, which takes an acquired low-resolution target.

        Raises:
            ModelError: If it has none.
        """
        if self.components.super_resolution is None:
            raise ModelError(
                f"model {self.name} comes without a super-resolution branch, so it cannot use a low-resolution target: "
                "leave the target out, or choose a model whose card (mrtranslate models show) names one"
            )
        return self.components.super_resolution


def encode_card(card: ModelCard) -> bytes:
    """The card as indented JSON in UTF-8, ending with a newline; :func:`decode_card` undoes it."""
    return json_text(card).encode()


def decode_card(data: bytes, *, where: str) -> ModelCard:
    """Read and check the bytes of a ``model.json``.

    Args:
        data: JSON in UTF-8.
        where: The file's name for messages.

    Raises:
        ModelError: If it is no JSON, has another schema version, or a key is missing, unknown, of the wrong type or
            of an impossible value; the message gives the path of the key.
    """
    try:
        version = msgspec.json.decode(data, type=_Versioned).schema_version
        if version == SCHEMA_VERSION:
            return msgspec.json.decode(data, type=ModelCard)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise ModelError(f"{where} is not a valid model card ({why}): install the model again") from error
    raise ModelError(
        f"{where} has schema version {version}, this MRTranslate reads version {SCHEMA_VERSION}: "
        f"{'update MRTranslate' if version > SCHEMA_VERSION else 'install a newer version of the model'}"
    )


class _Versioned(msgspec.Struct):
    """The one field that every version of the card has."""

    schema_version: int
