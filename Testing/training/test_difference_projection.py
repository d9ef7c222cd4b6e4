"""The difference-projection discriminator against what METHODS states of it."""

import pytest
import torch

from training.losses.adversarial import ADVERSARIAL_LOSSES, sum_over_scales
from training.losses.feature_matching import feature_matching
from training.networks.difference_projection import DifferenceProjectionDiscriminator


@pytest.fixture
def network():
    torch.manual_seed(0)
    return DifferenceProjectionDiscriminator(8).eval()


def slices(height=64, width=96, batch_size=2, seed=1):
    random = torch.Generator().manual_seed(seed)
    image, difference = torch.rand(2, batch_size, 1, height, width, generator=random)
    return image, difference - 0.5


def test_the_published_width_has_the_published_number_of_parameters():
    number = sum(values.numel() for values in DifferenceProjectionDiscriminator().parameters())
    assert round(number / 1e6, 2) == 5.17


def test_logits_lie_at_strides_4_8_16_and_features_at_4_to_32(network):
    judged = network(*slices())
    assert [tuple(logits.shape) for logits in judged.logits] == [(2, 1, 16, 24), (2, 1, 8, 12), (2, 1, 4, 6)]
    assert [tuple(features.shape[1:]) for features in judged.features] == [
        (16, 16, 24),
        (32, 8, 12),
        (64, 4, 6),
        (64, 2, 3),
    ]


@pytest.mark.parametrize(("height", "width"), [(33, 33), (50, 71)])
def test_sizes_that_are_no_multiple_of_anything_work_in_training_mode(network, height, width):
    assert len(network.train()(*slices(height, width)).logits) == 3


def test_the_condition_moves_all_logits_and_no_features(network):
    image, difference = slices()
    one, other = network(image, difference), network(image, -difference)
    assert all((a - b).abs().max() > 1e-4 for a, b in zip(one.logits, other.logits, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(one.features, other.features, strict=True))


def test_the_projection_is_the_product_of_the_embedded_mean_difference_with_the_features(network):
    # With weights by hand: features project to (1, 0, ...), the embedding is (3 d, 0, ...), the plain head is 0.25.
    with torch.no_grad():
        for layer in (network.plain, network.projected, network.embed):
            layer.weight.zero_()
            layer.bias.zero_()
        network.plain.bias.fill_(0.25)
        network.projected.bias[0] = 1.0
        network.embed.weight[0] = 3.0
    image, difference = slices()
    for stride, logits in zip((4, 8, 16), network(image, difference).logits, strict=True):
        cells = difference.unflatten(3, (-1, stride)).unflatten(2, (-1, stride)).mean(dim=(3, 5))
        torch.testing.assert_close(logits, 0.25 + 3 * cells, rtol=0, atol=1e-5)


def test_the_image_gets_a_gradient_and_the_condition_none(network):
    image, difference = (values.requires_grad_() for values in slices())
    judged = network(image, difference)
    sum(logits.sum() for logits in judged.logits).backward()
    assert image.grad.abs().sum() > 0
    assert difference.grad is None


def test_the_losses_of_system_c_reach_a_synthetic_image_through_it(network):
    (real, difference), (synthetic, _) = slices(), slices(seed=2)
    synthetic.requires_grad_()
    of_real, of_synthetic = network(real, difference), network(synthetic, difference)
    loss = sum_over_scales(
        ADVERSARIAL_LOSSES["relativistic_average"].generator, of_real.logits, of_synthetic.logits, None
    )
    (adversarial,) = torch.autograd.grad(loss, synthetic, retain_graph=True)
    (matching,) = torch.autograd.grad(feature_matching(of_synthetic.features, of_real.features), synthetic)
    assert adversarial.abs().sum() > 0
    assert matching.abs().sum() > 0


def test_every_weight_of_the_encoder_is_held_to_singular_value_one(network):
    image, difference = slices()
    network.train()
    for _ in range(60):
        network(image, difference)
    for level in network.eval().encoder:
        assert torch.linalg.matrix_norm(level[0].weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("image", "difference"), [((2, 1, 64, 64), (2, 1, 64, 32)), ((2, 5, 64, 64), (2, 5, 64, 64))])
def test_wrong_shapes_are_refused_with_the_shapes(network, image, difference):
    with pytest.raises(ValueError, match=r"must both be \(B, 1, H, W\), got"):
        network(torch.zeros(image), torch.zeros(difference))


def test_a_slice_too_small_for_five_levels_is_refused(network):
    with pytest.raises(ValueError, match="33 voxels wide or more"):
        network(*slices(32, 64))
