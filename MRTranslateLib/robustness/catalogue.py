"""What a robustness run can try, in words: for panels and help texts, which must do without torch and msgspec.

Standard library only: Slicer shows this before the packages are installed. A test holds it against the bank
(:mod:`MRTranslateLib.robustness.perturbations.bank`), which computes.
"""

from __future__ import annotations

from typing import NamedTuple

LEVELS = (1, 2, 3, 4, 5)
DEFAULT_PERTURBATIONS = ("rician_noise", "motion", "ghosting", "bias_field", "blur", "anisotropic_resolution")
"""What happens in every clinic, one of each kind: noise, the patient, the flow, the coil, the resolution twice."""
BETWEEN_SOURCES = ("misalignment", "elastic_misalignment", "dropped_source")
"""Kinds that spare one source: the first one defines where the anatomy lies, and something must be left."""


class Described(NamedTuple):
    """One kind of perturbation.

    Attributes:
        name: Key of the bank.
        title: In words.
        meaning: What spoils such a scan, and what the numbers of a level mean.
        levels: Physical parameters of the levels 1..5, in words.
    """

    name: str
    title: str
    meaning: str
    levels: tuple[str, ...]


def _of(name: str, title: str, meaning: str, levels: str) -> Described:
    """``levels`` are parted by semicolons."""
    return Described(name, title, meaning, tuple(level.strip() for level in levels.split(";")))


CATALOGUE = (
    _of(
        "gaussian_noise",
        "Gaussian noise",
        "Noise of the receiver; standard deviation, 1 is the brain's 99.5th percentile.",
        "sigma 0.01; sigma 0.02; sigma 0.04; sigma 0.07; sigma 0.1",
    ),
    _of(
        "rician_noise",
        "Rician noise",
        "Noise as magnitude images have it; standard deviation per channel, 1 is the brain's 99.5th percentile.",
        "sigma 0.01; sigma 0.02; sigma 0.04; sigma 0.07; sigma 0.1",
    ),
    _of(
        "motion",
        "Motion",
        "The patient moved during the scan; largest rotation, largest shift, how many times.",
        "0.5°, 0.5 mm, 1x; 1°, 1 mm, 2x; 2°, 2 mm, 3x; 3°, 3 mm, 4x; 5°, 5 mm, 6x",
    ),
    _of(
        "ghosting",
        "Ghosting",
        "Flow or breathing repeats the image along the phase-encoding direction; number and strength of the copies.",
        "2 copies, intensity 0.1; 3 copies, intensity 0.2; 4 copies, intensity 0.35; 6 copies, intensity 0.5; "
        "8 copies, intensity 0.8",
    ),
    _of(
        "spike",
        "k-space spike",
        "A spark in the receiver draws stripes; strength relative to the largest value of k-space.",
        "0.1 of max |k|; 0.2 of max |k|; 0.4 of max |k|; 0.7 of max |k|; 1 of max |k|",
    ),
    _of(
        "bias_field",
        "Bias field",
        "The coil sees parts of the head brighter; range of the smooth field's polynomial coefficients.",
        "coefficients ±0.1; coefficients ±0.2; coefficients ±0.3; coefficients ±0.45; coefficients ±0.6",
    ),
    _of(
        "gamma_below_one",
        "Gamma below 1",
        "Dark tissue becomes brighter, as other sequence timing does; intensity to this power.",
        "exponent 0.9; exponent 0.8; exponent 0.7; exponent 0.6; exponent 0.5",
    ),
    _of(
        "gamma_above_one",
        "Gamma above 1",
        "Dark tissue becomes darker, as other sequence timing does; intensity to this power.",
        "exponent 1.1; exponent 1.25; exponent 1.45; exponent 1.7; exponent 2",
    ),
    _of(
        "blur",
        "Blur",
        "A soft image; standard deviation of the Gaussian point spread.",
        "sigma 0.5 mm; sigma 0.8 mm; sigma 1.2 mm; sigma 1.6 mm; sigma 2 mm",
    ),
    _of(
        "anisotropic_resolution",
        "Anisotropic resolution",
        "Voxels wider along one axis of the slice.",
        "voxels 1.5x as wide; voxels 2x as wide; voxels 2.5x as wide; voxels 3x as wide; voxels 4x as wide",
    ),
    _of(
        "thick_slices",
        "Thick slices",
        "Slices thicker than they are.",
        "slices 1.5x as thick; slices 2x as thick; slices 2.5x as thick; slices 3x as thick; slices 4x as thick",
    ),
    _of(
        "gibbs",
        "Gibbs ringing",
        "Too little of k-space was measured: edges ring; where it is cut.",
        "cut at 99 % of the edge; cut at 78 % of the edge; cut at 57 % of the edge; cut at 42 % of the edge; "
        "cut at 28 % of the edge",
    ),
    _of(
        "misalignment",
        "Misaligned source",
        "Sources after the first lie wrongly; range of rotation, shift and scale.",
        "±1°, ±4.8 mm, ±2 %; ±2°, ±9.6 mm, ±4 %; ±3°, ±14.4 mm, ±6 %; ±4°, ±19.2 mm, ±8 %; ±5°, ±24 mm, ±10 %",
    ),
    _of(
        "elastic_misalignment",
        "Bent source",
        "Sources after the first are distorted; largest displacement.",
        "up to 1 mm; up to 2 mm; up to 4 mm; up to 6 mm; up to 8 mm",
    ),
    _of(
        "dropped_source",
        "Incomplete or dropped source",
        "Slices of one source are missing; what share.",
        "10 % missing; 25 % missing; 50 % missing; 75 % missing; 100 % missing",
    ),
)
"""Every kind of the bank, in its order."""
