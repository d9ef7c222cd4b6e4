"""The student: nothing at first, then a warp and a bounded correction; blind to contrasts that are not there."""

import msgspec
import pytest
import torch

from MRTranslateLib.networks.refiner import NUM_CONTEXT_CHANNELS, RefinementParameters, Refiner, source_context
from MRTranslateLib.networks.registration_unet import RegistrationUNetParameters
from MRTranslateLib.networks.warp import warp

BODY = RegistrationUNetParameters(
    widths=(6, 8, 8), bottleneck_width=8, num_bottleneck_blocks=1, max_flow_voxels=2.0, diffeomorphic=False
)
FAITHFUL = RefinementParameters(registration=BODY, max_residual=0.0)
EXTENDED = RefinementParameters(registration=BODY, max_residual=0.1)


def student(parameters=FAITHFUL, seed=0):
    torch.manual_seed(seed)
    return Refiner(parameters)


@pytest.fixture
def route():
    """Synthetic image, sources, availability of T1w and T2w, target code of FLAIR."""
    random = torch.Generator().manual_seed(1)
    availability, target_code = torch.zeros(2, 5), torch.zeros(2, 5)
    availability[:, [0, 2]], target_code[:, 4] = 1, 1
    return (
        torch.rand(2, 1, 16, 16, generator=random),
        torch.rand(2, 5, 16, 16, generator=random),
        availability,
        target_code,
    )


def make_wild(network):
    """Heads as after a long training."""
    torch.nn.init.normal_(network.body.registration.flow_head.weight, std=1.0)
    if network.body.residual_and_gate is not None:
        torch.nn.init.normal_(network.body.residual_and_gate.weight, std=10.0)
    return network


@pytest.mark.parametrize("parameters", [FAITHFUL, EXTENDED], ids=["faithful", "extended"])
def test_untrained_it_changes_next_to_nothing(parameters, route):
    refined = student(parameters)(*route)
    assert (refined.image - route[0]).abs().max() < 1e-2
    assert refined.flow.abs().max() < 1e-2


def test_with_heads_at_zero_it_is_the_identity(route):
    network = student(EXTENDED)
    torch.nn.init.zeros_(network.body.registration.flow_head.weight)
    assert (network(*route).image - route[0]).abs().max() < 1e-6


def test_the_untrained_residual_is_exactly_zero_and_yet_it_can_learn(route):
    network = student(EXTENDED)
    refined = network(*route)
    assert not refined.residual.any()
    refined.image.square().mean().backward()
    assert network.body.residual_and_gate.weight.grad[0].abs().max() > 0


def test_the_faithful_form_is_a_warp_and_nothing_else(route):
    refined = make_wild(student())(*route)
    assert refined.residual is None
    assert refined.flow.abs().max() > 0.5
    torch.testing.assert_close(refined.image, warp(route[0], refined.flow))


def test_the_extended_form_adds_at_most_its_bound(route):
    refined = make_wild(student(EXTENDED))(*route)
    assert 0.05 < refined.residual.abs().max() <= 0.1
    torch.testing.assert_close(refined.image, warp(route[0], refined.flow) + refined.residual)


def test_what_missing_contrasts_hold_does_not_matter(route):
    synthetic, sources, availability, target_code = route
    network, spoilt = make_wild(student(EXTENDED)), sources.clone()
    spoilt[:, [1, 3, 4]] = float("nan")
    refined = network(synthetic, sources, availability, target_code)
    again = network(synthetic, spoilt, availability, target_code)
    assert torch.equal(refined.image, again.image)


def test_sources_availability_and_target_each_reach_the_network(route):
    synthetic, sources, availability, target_code = route
    network = make_wild(student())
    flow = network(*route).flow
    fewer = availability.clone()
    fewer[:, 2] = 0
    assert (network(synthetic, sources * 0.5, availability, target_code).flow - flow).abs().max() > 1e-3
    assert (network(synthetic, sources, fewer, target_code).flow - flow).abs().max() > 1e-3
    assert (network(synthetic, sources, availability, target_code.roll(1, 1)).flow - flow).abs().max() > 1e-3


def test_the_context_says_what_is_there_and_what_is_wanted(route):
    _, sources, availability, target_code = route
    context = source_context(sources, availability, target_code)
    assert context.shape == (2, NUM_CONTEXT_CHANNELS, 16, 16)
    assert torch.equal(context[:, [0, 2]], sources[:, [0, 2]])
    assert not context[:, [1, 3, 4]].any()
    assert torch.equal(context[:, 5:, 3, 7], torch.cat([availability, target_code], dim=1))


def test_a_residual_beyond_the_range_of_images_is_refused():
    with pytest.raises(ValueError, match=r"max_residual must be in 0..1, got 1.5"):
        msgspec.structs.replace(EXTENDED, max_residual=1.5)
