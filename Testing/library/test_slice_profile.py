"""The slice profile against closed forms; what scans make of it: Testing/training/test_degradation.py."""

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from MRTranslateLib.networks.slice_profile import (
    RAMP,
    reconstruction_matrix,
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


def test_thin_slices_that_are_brought_back_average_to_the_thick_ones_again():
    centres, thick = torch.arange(2, 60, 4.0), torch.rand(15, dtype=torch.float64)
    thin = reconstruction_matrix(centres, 62, 4.0) @ thick
    again = slice_profile_matrix(centres, 62, 4.0) @ thin
    assert (again - thick).abs().max() < 0.05 * (thick.max() - thick.min())


def test_a_wave_comes_back_from_thick_slices_better_than_by_interpolation():
    centres, voxels = torch.arange(2, 60, 4.0), torch.arange(62, dtype=torch.float64)
    wave = torch.sin(voxels / 2.5)
    thick = slice_profile_matrix(centres, 62, 4.0) @ wave
    inside = slice(6, 54)
    spline = CubicSpline(centres.numpy(), thick.numpy())(voxels.numpy()) - wave.numpy()
    back = reconstruction_matrix(centres, 62, 4.0) @ thick - wave
    assert back[inside].abs().max() < np.abs(spline[inside]).max() / 2


def test_a_slope_survives_thick_slices_to_the_ends():
    slope = torch.arange(30, dtype=torch.float64)
    centres = torch.arange(1, 30, 3.0)
    result = reconstruction_matrix(centres, 30, 3.0) @ (slice_profile_matrix(centres, 30, 3.0) @ slope)
    torch.testing.assert_close(result[1:-1], slope[1:-1], rtol=0, atol=2e-3)


def test_a_single_thick_slice_is_all_there_is():
    volume = torch.rand(6, dtype=torch.float64)
    result = thick_slice_matrix(torch.tensor([2.5]), 6, 60.0) @ volume
    torch.testing.assert_close(result, volume.mean().expand(6))
