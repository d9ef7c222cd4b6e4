"""The teacher: privileged inputs, identity at first, a loss that turns the translation into the target."""

import pytest
import torch

from MRTranslateLib.networks.refiner import Refinement, RefinementParameters
from MRTranslateLib.networks.registration_unet import RegistrationUNetParameters
from training.losses.registration import METHODS_WEIGHTS, registration_loss
from training.networks.teacher import Teacher, drop_targets

BODY = RegistrationUNetParameters(
    widths=(8, 8, 8), bottleneck_width=8, num_bottleneck_blocks=1, max_flow_voxels=4.0, diffeomorphic=False
)
FAITHFUL = RefinementParameters(registration=BODY, max_residual=0.0)
EXTENDED = RefinementParameters(registration=BODY, max_residual=0.1)


def build(parameters=FAITHFUL, *, with_sources=True, wild=False):
    torch.manual_seed(0)
    teacher = Teacher(parameters, with_sources=with_sources)
    if wild:
        torch.nn.init.normal_(teacher.body.registration.flow_head.weight, std=1.0)
    return teacher


@pytest.fixture
def route():
    """Synthetic image, target, sources, availability of T1w, target code of T2w."""
    random = torch.Generator().manual_seed(1)
    availability, target_code = torch.zeros(2, 5), torch.zeros(2, 5)
    availability[:, 0], target_code[:, 2] = 1, 1
    synthetic, target = torch.rand(2, 2, 1, 16, 16, generator=random)
    return synthetic, target, torch.rand(2, 5, 16, 16, generator=random), availability, target_code


@pytest.mark.parametrize("parameters", [FAITHFUL, EXTENDED], ids=["faithful", "extended"])
@pytest.mark.parametrize("with_sources", [False, True])
def test_untrained_it_changes_next_to_nothing(parameters, with_sources, route):
    refined = build(parameters, with_sources=with_sources)(*route)
    assert refined.flow.abs().max() < 1e-2
    assert (refined.image - route[0]).abs().max() < 1e-2


def test_it_sees_the_target(route):
    synthetic, target, *rest = route
    teacher = build(wild=True)
    assert (teacher(synthetic, target, *rest).flow - teacher(synthetic, 1 - target, *rest).flow).abs().max() > 1e-3


@pytest.mark.parametrize("with_sources", [False, True])
def test_it_sees_the_sources_only_if_asked_to(with_sources, route):
    synthetic, target, sources, *rest = route
    teacher = build(with_sources=with_sources, wild=True)
    one, other = (teacher(synthetic, target, images, *rest).flow for images in (sources, 1 - sources))
    assert torch.equal(one, other) != with_sources


def test_training_it_undoes_a_known_shift_of_the_translation():
    rows = torch.linspace(0, 9, 24).sin()[:, None] * torch.linspace(0, 7, 24).cos()[None]
    target = (0.5 + 0.4 * rows).expand(1, 1, 24, 24)
    synthetic = target.roll(2, dims=2)  # two voxels down
    nothing, code, brain = torch.zeros(1, 5, 24, 24), torch.zeros(1, 5), torch.zeros(1, 1, 24, 24)
    brain[:, :, 4:-4, 4:-4] = 1
    teacher = build(with_sources=False)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for _ in range(80):
        refined = teacher(synthetic, target, nothing, code, code)
        loss = sum(registration_loss(refined, target, brain).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    error_before, error_after = (((image - target).abs() * brain).sum() for image in (synthetic, refined.image))
    assert error_after < 0.3 * error_before
    assert ((refined.flow[:, 0] * brain[:, 0]).sum() / brain.sum()).item() == pytest.approx(2.0, abs=0.5)


def test_its_loss_is_the_weighted_sum_of_methods():
    image, target, brain = (torch.full((1, 1, 16, 16), value) for value in (0.5, 0.6, 1.0))
    flow = 0.1 * torch.arange(16.0).view(1, 1, 16, 1).expand(1, 2, 16, 16)
    terms = registration_loss(Refinement(image, flow, None, ()), target, brain)
    assert terms.keys() == {"absolute_error", "smoothness"}
    assert terms["absolute_error"].item() == pytest.approx(40 * 0.1, rel=1e-5)
    assert terms["smoothness"].item() == pytest.approx(10 * 0.01, rel=1e-4)
    extended = registration_loss(Refinement(image, flow, torch.full_like(image, -0.05), ()), target, brain)
    assert extended["residual"].item() == pytest.approx(METHODS_WEIGHTS.residual * 0.05)
    assert extended["structural_similarity"].item() > 0


def test_dropout_hides_a_tenth_of_the_targets_whole():
    targets = torch.rand(2000, 1, 4, 4) + 0.1
    seen = drop_targets(targets, torch.Generator().manual_seed(0))
    hidden = (seen == 0).flatten(1).all(dim=1)
    assert hidden.float().mean().item() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(seen[~hidden], targets[~hidden])
