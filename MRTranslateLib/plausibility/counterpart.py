"""Whether a structure of one image has a counterpart in others: do they follow it in and around its region?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def explained_share(
    image: Image, others: Sequence[Image], region: NDArray[np.bool_], around: NDArray[np.bool_]
) -> float:
    """Share of an image's variance across a border that other images explain, 0..1.

    Args:
        image: Has a structure in ``region``.
        others: At least one; each may follow it linearly or by a parabola, as a contrast that turns round does.
        region: Inside of the structure; not empty.
        around: ``region`` and its surroundings; both weigh the same.
    """
    weights = np.where(region[around], 1 / max(region.sum(), 1), 1 / max((around & ~region).sum(), 1))
    weights /= weights.sum()
    values = image[around].astype(np.float64)
    columns = [np.ones(values.size, np.float32)]
    for other in others:
        columns += [other[around], np.square(other[around])]
    terms = np.stack(columns, axis=1) * np.sqrt(weights)[:, None]
    wanted = values * np.sqrt(weights)
    coefficients = np.linalg.lstsq(terms, wanted, rcond=None)[0]
    unexplained = np.square(wanted - terms @ coefficients).sum()
    variance = (weights * np.square(values - (weights * values).sum())).sum()
    return float(1 - unexplained / max(variance, 1e-12))
