"""What a card says about the uncertainty map: the calibration per target, and what it is worth per route."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import msgspec

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.models.components import acquisition_in_words
from MRTranslateLib.models.part import Part, Sentence
from MRTranslateLib.models.route import CardRoute

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class UncertaintyCalibration(Part, frozen=True, kw_only=True):
    """How wide the 90 % interval of one target is: a table from the spread of its translations.

    Between the points of the table the value is interpolated, beyond them it is that of the nearest point: below the
    first lies the floor, the error that no perturbation shows.

    Attributes:
        target: Translated contrast.
        raw: Signals of :func:`MRTranslateLib.uncertainty.signal.error_signal`, each above the one before, at least two.
        half_width: Half the interval's width at these, in units of the target brain's 99.5th percentile, 0..1, never
            falling.
        coverage: Share of the errors inside the interval on people left out of the fit, mean over them; None where
            there were no others to fit on.
        lowest_coverage: Of the person on whom it was worst; None as above.
        statement: What the interval is and on whom it was fitted, one sentence.
    """

    target: Contrast
    raw: tuple[Annotated[float, msgspec.Meta(ge=0)], ...]
    half_width: tuple[Share, ...]
    coverage: Share | None
    lowest_coverage: Share | None
    statement: Sentence

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.raw) < 2 or len(self.raw) != len(self.half_width):
            raise ValueError(
                f"raw and half_width must hold equally many values, 2 or more, got {len(self.raw)} and "
                f"{len(self.half_width)}"
            )
        if any(after <= before for before, after in pairwise(self.raw)):
            raise ValueError("raw must rise from value to value")
        if any(after < before for before, after in pairwise(self.half_width)):
            raise ValueError("half_width must not fall from value to value")
        if (self.coverage is None) != (self.lowest_coverage is None):
            raise ValueError("coverage and lowest_coverage are measured together: give both or none")


class UncertaintyQuality(CardRoute, frozen=True, kw_only=True):
    """What the uncertainty map of one route is worth; means over people.

    Areas under the ROC curve, 0..1 and 0.5 is chance, say how well a map points at the tenth of the voxels of a brain
    with the largest absolute errors.

    Attributes:
        split: Whose scans.
        num_cases: People, at least 1.
        coverage: Share of the errors inside the 90 % interval, each person judged by a table fitted on the others;
            None where there were no others.
        lowest_coverage: Of the person on whom it was worst; None as above.
        mean_half_width: Of the interval, in units of the target brain's 99.5th percentile.
        uncertainty: Area of the uncertainty map.
        gradient: Area of the naive control gradient magnitude of the sources.
        num_lesion_cases: People with a drawn lesion, in the next two.
        uncertainty_lesion_cases: Area of the uncertainty map, over these people only; None where there are none.
        distance: Area of the naive control nearness to the lesion mask; None where nobody has one.
    """

    split: Sentence
    num_cases: Annotated[int, msgspec.Meta(ge=1)]
    coverage: Share | None
    lowest_coverage: Share | None
    mean_half_width: Share
    uncertainty: Share
    gradient: Share
    num_lesion_cases: Annotated[int, msgspec.Meta(ge=0)]
    uncertainty_lesion_cases: Share | None
    distance: Share | None

    @property
    def beats_controls(self) -> bool:
        """Whether the map is better than every control that was measured, on the same people."""
        near, own = self.distance, self.uncertainty_lesion_cases
        return self.uncertainty > self.gradient and (near is None or own is None or own > near)


class LowResolutionUncertainty(Part, frozen=True, kw_only=True):
    """How wide the 90 % interval of one target is when it was also acquired at low resolution, and what that is worth.

    Attributes:
        in_plane_ratio: How many times larger than the source's the acquired pixels were; 1 is as large.
        slice_thickness_mm: Of the acquired slices; None where they were as thin as the source's.
        calibration: The table.
        quality: What the map is worth, per measured route to the same target.
    """

    in_plane_ratio: Annotated[int, msgspec.Meta(ge=1)]
    slice_thickness_mm: Annotated[float, msgspec.Meta(gt=0)] | None
    calibration: UncertaintyCalibration
    quality: tuple[UncertaintyQuality, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(row.target != self.target for row in self.quality):
            raise ValueError(f"quality must be of routes to {self.target}, which the calibration is for")

    @property
    def target(self) -> Contrast:
        """Translated contrast."""
        return self.calibration.target

    @property
    def setting(self) -> str:
        """How the target was acquired, in words: ``slices of 5 mm``."""
        return acquisition_in_words(self.in_plane_ratio, self.slice_thickness_mm)
