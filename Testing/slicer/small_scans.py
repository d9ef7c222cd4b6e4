"""Small scans with a dark border, quick to translate."""

from __future__ import annotations

from typing import Any

import numpy as np

SHAPE = (12, 14, 16)


def volume(name: str, value: int = 100, shape: tuple[int, int, int] = SHAPE) -> Any:
    """A scalar volume node of the scene with voxels of 1 x 1 x 3 mm, ``value`` and more inside its border."""
    import slicer

    array = np.zeros(shape, np.int16)
    inside = array[2:-2, 2:-2, 2:-2]
    inside[:] = value + np.arange(1, 1 + inside.size).reshape(inside.shape) % 90
    node = slicer.util.addVolumeFromArray(array, name=name)
    node.SetSpacing(1.0, 1.0, 3.0)
    return node
