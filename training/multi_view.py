"""The mean of translations from several views, against flicker.

METHODS 9.4 (proposal; stated of BraSyn25, which averages axial and sagittal predictions). Each view is steady in its
own slices, so the jumps that one view leaves between its slices shrink by the number of views. Every view must come
from a generator that learned it (``data.views``). Training only: the library translates axial slices.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.data.cache import CachedScan
from training.data.views import View, from_view, scan_in_view
from training.evaluation import Predict, Route


def mean_of_views(predictors: Mapping[View, Predict]) -> Predict:
    """A translator that averages.

    Args:
        predictors: For each view what translates scans cut into its slices; at least one.

    Returns:
        Translates axial slices; whatever slices are asked for, all views translate the whole volume.

    Raises:
        ValueError: If there is no view.
    """
    if not predictors:
        raise ValueError("the mean of no view is none: give at least one predictor")

    def predict(scan: CachedScan, route: Route, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        views = [_axial(predictor, view, scan, route) for view, predictor in predictors.items()]
        mean: NDArray[np.float32] = np.mean(views, axis=0)[indices].astype(np.float32)
        return mean

    return predict


def _axial(predict: Predict, view: View, scan: CachedScan, route: Route) -> NDArray[np.float32]:
    """The translation from one view on the axial grid; 0 in slices without brain."""
    seen = scan_in_view(scan, view)
    return from_view(whole_volume(predict, seen, route), view)


def whole_volume(predict: Predict, scan: CachedScan, route: Route) -> NDArray[np.float32]:
    """All slices ``(S, H, W)`` of a scan by a route; those without brain are not translated but 0."""
    volume = np.zeros(scan.brain.shape, np.float32)
    with_brain = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    volume[with_brain] = predict(scan, route, with_brain)
    return volume
