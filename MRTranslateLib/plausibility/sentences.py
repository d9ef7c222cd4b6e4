"""Findings in words."""

from __future__ import annotations

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.plausibility.report import Kind, Sign

LOBES = {
    ("anterior", "superior"): "frontal",
    ("anterior", "inferior"): "frontal or temporal",
    ("posterior", "superior"): "parietal",
    ("posterior", "inferior"): "occipital, temporal or cerebellar",
}
"""What mostly lies in an octant; no atlas is consulted."""
FAINT_LESIONS = {Contrast.T1W, Contrast.T1W_GD}
"""Contrasts in which many a lesion that is bright in T2w and FLAIR is hard to see."""
PLAIN = {"anterior": "front", "posterior": "back", "superior": "upper", "inferior": "lower"}


def place_in_words(octant: str) -> str:
    """``left anterior superior`` -> ``left frontal (upper front left)``.

    Args:
        octant: Named as by :mod:`MRTranslateLib.attention.regions`.
    """
    side, depth, height = octant.split()
    return f"{side} {LOBES[depth, height]} ({PLAIN[height]} {PLAIN[depth]} {side})"


def sentence(
    kind: Kind, sign: Sign, volume_ml: float, octant: str, *, target: Contrast, contrast: Contrast | None
) -> str:
    """What was found, where, how large, and what to do."""
    size, place = f"{volume_ml:.1f} ml", place_in_words(octant)
    if kind == "hallucination":
        return (
            f"A {sign} structure of {size} in the synthetic {target}, {place}, has no counterpart in any source: "
            "do not take it for a lesion, look at the sources there."
        )
    doubt = f", although an acquired {target} need not show it either" if target in FAINT_LESIONS else ""
    return (
        f"A {sign} structure of {size} that {contrast} shows, {place}, is not to be seen in the synthetic {target}"
        f"{doubt}: look at {contrast} there and do not rely on the synthetic image."
    )
