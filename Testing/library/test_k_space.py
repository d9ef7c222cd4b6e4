"""Sampling with fewer k-space lines, against closed forms."""

import math

import numpy as np
import pytest
import torch

from MRTranslateLib.networks.k_space import k_space_matrix, k_space_resample

RATIOS = [2, 4, 8]


def wave(cycles, samples):
    """1 + cosine of ``cycles`` per field of view at the centres of ``samples`` voxels that fill it."""
    position = (torch.arange(samples, dtype=torch.float64) + 0.5) / samples
    return 1 + torch.cos(2 * math.pi * cycles * position + 0.3)


def downsample(image, ratio):
    return k_space_resample(image, (image.shape[-2] // ratio, image.shape[-1] // ratio))


def test_it_is_the_magnitude_of_the_cropped_spectrum_moved_to_the_same_edges():
    image = torch.rand(32, 32, dtype=torch.float64)
    spectrum, kept = np.fft.fft2(image.numpy(), norm="forward"), np.zeros((8, 8), complex)
    for row in range(-3, 4):
        for column in range(-3, 4):
            # a coarse voxel's centre lies 1.5 fine voxels from the first fine voxel's centre
            kept[row, column] = spectrum[row, column] * np.exp(2j * np.pi * (row + column) * 1.5 / 32)
    expected = np.abs(np.fft.ifft2(kept, norm="forward"))
    np.testing.assert_allclose(downsample(image, 4).numpy(), expected, atol=1e-12)


def test_energy_is_that_of_the_kept_frequencies():
    # Parseval, on an image bright enough that its magnitude is the image itself
    image = 3 + torch.rand(32, 32, dtype=torch.float64)
    spectrum = np.fft.fft2(image.numpy(), norm="forward")
    kept = [abs(spectrum[row, column]) ** 2 for row in range(-7, 8) for column in range(-7, 8)]
    assert float(downsample(image, 2).square().mean()) == pytest.approx(sum(kept), rel=1e-12)


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_mirrored_image_gives_the_mirrored_result(ratio):
    # it does not if the grids share their first voxel instead of their edges
    image = torch.rand(32, 64, dtype=torch.float64)
    expected = downsample(image, ratio).flip(0, 1)
    torch.testing.assert_close(downsample(image.flip(0, 1), ratio), expected, rtol=0, atol=1e-12)


def test_magnitudes_are_never_negative():
    edge = torch.zeros(32, 32)
    edge[:, 16:] = 1
    assert downsample(edge, 2).min() >= 0


def test_as_many_samples_as_voxels_are_the_image_itself():
    image = torch.rand(16, 31)
    torch.testing.assert_close(k_space_resample(image, (16, 31)), image, rtol=0, atol=0)


def test_any_number_of_samples_keeps_a_slow_wave():
    expected = wave(3, 23)[:, None].expand(23, 16)
    torch.testing.assert_close(
        k_space_resample(wave(3, 64)[:, None].expand(64, 16), (23, 16)), expected, rtol=0, atol=1e-12
    )


def test_half_precision_stays_half_precision():
    assert downsample(torch.rand(16, 16).bfloat16(), 2).dtype == torch.bfloat16


@pytest.mark.parametrize("samples", [0, 9])
def test_more_samples_than_voxels_are_refused(samples):
    with pytest.raises(ValueError, match=r"num_samples must be in 1\.\.8"):
        k_space_matrix(8, samples)
