"""Brings everything that was read to where the network works, and says what is doubtful about it."""

from __future__ import annotations

from dataclasses import dataclass

from MRTranslateLib.inference.attention import LesionMask, lesion_on_output_grid
from MRTranslateLib.inference.low_resolution import LowResolution, prepare_low_resolution
from MRTranslateLib.inference.prepare import Prepared, prepare
from MRTranslateLib.inference.read import Inputs
from MRTranslateLib.inference.request import Request
from MRTranslateLib.inference.uncertainty import acquired_calibration
from MRTranslateLib.progress import Progress


@dataclass(frozen=True, eq=False)
class Laid:
    """What the network works on.

    Attributes:
        prepared: The sources.
        low: The acquired target; None without.
        lesion: The lesion mask on the first source's grid; None without.
    """

    prepared: Prepared
    low: LowResolution | None
    lesion: LesionMask | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful, a sentence each."""
        return tuple(
            warning for part in (self.prepared, self.low, self.lesion) if part is not None for warning in part.warnings
        )


def lay_out(request: Request, inputs: Inputs, progress: Progress) -> Laid:
    """Register, find the brain, sample, normalise.

    Raises:
        InputError: If an image is unsuitable or cannot be registered.
        ModelError: If the model has no calibration for such an acquired target.
        CancelledError: If the caller asks to stop.
    """
    prepared = prepare(
        inputs.images,
        inputs.brain_mask,
        preprocessing=inputs.bundle.card.preprocessing,
        registration=request.registration,
        bias_correction=request.bias_correction,
        progress=progress,
    )
    low = None
    if inputs.low_resolution is not None:
        low = prepare_low_resolution(
            inputs.low_resolution,
            inputs.first_image,
            prepared,
            component=inputs.bundle.card.require_super_resolution(),
            target=request.target,
            registration=request.registration,
            progress=progress,
        )
        if request.uncertainty:
            acquired_calibration(inputs.bundle.card, request.target, low, prepared)  # refused before the work
    drawn = inputs.lesion_mask
    lesion = None if drawn is None else lesion_on_output_grid(drawn, inputs.first, prepared)
    return Laid(prepared, low, lesion)
