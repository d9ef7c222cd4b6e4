"""The slice profile against closed forms; what scans make of it: Testing/training/test_degradation.py."""

import numpy as np
import pytest
import torch

from MRTranslateLib.networks.slice_profile import (
    RAMP,
    interpolated_in_plane,
    interpolation_matrix,
    slice_profile_matrix,
    thick_slice_matrix,
)


def test_an_impulse_shows_the_slice_profile():
    # Thin slices of 0.01 mm: shares per mm are the trapezoid of unit area whose half maximum is 4 mm wide.
    centre = torch.tensor([999.5], dtype=torch.float64)
    shares = slice_profile_matrix(centre, 2000, 400.0)[0] / 0.01
    distance = (torch.arange(2000) - 999.5).abs() * 0.01
    ramp = RAMP * 4.0
    expected = ((4.0 / 2 + ramp / 2 - distance) / ramp).clamp(0, 1) / 4.0
    torch.testing.assert_close(shares, expected.to(torch.float64), rtol=0, atol=2e-4)


def test_a_slice_outside_the_stack_is_refused():
    with pytest.raises(ValueError, match="outside 9 slices"):
        slice_profile_matrix(torch.tensor([30.0]), 9, 3.0)


@pytest.mark.parametrize("thickness", [0.0, -1.0])
def test_a_thickness_that_is_not_positive_is_refused(thickness):
    with pytest.raises(ValueError, match="thickness must be positive"):
        slice_profile_matrix(torch.tensor([3.0]), 9, thickness)


def test_a_slice_that_reaches_over_the_end_of_the_stack_weighs_what_is_there():
    shares = slice_profile_matrix(torch.tensor([0.0]), 9, 4.0)[0]
    torch.testing.assert_close(shares.sum(), torch.ones((), dtype=torch.float64))
    assert shares[0] == shares.max()


def test_values_between_two_centres_are_interpolated_and_those_beyond_are_held():
    matrix = interpolation_matrix(torch.tensor([1.0, 3.0]), 5)
    values = matrix @ torch.tensor([10.0, 20.0], dtype=torch.float64)
    torch.testing.assert_close(values, torch.tensor([10.0, 10, 15, 20, 20], dtype=torch.float64))


def test_a_wave_between_the_centres_comes_back_better_than_linear_interpolation_brings_it():
    centres, voxels = torch.arange(0, 61, 4.0), torch.arange(61, dtype=torch.float64)
    wave, known = torch.sin(voxels / 4), torch.sin(centres.double() / 4)
    cubic = interpolation_matrix(centres, 61) @ known - wave
    linear = np.interp(voxels, centres, known) - wave.numpy()
    assert cubic.abs().max() < np.abs(linear).max() / 3


def test_in_plane_a_ramp_survives_as_both_grids_have_the_same_edges():
    ramp = torch.arange(8, dtype=torch.float64).expand(4, 8)
    coarse = ramp.reshape(2, 2, 4, 2).mean(dim=(1, 3))
    result = interpolated_in_plane(coarse, (4, 8))
    torch.testing.assert_close(result[:, 1:-1], ramp[:, 1:-1], rtol=0, atol=1e-12)


def test_a_single_thick_slice_is_all_there_is():
    volume = torch.rand(6, dtype=torch.float64)
    result = thick_slice_matrix(torch.tensor([2.5]), 6, 60.0) @ volume
    torch.testing.assert_close(result, volume.mean().expand(6))
