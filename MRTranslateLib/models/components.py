"""Networks that a bundle may hold beside its generator, and what a card says about them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.models.architecture import Architecture
from MRTranslateLib.models.part import Count, Part, Sentence
from MRTranslateLib.models.route import CardRoute
from MRTranslateLib.models.training_run import TrainingRun

MAX_COMPONENT_BYTES = 16 << 20
"""Of the weights of one component (DESIGN section 5)."""

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class AttentionCalibration(Part, frozen=True, kw_only=True):
    """What a value of the attention map means: a table from the raw difficulty to a measured quantity.

    Between the points of the table the value is interpolated, beyond them it is that of the nearest point.

    Attributes:
        raw: Raw difficulties ``(1 - M)^2``, 0..1, each above the one before, at least two.
        calibrated: The quantity at these, 0..1, never falling.
        statement: What the quantity is and on whom it was measured, one sentence.
    """

    raw: tuple[_Share, ...]
    calibrated: tuple[_Share, ...]
    statement: Sentence

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.raw) < 2 or len(self.raw) != len(self.calibrated):
            raise ValueError(
                f"raw and calibrated must hold equally many values, 2 or more, got {len(self.raw)} and "
                f"{len(self.calibrated)}"
            )
        if any(after <= before for before, after in pairwise(self.raw)):
            raise ValueError("raw must rise from value to value")
        if any(after < before for before, after in pairwise(self.calibrated)):
            raise ValueError("calibrated must not fall from value to value")


class LocalDiscriminatorCard(Part, frozen=True, kw_only=True):
    """The local discriminator of system B, which gives the attention map.

    Attributes:
        parameters: Fields of :class:`MRTranslateLib.networks.local_discriminator.LocalDiscriminatorParameters`.
        calibration: None leaves the map at its raw difficulty.
    """

    parameters: dict[str, Any]
    calibration: AttentionCalibration | None = None


class SuperResolutionCard(Part, frozen=True, kw_only=True):
    """The super-resolution branch of system C, which takes an acquired low-resolution target.

    Attributes:
        parameters: Fields of :class:`MRTranslateLib.networks.super_resolution.SuperResolutionParameters`.
        in_plane_ratios: How many times larger than the working grid's the pixels were that it was trained on.
        slice_thickness_mm: Thickness of the axial slices it was trained on.
        thick_slices_start: To what it was trained to add details where slices are thick: ``acquired``, to the slices
            themselves, interpolated; or ``synthetic``, to the synthetic volume made to agree with them.
        training_run: How to train it again; None where the card's own run has trained it too.
    """

    parameters: dict[str, Any]
    in_plane_ratios: tuple[Annotated[int, msgspec.Meta(ge=2)], ...]
    slice_thickness_mm: tuple[Annotated[float, msgspec.Meta(gt=0)], ...]
    thick_slices_start: Literal["acquired", "synthetic"]
    training_run: TrainingRun | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.in_plane_ratios and not self.slice_thickness_mm:
            raise ValueError("in_plane_ratios and slice_thickness_mm are both empty: the branch is good for nothing")

    @property
    def seen(self) -> str:
        """What it was trained for, in words: ``2 or 4 times larger pixels, axial slices of 3 or 5 mm``."""
        ratios = " or ".join(f"{ratio}" for ratio in self.in_plane_ratios)
        slices = " or ".join(f"{mm:g}" for mm in self.slice_thickness_mm)
        pixels = [f"{ratios} times larger pixels"] if ratios else []
        return ", ".join([*pixels, f"axial slices of {slices} mm"] if slices else pixels)


class SpecialistCard(Part, frozen=True, kw_only=True):
    """A second generator, which takes the first one's place on the routes where it is better.

    Attributes:
        architecture: The network its weights fit.
        routes: What it translates; every other route is the first generator's.
        training_run: How to train it again.
    """

    architecture: Architecture
    routes: tuple[CardRoute, ...]
    training_run: TrainingRun

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.routes:
            raise ValueError("routes is empty: the specialist is good for nothing")

    def translates(self, sources: Iterable[Contrast], target: Contrast) -> bool:
        """Whether the route is the specialist's."""
        given = set(sources)
        return any(set(route.sources) == given and route.target == target for route in self.routes)


class Components(Part, frozen=True, kw_only=True):
    """The components of a bundle by name, None where it has none; weights lie in ``<name>.safetensors``."""

    local_discriminator: LocalDiscriminatorCard | None = None
    super_resolution: SuperResolutionCard | None = None
    specialist: SpecialistCard | None = None

    @property
    def present(self) -> tuple[str, ...]:
        """Names of those that the bundle has."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) is not None)


class AttentionQuality(CardRoute, frozen=True, kw_only=True):
    """How well the attention map of one route points at the errors; areas under the ROC curve, 0..1, 0.5 is chance.

    To be found is, in each person's brain, the tenth of the voxels with the largest absolute errors; means over people.

    Attributes:
        split: Whose scans.
        num_cases: People in ``attention`` and ``gradient``, at least 1.
        attention: Of the attention map.
        gradient: Of the naive control gradient magnitude of the sources.
        num_lesion_cases: People with a drawn lesion, in the next two.
        attention_lesion_cases: Of the attention map, over these people only; None where there are none.
        distance: Of the naive control nearness to the lesion mask; None where nobody has one.
    """

    split: Sentence
    num_cases: Annotated[int, msgspec.Meta(ge=1)]
    attention: _Share
    gradient: _Share
    num_lesion_cases: Annotated[int, msgspec.Meta(ge=0)]
    attention_lesion_cases: _Share | None
    distance: _Share | None

    @property
    def beats_controls(self) -> bool:
        """Whether attention is better than every control that was measured, on the same people."""
        beats_distance = (
            self.distance is None or self.attention_lesion_cases is None or self.attention_lesion_cases > self.distance
        )
        return self.attention > self.gradient and beats_distance


def acquisition_in_words(in_plane_ratio: int, slice_thickness_mm: float | None) -> str:
    """How a low-resolution target was acquired: ``pixels x2``, ``slices of 5 mm``."""
    pixels = [f"pixels x{in_plane_ratio}"] if in_plane_ratio > 1 else []
    slices = [f"slices of {slice_thickness_mm:g} mm"] if slice_thickness_mm is not None else []
    return ", ".join([*pixels, *slices]) or "full resolution"


class SuperResolutionQuality(CardRoute, frozen=True, kw_only=True):
    """What an acquired low-resolution target gains on one route; PSNR in dB, means over the same people.

    Either the pixels or the slices were acquired coarse. ``synthesis`` is the translation without the acquired target,
    ``interpolation`` is that target by itself, cubic B-splines; both are the controls.

    Attributes:
        split: Whose scans.
        in_plane_ratio: How many times larger than the source's the acquired pixels were; 1 is as large.
        slice_thickness_mm: Of the acquired slices; None where they were as thin as the source's.
        num_cases: People in the brain's means, at least 1.
        num_lesion_cases: People with a drawn lesion, in the lesions' means; None where they were not counted.
        brain_psnr: Super-resolved, in the brain.
        brain_ssim: 3D Gaussian SSIM averaged in the brain.
        lesion_psnr: In the drawn lesions; None where nobody has one, as the controls' then.
        synthesis_brain_psnr: Of the control.
        synthesis_brain_ssim: Of the control.
        synthesis_lesion_psnr: Of the control.
        interpolation_brain_psnr: Of the control.
        interpolation_brain_ssim: Of the control.
        interpolation_lesion_psnr: Of the control.
    """

    split: Sentence
    in_plane_ratio: Annotated[int, msgspec.Meta(ge=1)]
    slice_thickness_mm: Annotated[float, msgspec.Meta(gt=0)] | None
    num_cases: Annotated[int, msgspec.Meta(ge=1)]
    num_lesion_cases: Count | None = None
    brain_psnr: float
    brain_ssim: float
    lesion_psnr: float | None
    synthesis_brain_psnr: float
    synthesis_brain_ssim: float
    synthesis_lesion_psnr: float | None
    interpolation_brain_psnr: float
    interpolation_brain_ssim: float
    interpolation_lesion_psnr: float | None

    def __post_init__(self) -> None:
        super().__post_init__()
        lesions = (self.lesion_psnr, self.synthesis_lesion_psnr, self.interpolation_lesion_psnr)
        if len({value is None for value in lesions}) != 1:
            raise ValueError("lesion_psnr must be given of the result and of both controls, or of none")

    @property
    def setting(self) -> str:
        """How the target was acquired, in words: ``slices of 5 mm``."""
        return acquisition_in_words(self.in_plane_ratio, self.slice_thickness_mm)

    @property
    def beats_interpolation(self) -> bool:
        """Whether it is better than interpolating the acquired target, in the brain and in lesions where measured."""
        in_brain = self.brain_psnr > self.interpolation_brain_psnr
        if self.lesion_psnr is None or self.interpolation_lesion_psnr is None:
            return in_brain
        return in_brain and self.lesion_psnr > self.interpolation_lesion_psnr
