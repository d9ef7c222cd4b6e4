"""What is asked of a translation, refused before anything is read where it makes no sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Literal, TypeAlias

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.inference.device import Execution, Precision, choose_execution
from MRTranslateLib.inference.low_resolution import ROLE as LOW_RESOLUTION
from MRTranslateLib.inference.outputs import Outputs
from MRTranslateLib.inference.sources import Image
from MRTranslateLib.preprocessing.guard import check_request
from MRTranslateLib.provenance import Parameters

Registration: TypeAlias = Literal["auto", "always", "never"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """As :func:`MRTranslateLib.inference.translate.translate` takes it.

    Attributes:
        sources: In order; the first one's grid is the result's.
        target: Contrast to make.
        outputs: Files to write.
        brain_mask: None to find the brain.
        lesion_mask: Regions to measure in.
        low_resolution: The target as it was acquired at low resolution.
        attention: Whether to make an attention map.
        uncertainty: Whether to make an uncertainty map.
        checks: Whether to check the result against its sources.
        model: Name or folder; None for the shipped one.
        registration: Which sources to register onto the first.
        bias_correction: Whether to run N4.
        device: Where the network runs, as asked for.
        precision: Of the network.
        threads: CPU threads; None for physical cores minus one.
        overwrite: Whether existing outputs may be replaced.
    """

    sources: Mapping[Contrast, Image]
    target: Contrast
    outputs: Outputs
    brain_mask: Image | None
    lesion_mask: Image | None
    low_resolution: Image | None
    attention: bool
    uncertainty: bool
    checks: bool
    model: str | PathLike[str] | None
    registration: Registration
    bias_correction: bool
    device: str
    precision: Precision
    threads: int | None
    overwrite: bool

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UsageError: If sources, target and masks do not go together, an output exists or would take the place of
                what the run reads, or the device is not there.
        """
        check_request(self.sources, self.target, self.registration)
        measures = self.attention or self.uncertainty or self.outputs.report is not None
        if self.lesion_mask is not None and not measures:
            raise UsageError("a lesion mask says in which regions to measure the attention map: ask for the map too")
        inputs: dict[str, Image | None] = {contrast.value: image for contrast, image in self.sources.items()}
        inputs |= {"brain mask": self.brain_mask, "lesion mask": self.lesion_mask, LOW_RESOLUTION: self.low_resolution}
        self.outputs.check(inputs, self.model, overwrite=self.overwrite)
        _ = self.execution

    @cached_property
    def execution(self) -> Execution:
        """What device, precision and threads mean on this machine; brings torch.

        Raises:
            UsageError: If the device is not there, or precision or threads are impossible.
        """
        return choose_execution(self.device, self.precision, self.threads)

    @property
    def parameters(self) -> Parameters:
        """What the user may choose, for provenance."""
        return Parameters(
            registration=self.registration,
            bias_correction=self.bias_correction,
            device=self.device,
            precision=self.precision,
            threads=self.execution.threads,
        )
