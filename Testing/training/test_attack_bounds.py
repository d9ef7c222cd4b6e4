"""Every limit holds after projection, whatever was proposed."""

import dataclasses

import numpy as np
import pytest
import torch

from MRTranslateLib.metrics.similarity import structural_similarity_map
from MRTranslateLib.robustness.attack.bounds import Bounds, attackable, project, psnr_db, ssim
from Testing.training.attack_examples import slices

NUM_DRAWS = 1000


@pytest.fixture(scope="module")
def thousand_draws():
    """Proposals of all sizes and shapes for ten pictures, a hundred each, with the clean images."""
    images, brain = slices(batch=10, sources=2)
    images[::5, 1] = 0  # two people lack the second source
    images, brain = images.repeat_interleave(NUM_DRAWS // 10, 0), brain.repeat_interleave(NUM_DRAWS // 10, 0)
    random = torch.Generator().manual_seed(1)
    size = 10 ** (torch.rand(NUM_DRAWS, 1, 1, 1, generator=random) * 4 - 3)  # 0.001 .. 10
    noise = torch.randn(images.shape, generator=random)
    coarse = torch.nn.functional.interpolate(noise[..., :4, :4], images.shape[-2:], mode="bicubic")
    change = torch.where(torch.arange(NUM_DRAWS).view(-1, 1, 1, 1) % 2 == 0, noise, coarse)
    return images, brain, images + size * change


@pytest.mark.parametrize("bounds", [Bounds(8 / 255), Bounds(None), Bounds(0.3, min_psnr_db=24, min_ssim=0.97)])
def test_all_limits_hold_for_a_thousand_draws(thousand_draws, bounds):
    images, brain, candidates = thousand_draws
    result = project(candidates, images, brain, bounds)
    change = result - images
    inside = attackable(images, brain)
    if bounds.linf is not None:
        assert float(change.abs().max()) <= bounds.linf + 1e-6
    assert not change[(brain == 0).expand_as(change)].any()
    assert not change[::500, 1].any()  # the absent source stays absent
    assert result.min() >= 0
    assert result.max() <= 1
    assert float(psnr_db(images, result, inside).min()) >= bounds.min_psnr_db
    assert float(ssim(images, result, inside).min()) >= bounds.min_ssim
    assert change.flatten(1).any(dim=1).all()  # and still something is left of each proposal


def test_a_bound_of_0_leaves_the_images_bit_for_bit(thousand_draws):
    images, brain, candidates = thousand_draws
    assert torch.equal(project(candidates, images, brain, Bounds(0.0)), images)


def test_a_proposal_within_the_limits_is_not_touched():
    images, brain = slices()
    candidate = images + 0.01 * brain
    torch.testing.assert_close(project(candidate, images, brain, Bounds(0.02)), candidate, rtol=0, atol=1e-7)


def test_the_psnr_floor_is_reached_and_not_only_kept():
    images, brain = slices()
    result = project(images + 0.2 * brain, images, brain, Bounds(None, min_ssim=-1))
    torch.testing.assert_close(
        psnr_db(images, result, attackable(images, brain)), torch.full((3, 2), 28.0), atol=0.01, rtol=0
    )


def test_what_is_not_finite_counts_as_unchanged_and_no_gradient_passes():
    images, brain = slices()
    candidate = (images + 0.01).requires_grad_()
    with torch.no_grad():
        candidate[0] = torch.nan
        candidate[1, 0, 16, 16] = torch.inf
    result = project(candidate, images, brain, Bounds(0.1))
    assert not result.requires_grad
    assert torch.equal(result[0], images[0])
    assert result.isfinite().all()


def test_neighbouring_slices_change_only_where_they_show_brain():
    images, brain = slices()
    stacks = images[:, :, None].repeat(1, 1, 3, 1, 1)
    stacks[:, :, 0, :10] = 0
    result = project(stacks + 0.02, stacks, brain, Bounds(0.02))
    assert not result[:, :, 0, :10].any()
    assert (result - stacks)[:, :, 1].bool().equal(brain.bool().expand(-1, 2, -1, -1))


def test_ssim_equals_that_of_the_metrics():
    images, brain = slices(batch=2)
    other = (images + 0.05 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))) * brain
    found = ssim(images, other, brain.bool().expand_as(images))
    for sample in range(2):
        for source in range(2):
            pair = images[sample, source].numpy(), other[sample, source].numpy()
            expected = structural_similarity_map(*pair, data_range=1)[brain[sample, 0].numpy() > 0].mean()
            assert float(found[sample, source]) == pytest.approx(expected, abs=1e-4)


def test_psnr_has_its_closed_form():
    images, brain = slices()
    shifted = images + 0.1
    np.testing.assert_allclose(psnr_db(images, shifted, brain.bool().expand_as(images)).numpy(), 20.0, atol=1e-4)


def test_limits_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"linf must be in 0..1 or None, got 2"):
        Bounds(2)
    with pytest.raises(ValueError, match=r"an SSIM below 1, got 28.0, 1"):
        Bounds(None, min_ssim=1)


def test_the_highest_level_may_use_the_change_it_is_given():
    images, brain = torch.full((1, 1, 24, 24), 0.5), torch.ones(1, 1, 24, 24)
    signs = torch.randint(2, images.shape, generator=torch.Generator().manual_seed(1)) * 2.0 - 1
    used = []
    for level in (4, 5):
        bounds = Bounds.of_level(level)
        loose = dataclasses.replace(bounds, min_ssim=-0.5)  # of a flat image noise leaves no structure at all
        used.append(float((project(images + signs, images, brain, loose) - images).abs().max()))
    assert used[0] == pytest.approx(8 / 255, rel=1e-3)
    assert used[1] == pytest.approx(16 / 255, rel=1e-3)
