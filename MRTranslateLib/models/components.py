"""Networks that a bundle may hold beside its generator, and what a card says about them."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

import msgspec

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.models.part import Part, Sentence, require_distinct

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


class Components(Part, frozen=True, kw_only=True):
    """The components of a bundle by name, None where it has none; weights lie in ``<name>.safetensors``."""

    local_discriminator: LocalDiscriminatorCard | None = None

    @property
    def present(self) -> tuple[str, ...]:
        """Names of those that the bundle has."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) is not None)


class AttentionQuality(Part, frozen=True, kw_only=True):
    """How well the attention map of one route points at the errors; areas under the ROC curve, 0..1, 0.5 is chance.

    To be found is, in each person's brain, the tenth of the voxels with the largest absolute errors; means over people.

    Attributes:
        sources: Given contrasts.
        target: Translated contrast; not among the sources.
        split: Whose scans.
        num_cases: People in ``attention`` and ``gradient``, at least 1.
        attention: Of the attention map.
        gradient: Of the naive control gradient magnitude of the sources.
        num_lesion_cases: People with a drawn lesion, in the next two.
        attention_lesion_cases: Of the attention map, over these people only; None where there are none.
        distance: Of the naive control nearness to the lesion mask; None where nobody has one.
    """

    sources: tuple[Contrast, ...]
    target: Contrast
    split: Sentence
    num_cases: Annotated[int, msgspec.Meta(ge=1)]
    attention: _Share
    gradient: _Share
    num_lesion_cases: Annotated[int, msgspec.Meta(ge=0)]
    attention_lesion_cases: _Share | None
    distance: _Share | None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_distinct("sources", self.sources)

    @property
    def beats_controls(self) -> bool:
        """Whether attention is better than every control that was measured, on the same people."""
        beats_distance = (
            self.distance is None or self.attention_lesion_cases is None or self.attention_lesion_cases > self.distance
        )
        return self.attention > self.gradient and beats_distance
