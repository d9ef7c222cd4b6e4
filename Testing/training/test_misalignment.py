"""Simulated misalignment: the way back leads back, levels are what they say, chance is in the seed."""

import math

import numpy as np
import pytest
import torch

from MRTranslateLib.networks.warp import compose_flows, identity_grid, jacobian_determinant, warp
from training.data.misalignment import Misalignment, draw_misalignment

SIZE = (96, 80)


def draw(affine_level=0.0, elastic_voxels=0.0, count=8, seed=0, size=SIZE):
    random = torch.Generator().manual_seed(seed)
    return draw_misalignment(count, size, affine_level=affine_level, elastic_voxels=elastic_voxels, random=random)


def disc(size=SIZE, radius=20.0, count=8):
    rows, columns = identity_grid(torch.zeros(size))[0]
    away = torch.hypot(rows - (size[0] - 1) / 2, columns - (size[1] - 1) / 2)
    return torch.sigmoid((radius - away) / 2).expand(count, 1, *size)


def brain(size=SIZE, count=8):
    return (disc(size, 24.0, count) > 0.5).float()


def affine_parts(flow):
    """Rotation in degrees, scale and shift of the middle of affine maps ``p -> p + flow[p]``, ``(B, 2, H, W)``."""
    by_row = (flow[:, :, -1, 0] - flow[:, :, 0, 0]) / (flow.shape[2] - 1) + torch.tensor([1.0, 0.0])
    by_column = (flow[:, :, 0, -1] - flow[:, :, 0, 0]) / (flow.shape[3] - 1) + torch.tensor([0.0, 1.0])
    scale = (by_row[:, 0] * by_column[:, 1] - by_row[:, 1] * by_column[:, 0]).sqrt()
    angle = torch.atan2(by_row[:, 1], by_row[:, 0]) * 180 / math.pi
    return angle.numpy(), scale.numpy(), flow.mean(dim=(2, 3)).numpy()


@pytest.mark.parametrize(("affine_level", "elastic_voxels"), [(5, 0), (0, 8), (2, 2), (5, 6)])
def test_the_correction_undoes_the_motion_to_a_few_hundredths_of_a_voxel(affine_level, elastic_voxels):
    motion = draw(affine_level, elastic_voxels)
    inside = (brain() * (motion.move(torch.ones_like(brain())) > 0)).bool()
    # Only where the way back stays on the slice; elsewhere the flow is not known.
    arrived = identity_grid(motion.flow) + motion.correction
    last = torch.tensor(SIZE).view(1, 2, 1, 1) - 1
    inside &= ((arrived >= 0) & (arrived <= last)).all(dim=1, keepdim=True)
    assert inside.sum() > 0.9 * brain().sum()
    left = motion.remaining(motion.correction).norm(dim=1, keepdim=True)
    assert left[inside].max() < 0.03  # flows are interpolated between voxels
    assert motion.correction.norm(dim=1, keepdim=True)[inside].max() > 1.5


def test_a_moved_and_corrected_image_is_the_original():
    motion = draw(2, 2)
    moved = motion.move(disc())
    error_before = (moved - disc()).abs().max()
    error_after = (warp(moved, motion.correction) - disc()).abs().max()
    assert error_before > 0.3
    assert error_after < 0.02


def test_the_recovered_share_is_1_for_the_truth_0_for_nothing_and_a_half_for_half_of_a_shift():
    shift = torch.zeros(2, 2, *SIZE)
    shift[:, 0] = 3.0
    motion = Misalignment(shift, -shift)
    shares = [motion.recovered_share(flow, brain(count=2)).item() for flow in (-shift, 0 * shift, -shift / 2, shift)]
    assert shares == pytest.approx([1, 0, 0.5, -1], abs=1e-5)


@pytest.mark.parametrize("level", [1, 3, 5])
def test_an_affine_level_is_the_relative_motion_of_two_jitters_of_that_level(level):
    size = (40, 30)
    flow = draw(level, 0, count=400, size=size).flow
    angles, scales, shifts = affine_parts(flow)
    assert 1.6 * level < np.abs(angles).max() <= 2 * level + 1e-3
    # The difference of two even draws of +-k has the standard deviation k sqrt(2 / 3).
    assert angles.std() == pytest.approx(level * math.sqrt(2 / 3), rel=0.12)
    assert np.log(scales).std() == pytest.approx(0.02 * level * math.sqrt(2 / 3), rel=0.12)
    assert (shifts / size).std(axis=0) == pytest.approx(0.02 * level * math.sqrt(2 / 3), rel=0.12)


def test_an_affine_motion_keeps_lines_straight_and_angles_right():
    places = identity_grid(torch.zeros(SIZE)) + draw(5, 0).flow
    for axis in (2, 3):
        assert places.diff(n=2, dim=axis).abs().max() < 1e-3
    by_row, by_column = places[:, :, -1, 0] - places[:, :, 0, 0], places[:, :, 0, -1] - places[:, :, 0, 0]
    cosine = (by_row * by_column).sum(dim=1) / (by_row.norm(dim=1) * by_column.norm(dim=1))
    assert cosine.abs().max() < 1e-4


@pytest.mark.parametrize("level", [1, 2, 4, 6, 8])
def test_an_elastic_level_is_the_largest_displacement_of_each_slice_and_nothing_folds(level):
    motion = draw(0, level)
    torch.testing.assert_close(motion.flow.norm(dim=1).amax(dim=(1, 2)), torch.full((8,), float(level)))
    assert jacobian_determinant(motion.flow).min() > 0.2
    assert jacobian_determinant(motion.correction).min() > 0.2


def test_level_0_moves_nothing():
    motion = draw(0, 0)
    assert not motion.flow.any()
    assert not motion.correction.any()
    assert torch.equal(motion.move(disc()), disc())


def test_beyond_the_slice_there_is_nothing():
    shift = torch.zeros(1, 2, 8, 8)
    shift[:, 1] = 5.0
    moved = Misalignment(shift, -shift).move(torch.ones(1, 1, 8, 8))
    assert moved[0, 0, 0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


def test_what_remains_is_the_composition_of_motion_and_correction():
    motion = draw(2, 2)
    other = draw(1, 1, seed=9).flow
    assert torch.equal(motion.remaining(other), compose_flows(motion.flow, other))


def test_the_seed_decides_and_every_slice_moves_on_its_own():
    assert torch.equal(draw(2, 2, seed=4).flow, draw(2, 2, seed=4).flow)
    assert not torch.equal(draw(2, 2, seed=4).flow, draw(2, 2, seed=5).flow)
    first, second = draw(2, 2).flow[:2]
    assert (first - second).abs().max() > 0.1


def test_negative_levels_are_refused():
    with pytest.raises(ValueError, match=r"must not be negative, got -1 and 2"):
        draw(-1, 2)
