"""The bar to clear: a per-voxel gradient-boosted regression on the same split.

It sees the sources' intensity at three Gaussian scales and the height in the brain, one voxel at a time: what a
translation is worth that knows no anatomy. It is strong, since most of a contrast is tissue.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingRegressor

from training.data.cache import CachedScan
from training.evaluation import REPORTED_ROUTES, Route, RouteScore, score_routes

SCALES_VOXELS = (0.0, 1.5, 4.0)
VOXELS_PER_PERSON = 40_000
SEED = 20261121


def baseline_scores(train: Sequence[CachedScan], val: Sequence[CachedScan]) -> list[RouteScore]:
    """The regression trained on ``train``, judged on ``val`` for each reported route that somebody in both has."""
    scores: list[RouteScore] = []
    for route in REPORTED_ROUTES:
        complete = [scan for scan in train if {*route[0], route[1]} <= scan.images.keys()]
        if not complete:
            continue
        regression = _fitted(complete, route)

        def predict(
            scan: CachedScan,
            route: Route,
            indices: NDArray[np.intp],
            regression: HistGradientBoostingRegressor = regression,
        ) -> NDArray[np.float32]:
            features = _features(scan, route)[indices]
            brain = scan.brain[indices]
            result = np.zeros(brain.shape, np.float32)
            result[brain] = regression.predict(features[brain]).clip(0, 1)
            return result

        scores += score_routes(predict, val, [route])
    return scores


def _fitted(train: Sequence[CachedScan], route: Route) -> HistGradientBoostingRegressor:
    rng = np.random.default_rng(SEED)
    features, targets = [], []
    for scan in train:
        brain = np.flatnonzero(scan.brain)
        voxels = rng.choice(brain, min(VOXELS_PER_PERSON, len(brain)), replace=False)
        table = _features(scan, route)
        features.append(table.reshape(-1, table.shape[-1])[voxels])
        targets.append(scan.images[route[1]].ravel()[voxels] / np.float32(255))
    regression = HistGradientBoostingRegressor(
        max_iter=300, learning_rate=0.08, max_leaf_nodes=63, min_samples_leaf=200, random_state=SEED
    )
    return regression.fit(np.concatenate(features), np.concatenate(targets))


def _features(scan: CachedScan, route: Route) -> NDArray[np.float32]:
    """``(S, H, W, F)``: each source at three scales, smoothed inside the brain alone, and the height 0..1."""
    brain = scan.brain.astype(np.float32)
    columns = []
    for contrast in route[0]:
        image = scan.images[contrast].astype(np.float32) / 255
        for scale in SCALES_VOXELS:
            if scale == 0:
                columns.append(image)
            else:
                share = ndimage.gaussian_filter(brain, scale)
                columns.append(ndimage.gaussian_filter(image * brain, scale) / np.maximum(share, 1e-3))
    slices = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    height = (np.arange(len(brain)) - slices[0]) / max(slices[-1] - slices[0], 1)
    columns.append(np.broadcast_to(height[:, None, None], brain.shape).astype(np.float32))
    return np.stack(columns, axis=-1)
