"""The global discriminator: one logit for a slice of any size."""

import msgspec
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import one_hot
from MRTranslateLib.networks.local_discriminator import DiscriminatorParameters
from training.networks.global_discriminator import GlobalDiscriminator

SMALL = DiscriminatorParameters(widths=(8, 8, 16, 16), normalization="group", spectral_norm=True, sees_sources=True)


def example(height, width, batch_size=2):
    random = torch.Generator().manual_seed(1)
    sources = torch.rand(batch_size, 5, height, width, generator=random) + 0.01
    candidate = torch.rand(batch_size, 1, height, width, generator=random)
    availability = torch.tensor([[1.0, 0, 1, 0, 0]] * batch_size)
    return sources, availability, one_hot(Contrast.FLAIR, batch_size), candidate


@pytest.mark.parametrize("normalization", ["group", "instance", "none"])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 64), (70, 129)])
def test_any_size_and_a_batch_of_one_give_one_logit(normalization, height, width):
    torch.manual_seed(0)
    network = GlobalDiscriminator(msgspec.structs.replace(SMALL, normalization=normalization))
    assert network(*example(height, width, batch_size=1)).shape == (1, 1)


def test_every_voxel_of_the_slice_has_a_say():
    torch.manual_seed(0)
    network = GlobalDiscriminator(msgspec.structs.replace(SMALL, normalization="none")).eval()
    *condition, candidate = example(128, 128)
    (gradient,) = torch.autograd.grad(network(*condition, candidate.requires_grad_()).sum(), candidate)
    assert (gradient != 0).float().mean() > 0.99


def test_the_vote_hears_the_mean_of_all_places_and_the_loudest_one():
    torch.manual_seed(0)
    network = GlobalDiscriminator(msgspec.structs.replace(SMALL, spectral_norm=False))
    features = []
    network.coarsest.register_forward_hook(lambda _, __, output: features.append(output.relu()) or features[0])
    with torch.no_grad():
        network.vote.bias.zero_()
        network.vote.weight.copy_(torch.tensor([[1.0] * 16 + [3.0] * 16]))
    logit = network(*example(128, 128, batch_size=1))
    means, loudest = features[0].mean(dim=(2, 3)).sum(), features[0].amax(dim=(2, 3)).sum()
    assert means < 0.95 * loudest
    assert logit.item() == pytest.approx((means + 3 * loudest).item(), rel=1e-5)


def test_a_slice_does_not_depend_on_its_batch_even_in_training_mode():
    torch.manual_seed(0)
    network = GlobalDiscriminator(msgspec.structs.replace(SMALL, spectral_norm=False)).train()
    inputs = example(64, 64, batch_size=3)
    alone = network(*(values[:1] for values in inputs))
    torch.testing.assert_close(network(*inputs)[:1], alone, rtol=0, atol=1e-5)


def test_it_sees_the_sources_only_if_it_is_to():
    for sees_sources in (True, False):
        torch.manual_seed(0)
        network = GlobalDiscriminator(msgspec.structs.replace(SMALL, sees_sources=sees_sources)).eval()
        sources, *rest = example(64, 64)
        assert torch.equal(network(sources, *rest), network(sources.flip(-1), *rest)) != sees_sources
