"""Anatomical multi-contrast phantoms: synthetic scans with known truth, for tests and demonstrations."""

from MRTranslateLib.phantoms.grid import Grid, brain_grid
from MRTranslateLib.phantoms.misalignment import Misaligned, misalign
from MRTranslateLib.phantoms.phantom import Phantom, make_phantom
from MRTranslateLib.phantoms.signal import Tissue

__all__ = ["Grid", "Misaligned", "Phantom", "Tissue", "brain_grid", "make_phantom", "misalign"]
