"""Pictures of single cells: what went in, what came out, what changed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.figure import Panel, axial_strip
from MRTranslateLib.robustness.adversarial import FoundSlice
from MRTranslateLib.robustness.case import Case

CHANGE_RANGE = 0.25
"""Change at the top of the colour scale, in units of the 99.5th percentile of the brain."""


def cell_strip(
    case: Case,
    spoilt: tuple[Contrast, ...],
    sources: Mapping[Contrast, NDArray[np.float32]],
    result: NDArray[np.float32],
    clean: NDArray[np.float32],
) -> Image.Image:
    """Source, synthetic image and its change, in the slice that the case shows; all arrays ``(S, H, W)``.

    Args:
        case: What was run.
        spoilt: Perturbed sources, of which the first is shown; none for the unperturbed cell.
        sources: As the generator saw them; a lost one is missing.
        result: Translated slices.
        clean: The same for the clean sources.
    """
    at = case.shown_slice
    shown = spoilt[0] if spoilt else next(iter(case.sources))
    plane = sources[shown][case.prepared.indices[at]] if shown in sources else np.zeros_like(result[at])
    state = "" if not spoilt else ", perturbed" if shown in sources else ", missing"
    panels = [Panel(f"{shown}{state}", _upright(plane)), Panel(f"SYNTHETIC {case.target}", _upright(result[at]))]
    if spoilt:
        panels.append(_change(f"Change, 0 to {CHANGE_RANGE:g}", result[at] - clean[at], CHANGE_RANGE))
    elif case.reference is not None:
        panels.append(Panel(f"Real {case.target}", _upright(case.reference[at])))
        panels.append(_change(f"Error, 0 to {CHANGE_RANGE:g}", result[at] - case.reference[at], CHANGE_RANGE))
    return axial_strip(panels, _pixel_mm(case))


def adversarial_strip(case: Case, found: FoundSlice, max_change: float) -> Image.Image:
    """What the search added to the first source, magnified, and what came of it."""
    source = next(iter(case.sources))
    panels = (
        Panel(f"{source}, perturbed", _upright(found.perturbed)),
        _change(f"Added, 0 to {max_change:.3f}", found.perturbed - found.source, max_change),
        Panel(f"SYNTHETIC {case.target}", _upright(found.worst)),
        _change(f"Change, 0 to {CHANGE_RANGE:g}", found.worst - found.clean, CHANGE_RANGE),
    )
    return axial_strip(panels, _pixel_mm(case))


def _upright(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(H, W)`` as the ``(R, A, 1)`` of the figure."""
    return plane.T[:, :, None]


def _change(title: str, difference: NDArray[np.float32], top: float) -> Panel:
    return Panel(title, np.abs(_upright(difference)), is_error=True, error_range=top)


def _pixel_mm(case: Case) -> tuple[float, float]:
    _, height_mm, width_mm = case.voxel_size_mm
    return width_mm, height_mm
