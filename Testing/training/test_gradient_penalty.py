"""R1 against closed forms."""

import pytest
import torch

from training.losses.gradient_penalty import lazy_r1_penalty, r1_penalty


def test_r1_of_a_linear_discriminator_is_half_gamma_times_its_squared_norm():
    weight = torch.randn(1, 2, 5, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    real = torch.rand(3, 2, 5, 7)
    penalty = r1_penalty(lambda image: (image * weight).sum(dim=(1, 2, 3)) + 4, real, gamma=1.5)
    assert penalty.item() == pytest.approx(0.75 * weight.square().sum().item(), rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(weight.grad, 1.5 * weight.detach())


def test_r1_of_a_quadratic_discriminator_averages_over_the_batch():
    # D(x) = |x|^2 / 2 has gradient x.
    real = torch.stack([torch.full((1, 2, 2), level) for level in (1.0, 3.0)])
    penalty = r1_penalty(lambda image: image.square().sum(dim=(1, 2, 3)) / 2, real, gamma=2.0)
    assert penalty.item() == pytest.approx((4 * 1 + 4 * 9) / 2)


@pytest.mark.parametrize("size", [8, 32])
def test_r1_of_a_map_does_not_depend_on_the_size_of_the_image(size):
    network = torch.nn.Conv2d(1, 1, 1)
    penalty = r1_penalty(network, torch.rand(2, 1, size, size), gamma=1.0)
    assert penalty.item() == pytest.approx(0.5 * network.weight.item() ** 2, rel=1e-4)


def test_r1_leaves_the_images_alone_and_stays_in_float32_under_autocast():
    network = torch.nn.Conv2d(1, 1, 3, bias=False)
    real = torch.rand(1, 1, 16, 16, requires_grad=True)
    expected = r1_penalty(network, real, gamma=1.0)
    with torch.autocast("cpu", torch.bfloat16):
        penalty = r1_penalty(network, real, gamma=1.0)
    penalty.backward()
    assert penalty.item() == expected.item()
    assert real.grad is None


def test_the_lazy_penalty_is_due_every_kth_step_and_the_same_on_average():
    network, real = torch.nn.Conv2d(1, 1, 1), torch.rand(1, 1, 4, 4)
    penalties = [lazy_r1_penalty(network, real, step, gamma=1.0, interval=4) for step in range(8)]
    assert [penalty is not None for penalty in penalties] == [True, False, False, False] * 2
    mean = sum(penalty.item() for penalty in penalties if penalty is not None) / 8
    assert mean == pytest.approx(r1_penalty(network, real, gamma=1.0).item())


def test_an_interval_of_zero_is_refused():
    with pytest.raises(ValueError, match="interval must be 1 or more, got 0"):
        lazy_r1_penalty(torch.nn.Identity(), torch.rand(1, 1, 4, 4), 0, gamma=1.0, interval=0)
