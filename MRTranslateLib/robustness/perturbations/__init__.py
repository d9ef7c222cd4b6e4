"""A bank of physical MR perturbations, seeded, in units, on any device."""

from MRTranslateLib.robustness.perturbations.bank import NUM_LEVELS, PERTURBATIONS, Perturbation, perturb
from MRTranslateLib.robustness.perturbations.dropped_source import still_available

__all__ = ["NUM_LEVELS", "PERTURBATIONS", "Perturbation", "perturb", "still_available"]
