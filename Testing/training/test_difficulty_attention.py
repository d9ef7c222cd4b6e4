"""Weights from difficulty: mean, floor, ceiling, ramp, and no gradient."""

import pytest
import torch

from training.losses.difficulty_attention import (
    LARGEST_ATTENTION,
    attention_weight,
    difficulty_weight,
    focal_weight,
    ramp,
    uniform_weight,
)


def slices(batch_size=3, size=24, seed=0):
    random = torch.Generator().manual_seed(seed)
    confidence, predicted, truth = torch.rand(3, batch_size, 1, size, size, generator=random)
    mask = torch.zeros(batch_size, 1, size, size)
    mask[..., 4:20, 6:18] = 1
    return confidence, predicted, truth, mask


def masked_means(weight, mask):
    return ((weight * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))).tolist()


def all_weights(strength):
    confidence, predicted, truth, mask = slices()
    yield difficulty_weight(confidence, mask, strength=strength), mask
    yield focal_weight(predicted, truth, mask, strength=strength), mask
    spike = torch.zeros_like(mask)
    spike[..., 10, 10] = 1.0  # 192 times its mean: clipped
    yield attention_weight(spike, mask, strength=strength), mask


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_mean_inside_the_mask_of_each_slice_is_one_even_where_voxels_were_clipped(strength):
    for weight, mask in all_weights(strength):
        assert masked_means(weight, mask) == pytest.approx([1.0] * 3, abs=1e-5)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_no_voxel_falls_below_the_floor_nor_rises_above_the_ceiling(strength):
    for weight, mask in all_weights(strength):
        assert weight.min() >= 1 - strength - 1e-6
        assert weight.max() <= 1 + LARGEST_ATTENTION * strength
        assert (weight[mask == 0] == 1).all()


def test_a_spike_is_clipped_to_five_times_the_mean():
    *_, (weight, _) = all_weights(0.5)
    assert weight.max().item() == pytest.approx(1 + 0.5 * (5 - 5 / 192), rel=1e-5)


def test_without_clipping_it_is_the_equation_of_methods():
    confidence = torch.tensor([0.2, 0.4, 0.6, 0.9]).view(1, 1, 2, 2)
    attention = (1 - confidence) ** 2
    expected = 1 + 0.5 * 0.3 * (attention / attention.mean() - 1)
    weight = difficulty_weight(confidence, torch.ones(1, 1, 2, 2), strength=0.5 * 0.3)
    torch.testing.assert_close(weight, expected)


def test_less_confidence_weighs_more_and_a_larger_exponent_sharpens():
    confidence, _, _, mask = slices()
    inside = mask.bool()
    weight, sharper = (difficulty_weight(confidence, mask, strength=0.5, exponent=beta) for beta in (1.0, 3.0))
    order = confidence[0][inside[0]].argsort()
    assert (weight[0][inside[0]][order].diff() <= 1e-6).all()
    assert sharper[inside].std() > weight[inside].std()


def test_weights_carry_no_gradient_to_generator_or_discriminator():
    confidence, predicted, truth, mask = slices()
    confidence.requires_grad_()
    predicted.requires_grad_()
    for weight in (
        difficulty_weight(confidence, mask, strength=0.5),
        focal_weight(predicted, truth, mask, strength=0.5),
    ):
        assert not weight.requires_grad
        loss = (weight * (predicted - truth).abs() * mask).sum()
        loss.backward()
    assert confidence.grad is None
    assert predicted.grad is not None


def test_a_generator_cannot_lower_the_weighted_loss_by_raising_the_confidence():
    # The loss is d(w |e|) = w d|e| alone: the gradient is the error's sign times the weight, confidence aside.
    confidence, predicted, truth, mask = slices()
    predicted.requires_grad_()
    weight = difficulty_weight((confidence * predicted).sigmoid(), mask, strength=0.5)
    (weight * (predicted - truth).abs()).sum().backward()
    torch.testing.assert_close(predicted.grad, weight * (predicted - truth).detach().sign())


def test_focal_weight_follows_the_root_of_the_error_whatever_its_scale():
    _, predicted, truth, mask = slices()
    weight = focal_weight(predicted, truth, mask, strength=0.5)
    halved = focal_weight(truth + (predicted - truth) / 2, truth, mask, strength=0.5)
    torch.testing.assert_close(weight, halved)
    root = (predicted - truth)[0].abs()[mask[0].bool()].sqrt()
    torch.testing.assert_close(weight[0][mask[0].bool()], 1 + 0.5 * (root / root.mean() - 1))


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_discriminator_that_says_the_same_everywhere_weighs_evenly(level):
    # Saturated at 0 or 1, METHODS 9.6, or undecided.
    *_, mask = slices()
    weight = difficulty_weight(torch.full_like(mask, level), mask, strength=0.5)
    torch.testing.assert_close(weight, torch.ones_like(weight))


def test_the_dust_of_a_saturated_discriminator_is_not_blown_up():
    confidence, _, _, mask = slices()
    weight = difficulty_weight(1 - 1e-4 * confidence, mask, strength=0.5)
    torch.testing.assert_close(weight, torch.ones_like(weight))


def test_a_slice_without_brain_weighs_one_and_gives_no_nan():
    confidence, _, _, mask = slices()
    weight = difficulty_weight(confidence, 0 * mask, strength=0.5)
    assert torch.equal(weight, torch.ones_like(weight))


def test_a_slice_weighs_the_same_in_any_batch():
    confidence, _, _, mask = slices()
    weight = difficulty_weight(confidence, mask, strength=0.5)
    alone = difficulty_weight(confidence[:1], mask[:1], strength=0.5)
    torch.testing.assert_close(weight[:1], alone)


def test_the_uniform_control_is_one():
    *_, mask = slices()
    assert torch.equal(uniform_weight(mask), torch.ones_like(mask))


def test_the_ramp_rises_linearly_between_its_ends():
    assert [ramp(step, start=100, length=50) for step in (0, 100, 125, 150, 900)] == [0, 0, 0.5, 1, 1]
    assert [ramp(step, start=100, length=0) for step in (100, 101)] == [0, 1]


@pytest.mark.parametrize("strength", [-0.1, 1.5])
def test_a_strength_that_would_push_away_from_the_truth_is_refused(strength):
    *_, mask = slices()
    with pytest.raises(ValueError, match=f"strength must be in 0..1, got {strength}"):
        attention_weight(mask, mask, strength=strength)
