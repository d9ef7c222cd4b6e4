"""The warp against scipy, and what flows do to area against closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from MRTranslateLib.networks.warp import (
    compose_flows,
    folding_share,
    identity_grid,
    integrate_velocity,
    jacobian_determinant,
    warp,
)


def random_images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def smooth_flow(shape, size_voxels, seed=0):
    noise = np.random.default_rng(seed).standard_normal((shape[0], 2, *shape[1:]))
    smooth = ndimage.gaussian_filter(noise, (0, 0, 6, 6))
    return torch.from_numpy(smooth / np.abs(smooth).max() * size_voxels).float()


def linear_flow(matrix, size=(20, 30)):
    """The displacement of ``p -> matrix p``."""
    return torch.einsum("ij,bjhw->bihw", torch.tensor(matrix) - torch.eye(2), identity_grid(torch.zeros(size)))


@pytest.mark.parametrize("size", [(64, 64), (181, 217), (256, 255), (1, 7)])
def test_zero_flow_gives_the_image_back_to_the_bit(size):
    image = random_images(2, 3, *size)
    assert torch.equal(warp(image, torch.zeros(2, 2, *size)), image)


@pytest.mark.parametrize(("outside", "scipy_mode"), [("border", "nearest"), ("zeros", "grid-constant")])
def test_the_warp_equals_scipy_map_coordinates(outside, scipy_mode):
    image, flow = random_images(2, 1, 33, 47), 5 * torch.randn(2, 2, 33, 47, generator=torch.Generator().manual_seed(1))
    moved = warp(image, flow, outside=outside)
    for person in range(2):
        places = np.indices((33, 47)) + flow[person].numpy()
        expected = ndimage.map_coordinates(image[person, 0].numpy(), places, order=1, mode=scipy_mode)
        np.testing.assert_allclose(moved[person, 0].numpy(), expected, atol=1e-5)


def test_channel_0_of_a_flow_is_rows_and_positive_values_fetch_from_further_down():
    image = torch.arange(12.0).view(1, 1, 4, 3)
    flow = torch.zeros(1, 2, 4, 3)
    flow[:, 0] = 1
    torch.testing.assert_close(warp(image, flow)[0, 0, :3], image[0, 0, 1:])


def test_the_gradient_by_image_and_flow_is_that_of_finite_differences():
    image = random_images(1, 1, 5, 6).double().requires_grad_()
    flow = (0.6 * torch.rand(1, 2, 5, 6, generator=torch.Generator().manual_seed(2)).double() + 0.2).requires_grad_()
    assert torch.autograd.gradcheck(warp, (image, flow))


def test_a_composed_flow_does_what_two_warps_do():
    # On an image that rises evenly bilinear interpolation is exact, and so is the agreement.
    image = (identity_grid(torch.zeros(60, 60)) * torch.tensor([3.0, -2.0]).view(1, 2, 1, 1)).sum(dim=1, keepdim=True)
    first, second = smooth_flow((1, 60, 60), 3, seed=4), smooth_flow((1, 60, 60), 3, seed=5)
    inside = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    at_once, one_by_one = warp(image, compose_flows(first, second)), warp(warp(image, first), second)
    torch.testing.assert_close(at_once[inside], one_by_one[inside], atol=1e-3, rtol=0)
    assert (warp(image, compose_flows(second, first)) - one_by_one)[inside].abs().max() > 0.1  # the order matters


def test_the_jacobian_of_a_linear_map_is_its_determinant():
    flow = linear_flow([[1.2, 0.3], [-0.4, 0.9]])
    assert jacobian_determinant(flow).shape == (1, 1, 19, 29)
    torch.testing.assert_close(
        jacobian_determinant(flow), torch.full((1, 1, 19, 29), 1.2 * 0.9 + 0.3 * 0.4), rtol=1e-4, atol=1e-4
    )


def test_a_mirrored_half_folds_and_only_there():
    flow = torch.zeros(1, 2, 20, 20)
    flow[:, 1, :10] = -2 * identity_grid(flow)[:, 1, :10]  # columns run backwards in the upper half
    everywhere, lower = torch.ones(1, 1, 20, 20), torch.zeros(1, 1, 20, 20)
    lower[:, :, 10:] = 1
    assert folding_share(flow, everywhere).item() == pytest.approx(10 / 19)
    assert folding_share(flow, lower).item() == 0
    assert folding_share(flow, torch.zeros(1, 1, 20, 20)).item() == 0


def test_following_a_linear_velocity_is_the_matrix_exponential():
    centred = identity_grid(torch.zeros(41, 41)) - 20
    turn = 0.2
    velocity = turn * torch.stack([-centred[:, 1], centred[:, 0]], dim=1)
    flow = integrate_velocity(velocity, 7)
    cosine, sine = math.cos(turn), math.sin(turn)
    expected = torch.stack(
        [cosine * centred[:, 0] - sine * centred[:, 1], sine * centred[:, 0] + cosine * centred[:, 1]], 1
    )
    inside = (slice(None), slice(None), slice(10, -10), slice(10, -10))
    torch.testing.assert_close((flow + centred)[inside], expected[inside], atol=0.01, rtol=0)


def test_a_velocity_that_would_fold_as_a_flow_does_not_fold_when_followed():
    rough, mask = smooth_flow((1, 64, 64), 12.0, seed=6), torch.ones(1, 1, 64, 64)
    assert folding_share(rough, mask) > 0.01
    assert folding_share(integrate_velocity(rough), mask) == 0


@pytest.mark.parametrize(
    ("images", "flow", "outside", "message"),
    [
        ((1, 1, 4, 4), (1, 3, 4, 4), "border", r"\(B, 2, H, W\), got \(1, 3, 4, 4\)"),
        ((1, 1, 4, 4), (2, 2, 4, 4), "border", r"\(1, 1, 4, 4\).*\(2, 2, 4, 4\)"),
        ((1, 1, 4, 4), (1, 2, 4, 4), "mirror", "border or zeros, got 'mirror'"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_value(images, flow, outside, message):
    with pytest.raises(ValueError, match=message):
        warp(torch.zeros(images), torch.zeros(flow), outside=outside)
