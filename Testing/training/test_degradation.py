"""Low-resolution acquisitions against closed forms."""

import math

import pytest
import torch

from MRTranslateLib.networks.k_space import k_space_matrix, zero_filling_matrix
from MRTranslateLib.networks.slice_profile import reconstruction_matrix
from training.data.degradation import (
    acquire_thick_slices,
    k_space_downsample,
    through_plane_matrix,
)

RATIOS = [2, 4, 8]


def wave(cycles, size=64, samples=None):
    """1 + cosine of ``cycles`` per field of view, at voxel centres of a grid of ``samples`` (default ``size``)."""
    count = samples or size
    position = (torch.arange(count, dtype=torch.float64) + 0.5) / count  # of the field of view
    return 1 + torch.cos(2 * math.pi * cycles * position + 0.3)


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_constant_stays(ratio):
    result = k_space_downsample(torch.full((2, 3, 32, 64), 0.7), ratio)
    torch.testing.assert_close(result, torch.full((2, 3, 32 // ratio, 64 // ratio), 0.7))


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_wave_below_the_cut_off_is_sampled_exactly_at_the_coarse_voxels(ratio):
    cycles, coarse = 64 // ratio // 2 - 1, 64 // ratio
    image = wave(cycles)[:, None] * wave(1)[None]
    expected = wave(cycles, samples=coarse)[:, None] * wave(1, samples=coarse)[None]
    torch.testing.assert_close(k_space_downsample(image, ratio), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("above", [0, 1, 3])
def test_a_wave_at_the_cut_off_or_above_vanishes(ratio, above):
    image = wave(64 // ratio // 2 + above)[:, None].expand(64, 64)
    expected = torch.ones(64 // ratio, 64 // ratio, dtype=torch.float64)
    torch.testing.assert_close(k_space_downsample(image, ratio), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_mean_and_the_scale_of_each_slice_are_kept(ratio):
    images = torch.stack([3 + torch.rand(32, 32), 0.1 * (3 + torch.rand(32, 32))])
    result = k_space_downsample(images, ratio)
    torch.testing.assert_close(result.mean(dim=(1, 2)), images.mean(dim=(1, 2)))
    torch.testing.assert_close(k_space_downsample(5 * images, ratio), 5 * result)


def test_a_gradient_flows_through():
    image = torch.rand(1, 16, 16, requires_grad=True)
    k_space_downsample(image, 2).sum().backward()
    torch.testing.assert_close(image.grad, torch.full((1, 16, 16), 0.25), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("shape", "ratio"), [((30, 32), 4), ((32, 32), 0), ((32, 30), 4)])
def test_a_ratio_that_does_not_divide_is_refused(shape, ratio):
    with pytest.raises(ValueError, match="ratio must divide"):
        k_space_downsample(torch.rand(shape), ratio)


def test_a_wave_of_few_periods_survives_going_to_larger_voxels_and_back():
    matrix = zero_filling_matrix(64, 16)
    wave = torch.sin(2 * math.pi * 3 / 64 * torch.arange(64, dtype=torch.float64))
    torch.testing.assert_close(matrix @ (k_space_matrix(64, 16) @ wave), wave, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("thickness", "gap"), [(1.0, 0.0), (5.0, 0.0), (4.0, 1.5)])
def test_a_constant_volume_stays_through_thick_slices(thickness, gap):
    thick = acquire_thick_slices(
        torch.full((20, 4, 4), 0.3), slice_spacing_mm=1.0, thickness_mm=thickness, gap_mm=gap, shift_mm=0.4
    )
    assert len(thick.images) == int(20 / (thickness + gap))
    torch.testing.assert_close(thick.images, torch.full_like(thick.images, 0.3))


def test_a_slope_through_plane_is_read_at_the_middle_of_each_thick_slice():
    volume = torch.arange(40, dtype=torch.float64)[:, None, None].expand(40, 2, 2)
    thick = acquire_thick_slices(volume, slice_spacing_mm=1.0, thickness_mm=4.0, gap_mm=1.0, shift_mm=0.05)
    torch.testing.assert_close(thick.images[:, 0, 0], thick.centres, rtol=0, atol=1e-9)


def test_millimetres_are_divided_by_the_slice_spacing():
    volume = torch.rand(24, 3, 3)
    one = acquire_thick_slices(volume, slice_spacing_mm=1.0, thickness_mm=3.0, gap_mm=1.0)
    other = acquire_thick_slices(volume, slice_spacing_mm=0.5, thickness_mm=1.5, gap_mm=0.5)
    torch.testing.assert_close(one.images, other.images)


def test_a_shift_moves_every_slice_by_its_millimetres():
    scan = {"slice_spacing_mm": 0.5, "thickness_mm": 2.0, "gap_mm": 0.5}
    still, moved = (acquire_thick_slices(torch.rand(40, 2, 2), shift_mm=mm, **scan).centres for mm in (0.0, 0.75))
    torch.testing.assert_close(moved - still, torch.full_like(still, 1.5), rtol=0, atol=1e-12)


def test_tissue_in_a_wide_gap_is_not_seen():
    volume = torch.zeros(20, 1, 1)
    volume[4:6] = 1  # thick slices around 2 and 7, thickness 2, gap 3 (and so on)
    thick = acquire_thick_slices(volume, slice_spacing_mm=1.0, thickness_mm=2.0, gap_mm=3.0, shift_mm=0.0)
    assert thick.centres.tolist() == [2.0, 7.0, 12.0, 17.0]
    assert thick.images.abs().max() < 1e-12


def test_thicker_slices_lose_more():
    volume = torch.rand(60, 4, 4, dtype=torch.float64)
    energies = [
        float((through_plane_matrix(60, slice_spacing_mm=1.0, thickness_mm=mm, gap_mm=0.0) @ volume.flatten(1)).var())
        for mm in (1.0, 2.0, 5.0)
    ]
    assert energies[0] > 1.5 * energies[1] > 2.5 * energies[2]


def test_the_matrix_is_acquisition_and_interpolation_in_one():
    volume, scan = torch.rand(24, 3, 3, dtype=torch.float64), {"thickness_mm": 3.0, "gap_mm": 0.5, "shift_mm": 0.3}
    thick = acquire_thick_slices(volume, slice_spacing_mm=1.0, **scan)
    back = reconstruction_matrix(thick.centres, 24, 3.0) @ thick.images.flatten(1)
    result = through_plane_matrix(24, slice_spacing_mm=1.0, **scan) @ volume.flatten(1)
    torch.testing.assert_close(result, back, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "lengths",
    [(0.0, 3.0, 0.0), (1.0, 0.0, 0.0), (1.0, 3.0, -0.1)],
)
def test_impossible_lengths_are_refused(lengths):
    spacing, thickness, gap = lengths
    with pytest.raises(ValueError, match="positive lengths"):
        acquire_thick_slices(torch.rand(9, 2, 2), slice_spacing_mm=spacing, thickness_mm=thickness, gap_mm=gap)
