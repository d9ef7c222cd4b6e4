"""How close a synthetic volume is to a reference: one documented definition of each number."""

from MRTranslateLib.metrics.flicker import slice_flicker
from MRTranslateLib.metrics.intensity import (
    normalized_mean_absolute_error,
    normalized_root_mean_square_error,
    peak_signal_noise_ratio,
    signed_bias,
)
from MRTranslateLib.metrics.similarity import structural_similarity, structural_similarity_map

__all__ = [
    "normalized_mean_absolute_error",
    "normalized_root_mean_square_error",
    "peak_signal_noise_ratio",
    "signed_bias",
    "slice_flicker",
    "structural_similarity",
    "structural_similarity_map",
]
