"""The Wasserstein loss and its slope penalty against closed forms."""

import pytest
import torch

from training.losses.adversarial import ADVERSARIAL_LOSSES
from training.losses.wasserstein_gan import slope_penalty

LOSS = ADVERSARIAL_LOSSES["wasserstein"]


def images():
    return torch.rand(2, 3, 1, 4, 4, generator=torch.Generator().manual_seed(2)).unbind()


def test_the_critic_is_paid_the_distance_of_the_means_where_logits_count():
    real, synthetic = torch.tensor([[3.0, 99.0]]), torch.tensor([[1.0, -99.0]])
    weight = torch.tensor([[1.0, 0.0]])
    assert LOSS.discriminator(real, synthetic, weight).item() == pytest.approx(-2.0)
    assert LOSS.generator(real, synthetic, weight).item() == pytest.approx(-1.0)


def test_votes_are_right_on_either_side_of_the_middle_wherever_the_critics_zero_lies():
    real, synthetic = torch.tensor([[11.0, 9.0]]), torch.tensor([[7.0, 9.0]])
    right_real, right_synthetic = LOSS.margins(real, synthetic, None)
    torch.testing.assert_close(right_real, torch.tensor([[2.0, 0.0]]))
    torch.testing.assert_close(right_synthetic, torch.tensor([[2.0, 0.0]]))


@pytest.mark.parametrize("slope", [0.25, 1.0, 3.0])
def test_a_linear_critic_pays_for_the_length_of_its_slope_alone(slope):
    real, synthetic = images()
    direction = torch.full((16,), slope / 4)  # of length slope
    between = torch.tensor([0.1, 0.5, 0.8]).view(3, 1, 1, 1)
    found = slope_penalty(lambda image: image.flatten(1) @ direction[:, None], real, synthetic, between, weight=10)
    assert found.item() == pytest.approx(10 * (slope - 1) ** 2, abs=1e-4)


def test_the_slope_is_taken_between_the_real_and_the_synthetic_image():
    real, synthetic = images()
    seen = []

    def critic(image):
        seen.append(image.detach())
        return image.flatten(1).sum(dim=1, keepdim=True)

    slope_penalty(critic, real, synthetic, torch.tensor([0.0, 0.25, 1.0]).view(3, 1, 1, 1), weight=1)
    torch.testing.assert_close(seen[0], torch.stack([synthetic[0], 0.25 * real[1] + 0.75 * synthetic[1], real[2]]))


def test_the_number_of_logits_does_not_change_the_penalty():
    real, synthetic = images()
    at_synthetic = torch.zeros(3, 1, 1, 1)

    def penalty(num_logits):
        def critic(image):
            return image.sum((1, 2, 3))[:, None].expand(-1, num_logits)

        return slope_penalty(critic, real, synthetic, at_synthetic, weight=1)

    one, many = penalty(1), penalty(7)
    assert one.item() == pytest.approx(many.item(), rel=1e-5)


def test_its_gradient_reaches_the_critics_weights():
    real, synthetic = images()
    critic = torch.nn.Linear(16, 1)
    slope_penalty(lambda image: critic(image.flatten(1)), real, synthetic, torch.zeros(3, 1, 1, 1), weight=1).backward()
    assert critic.weight.grad.abs().max() > 0
