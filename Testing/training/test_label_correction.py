"""Label correction: identity at first, a loss that moves it towards the known flow and not the generator."""

import pytest
import torch

from MRTranslateLib.networks.registration_unet import RegistrationUNetParameters
from MRTranslateLib.networks.warp import warp
from training.data.misalignment import draw_misalignment
from training.losses.label_correction import METHODS_WEIGHTS, image_terms, known_flow_terms
from training.networks.label_correction import CorrectedTarget, LabelCorrection

SMALL = RegistrationUNetParameters(
    widths=(8, 12, 12), bottleneck_width=16, num_bottleneck_blocks=1, max_flow_voxels=6.0, diffeomorphic=False
)


def build():
    torch.manual_seed(0)
    return LabelCorrection(SMALL)


def pair(count=3, size=24, seed=0):
    """A smooth target, the source that shows the same shapes inverted, and the route T1w to FLAIR."""
    coarse = torch.rand(count, 1, 7, 7, generator=torch.Generator().manual_seed(seed))
    target = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic", align_corners=True).clamp(0, 1)
    sources, availability, target_code = torch.zeros(count, 5, size, size), torch.zeros(count, 5), torch.zeros(count, 5)
    sources[:, :1], availability[:, 0], target_code[:, 4] = 1 - target, 1, 1
    brain = torch.zeros(count, 1, size, size)
    brain[:, :, 3:-3, 3:-3] = 1
    return target, sources, availability, target_code, brain


def test_untrained_it_moves_by_less_than_a_hundredth_of_a_voxel():
    target, *rest, _ = pair()
    corrected = build()(target, *rest)
    assert corrected.flow.abs().max() < 1e-2
    assert (corrected.image - target).abs().max() < 1e-2


def test_the_corrected_target_is_the_target_warped_by_the_flow_and_carries_the_gradient():
    target, *rest, brain = pair()
    network = build()
    corrected = network(target, *rest)
    assert torch.equal(corrected.image, warp(target, corrected.flow))
    sum(image_terms(corrected, target.roll(1, 3), brain).values()).backward()
    assert network.registration.flow_head.weight.grad.abs().max() > 0


def test_it_sees_the_target_and_the_sources():
    target, sources, *rest, _ = pair()
    network = build()
    torch.nn.init.normal_(network.registration.flow_head.weight, std=1.0)
    flow = network(target, sources, *rest).flow
    assert (network(1 - target, sources, *rest).flow - flow).abs().max() > 1e-3
    assert (network(target, 1 - sources, *rest).flow - flow).abs().max() > 1e-3


def test_what_missing_contrasts_hold_does_not_matter():
    target, sources, availability, target_code, _ = pair()
    spoilt = sources.clone()
    spoilt[:, 1:] = float("nan")
    network = build()
    flows = [network(target, images, availability, target_code).flow for images in (sources, spoilt)]
    assert torch.equal(*flows)


def test_the_loss_does_not_reach_the_generator():
    translation = torch.rand(1, 1, 16, 16, requires_grad=True)
    flow = torch.zeros(1, 2, 16, 16, requires_grad=True)
    corrected = CorrectedTarget(warp(torch.rand(1, 1, 16, 16), flow), flow)
    sum(image_terms(corrected, translation, torch.ones(1, 1, 16, 16)).values()).backward()
    assert translation.grad is None
    assert flow.grad.abs().max() > 0


def test_the_terms_are_what_methods_says():
    image, brain = torch.full((1, 1, 16, 16), 0.5), torch.ones(1, 1, 16, 16)
    flow = 0.1 * torch.arange(16.0).view(1, 1, 16, 1).expand(1, 2, 16, 16)
    terms = image_terms(CorrectedTarget(image, flow), image + 0.1, brain)
    assert terms["absolute_error"].item() == pytest.approx(2 * 0.1, rel=1e-5)
    assert terms["smoothness"].item() == pytest.approx(1 * 0.01, rel=1e-4)
    assert terms["folding"].item() == 0
    known = known_flow_terms(CorrectedTarget(image, flow), flow + torch.tensor([3.0, 4.0]).view(1, 2, 1, 1), brain)
    assert known["flow"].item() == pytest.approx(5 * METHODS_WEIGHTS.flow, rel=1e-5)


def test_training_on_known_flows_recovers_most_of_a_misalignment_of_the_same_slices():
    # One motion of three slices, learnt by heart: it shows that signs, axes and units agree all the way.
    target, sources, availability, target_code, brain = pair()
    motion = draw_misalignment(3, (24, 24), affine_level=3, elastic_voxels=1, random=torch.Generator().manual_seed(5))
    moved, network = motion.move(target), build()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(60):
        corrected = network(moved, sources, availability, target_code)
        loss = sum(known_flow_terms(corrected, motion.correction, brain).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert motion.recovered_share(corrected.flow, brain) > 0.7
    error_before, error_after = (((image - target).abs() * brain).sum() for image in (moved, corrected.image))
    assert error_after < 0.5 * error_before
