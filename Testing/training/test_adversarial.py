"""The three adversarial losses against their closed forms, and the accuracy of a discriminator."""

import math

import pytest
import torch

from training.losses.adversarial import ADVERSARIAL_LOSSES, logit_weight, sum_over_scales
from training.losses.binary_cross_entropy_gan import discriminator_loss as cross_entropy

BCE, LSGAN, RELATIVISTIC = (
    ADVERSARIAL_LOSSES[name] for name in ("binary_cross_entropy", "least_squares", "relativistic_average")
)


def softplus(value):
    return math.log1p(math.exp(value))


def maps(*levels, shape=(2, 1, 3, 4)):
    return (torch.full(shape, level) for level in levels)


def random_maps():
    return torch.randn(2, 4, 1, 3, 4, generator=torch.Generator().manual_seed(3)).unbind()


def test_cross_entropy_of_constant_logits_is_its_closed_form():
    real, synthetic = maps(1.5, -0.5)
    expected = 0.5 * (0.9 * softplus(-1.5) + 0.1 * softplus(1.5) + softplus(-0.5))
    assert BCE.discriminator(real, synthetic, None).item() == pytest.approx(expected)
    assert BCE.generator(real, synthetic, None).item() == pytest.approx(softplus(0.5))


def test_a_smoothed_label_is_reached_at_its_own_logit():
    # The best answer to a label of 0.9 is a confidence of 0.9, not more.
    logit = torch.tensor([math.log(9.0)], requires_grad=True)
    cross_entropy(logit, torch.tensor([-30.0])).backward()
    assert logit.grad.item() == pytest.approx(0, abs=1e-6)


def test_least_squares_of_constant_outputs_is_its_closed_form():
    real, synthetic = maps(0.7, 0.4)
    assert LSGAN.discriminator(real, synthetic, None).item() == pytest.approx(0.5 * (0.3**2 + 0.4**2))
    assert LSGAN.generator(real, synthetic, None).item() == pytest.approx(0.6**2)


def test_relativistic_loss_of_constant_logits_depends_on_their_difference_alone():
    real, synthetic = maps(5.5, 4.0)
    assert RELATIVISTIC.discriminator(real, synthetic, None).item() == pytest.approx(softplus(-1.5))
    assert RELATIVISTIC.generator(real, synthetic, None).item() == pytest.approx(softplus(1.5))


def test_relativistic_loss_of_varying_logits_compares_each_with_the_mean_of_the_others():
    real, synthetic = random_maps()
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    ones = torch.ones_like(real)
    to_real, to_synthetic = real - synthetic.mean(), synthetic - real.mean()
    expected = 0.5 * (bce(to_real, ones) + bce(to_synthetic, 0 * ones))
    torch.testing.assert_close(RELATIVISTIC.discriminator(real, synthetic, None), expected)
    torch.testing.assert_close(RELATIVISTIC.generator(real, synthetic, None), bce(to_synthetic, ones))


def test_relativistic_loss_is_symmetric_in_swapping_the_sides_and_the_sign():
    real, synthetic = random_maps()
    torch.testing.assert_close(
        RELATIVISTIC.discriminator(real, synthetic, None), RELATIVISTIC.discriminator(-synthetic, -real, None)
    )


def test_a_relativistic_batch_of_one_is_refused_with_the_remedy():
    real, synthetic = maps(1.0, 0.0, shape=(1, 1, 3, 4))
    for loss in (RELATIVISTIC.discriminator, RELATIVISTIC.generator):
        with pytest.raises(ValueError, match=r"batch of 1.*batch_size to 4 or more, or take least_squares"):
            loss(real, synthetic, None)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_a_generator_step_raises_its_logits_and_leaves_the_real_ones_alone(name):
    real, synthetic = (logits.requires_grad_() for logits in random_maps())
    ADVERSARIAL_LOSSES[name].generator(real, synthetic, None).backward()
    assert real.grad is None
    wanted = synthetic.detach() < 1 if name == "least_squares" else torch.ones_like(synthetic, dtype=torch.bool)
    assert torch.equal(synthetic.grad < 0, wanted)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_logits_without_weight_do_not_count(name):
    real, synthetic = random_maps()
    weight = torch.ones_like(real)
    weight[..., 2:] = 0
    far = [logits * weight + 50 * (1 - weight) for logits in (real, synthetic)]
    kept = [logits[..., :2] for logits in (real, synthetic)]
    for role in ("discriminator", "generator"):
        loss = getattr(ADVERSARIAL_LOSSES[name], role)
        torch.testing.assert_close(loss(*far, weight), loss(*kept, None))


def test_a_weight_of_another_shape_is_refused():
    real, synthetic = random_maps()
    with pytest.raises(ValueError, match=r"weight \(4, 1, 3, 2\) must have the shape.*\(4, 1, 3, 4\)"):
        BCE.generator(real, synthetic, torch.ones(4, 1, 3, 2))


def test_a_logit_counts_if_its_cell_holds_any_brain():
    brain = torch.zeros(1, 1, 16, 24)
    brain[..., 7, 16] = 1
    assert logit_weight(brain, torch.zeros(1, 1, 2, 3)).tolist() == [[[[0, 0, 1], [0, 0, 0]]]]


def test_scales_are_added_and_a_missing_one_is_refused():
    fine, coarse = torch.full((2, 1, 4, 4), 0.0), torch.full((2, 1, 2, 2), 2.0)
    total = sum_over_scales(BCE.generator, (fine, coarse), (fine, coarse), torch.ones(2, 1, 16, 16))
    assert total.item() == pytest.approx(math.log(2) + softplus(-2.0))
    with pytest.raises(ValueError, match="shorter"):
        sum_over_scales(BCE.generator, (fine, coarse), (fine,), None)
