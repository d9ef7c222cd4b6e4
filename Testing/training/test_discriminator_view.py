"""What discriminators are shown: nothing is changed unless asked for, and real and synthetic are changed alike."""

import msgspec
import pytest
import torch

from training.batch import Pairs
from training.config import AdversarialConfig
from training.stages.discriminator_view import discriminator_view

OFF = msgspec.convert(
    {
        "loss": "binary_cross_entropy",
        "local_labels": "plain",
        "local_weight": 0.05,
        "global_weight": 0.05,
        "gradient_difference": 0.0,
        "learning_rate_share": 0.5,
        "r1_gamma": 0.0,
        "r1_every_steps": 1,
        "attention": {"form": "uniform", "strength": 0.0, "start_step": 0, "ramp_steps": 1},
    },
    AdversarialConfig,
)


def switched(**changes):
    return msgspec.structs.replace(OFF, **changes)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def step():
    """Pairs, a translation and a target; the target is noise without background."""
    drawn = torch.rand(4, 8, 1, 32, 32, generator=seeded(5)).unbind(1)
    sources = torch.rand(4, 5, 32, 32, generator=seeded(6)) + 0.1
    zeros = torch.zeros(4, dtype=torch.long)
    brain = torch.ones(4, 1, 32, 32)
    pairs = Pairs(zeros, zeros, sources, torch.ones(4, 5), torch.ones(4, 5), drawn[1], brain, 0 * brain)
    return pairs, drawn[0].clone().requires_grad_(), drawn[1]


def test_with_everything_off_the_step_itself_is_shown_and_no_chance_is_used(step):
    pairs, synthetic, target = step
    random = seeded()
    before = random.get_state()
    view = discriminator_view(OFF, pairs, synthetic, target, None, random)
    assert view.pairs is pairs
    assert view.synthetic is synthetic
    assert view.real is target
    assert torch.equal(random.get_state(), before)


def test_real_slices_alone_are_resampled(step):
    pairs, synthetic, target = step
    view = discriminator_view(switched(real_warp_voxels=0.5), pairs, synthetic, target, None, seeded())
    inner = (..., slice(2, -2), slice(2, -2))
    assert torch.equal(view.synthetic[inner], synthetic[inner])
    assert torch.equal(view.pairs.sources[inner], pairs.sources[inner])
    assert (view.real[inner] - target[inner]).abs().mean() > 0.02
    assert view.real[inner].std() < 0.95 * target[inner].std()


def test_what_warping_brought_in_is_hidden_in_everything(step):
    pairs, synthetic, target = step
    visible = torch.ones_like(target)
    visible[:, :, :5] = 0
    view = discriminator_view(OFF, pairs, synthetic, target, visible, seeded())
    for image, given in (
        (view.synthetic, synthetic),
        (view.real, target),
        (view.pairs.sources, pairs.sources),
        (view.pairs.brain, pairs.brain),
    ):
        assert image[:, :, :5].abs().max() == 0
        assert torch.equal(image[:, :, 5:], given[:, :, 5:])


def test_the_border_that_resampling_brings_in_is_hidden_too(step):
    view = discriminator_view(switched(real_warp_voxels=0.9), *step, None, seeded())
    hidden = view.pairs.brain == 0
    assert hidden.any()
    assert not hidden[:, :, 1:-1, 1:-1].any()
    assert view.real[hidden].abs().max() == 0
    assert view.synthetic[hidden].abs().max() == 0


def test_augmentation_treats_real_synthetic_and_sources_alike(step):
    pairs, _, target = step
    view = discriminator_view(switched(augmentation=1.0), pairs, target, target, None, seeded())
    assert torch.equal(view.synthetic, view.real)
    assert not torch.equal(view.real, target)
    torch.testing.assert_close((view.pairs.sources[:, :1] > 0), view.pairs.brain > 0)


def test_the_generators_gradient_passes(step):
    view = discriminator_view(switched(augmentation=1.0, real_warp_voxels=0.5), *step, None, seeded())
    view.synthetic.sum().backward()
    assert (step[1].grad > 0).float().mean() > 0.5
