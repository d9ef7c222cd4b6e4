"""Labels that say how close a synthetic neighbourhood comes to the real one."""

import math

import pytest
import torch

from training.losses.binary_cross_entropy_gan import discriminator_loss
from training.losses.error_aware_labels import closeness, error_aware_discriminator_loss

LOGITS = torch.zeros(1, 1, 1, 2)


def test_closeness_is_the_mean_over_the_brain_of_each_cell():
    truth, predicted, brain = torch.zeros(3, 1, 1, 8, 16).unbind()
    brain[..., :4] = 1  # half of the left cell, nothing of the right one
    predicted[..., :2] = 0.2
    predicted[..., 8:] = 9.0
    found = closeness(predicted, truth, brain, LOGITS, tolerance=0.1)
    assert found.flatten().tolist() == pytest.approx([(1 + math.exp(-2)) / 2, 0.0])


def test_a_perfect_translation_gets_the_label_of_the_real_one_and_a_hopeless_one_that_of_the_plain_loss():
    real, synthetic = torch.randn(2, 4, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    perfect = error_aware_discriminator_loss(real, synthetic, torch.ones_like(real))
    swapped = error_aware_discriminator_loss(synthetic, real, torch.ones_like(real))
    torch.testing.assert_close(perfect, swapped)
    hopeless = error_aware_discriminator_loss(real, synthetic, torch.zeros_like(real))
    torch.testing.assert_close(hopeless, discriminator_loss(real, synthetic))


def test_labels_carry_no_gradient_to_the_generator():
    predicted = torch.rand(1, 1, 8, 16, requires_grad=True)
    assert not closeness(predicted, torch.zeros(1, 1, 8, 16), torch.ones(1, 1, 8, 16), LOGITS).requires_grad


def test_a_tolerance_of_zero_is_refused():
    image = torch.zeros(1, 1, 8, 16)
    with pytest.raises(ValueError, match=r"tolerance must be positive, got 0\.0"):
        closeness(image, image, image, LOGITS, tolerance=0.0)


def test_the_share_of_the_real_slices_shifts_the_loss_from_one_to_the_other():
    real, synthetic, close = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 3.0), torch.zeros(1, 1, 2, 2)
    only_synthetic = error_aware_discriminator_loss(real, synthetic, close, real_share=0.0)
    assert float(only_synthetic) == pytest.approx(float(torch.nn.functional.softplus(torch.tensor(3.0))))
    mixed = error_aware_discriminator_loss(real, synthetic, close, real_share=0.25)
    assert float(mixed) == pytest.approx(0.25 * float(torch.tensor(2.0).log()) + 0.75 * float(only_synthetic))
