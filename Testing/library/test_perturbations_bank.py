"""What holds for every perturbation: layouts, seeds, background, levels, both tracks."""

import numpy as np
import pytest
import torch

from MRTranslateLib.errors import UsageError
from MRTranslateLib.robustness.perturbations import NUM_LEVELS, PERTURBATIONS, perturb
from MRTranslateLib.robustness.perturbations.bank import brain_percentile
from MRTranslateLib.robustness.perturbations.motion import Motion
from Testing.library.perturbation_examples import ONE_MM, ball

NAMES = tuple(PERTURBATIONS)
HARD = tuple(name for name in NAMES if PERTURBATIONS[name].hard_levels)


def run(name, level, images=None, **options):
    return perturb(
        ball() if images is None else images, name, level, **({"seed": 1, "voxel_size_mm": ONE_MM} | options)
    )


@pytest.mark.parametrize("name", NAMES)
def test_level_0_is_the_image_itself(name):
    assert torch.equal(run(name, 0), ball())


@pytest.mark.parametrize(("name", "hard"), [(name, False) for name in NAMES] + [(name, True) for name in HARD])
def test_a_result_is_finite_in_0_to_1_and_empty_where_the_brain_ends(name, hard):
    worse = run(name, 5, hard=hard)
    assert worse.isfinite().all()
    assert worse.min() >= 0
    assert worse.max() <= 1
    assert not worse[ball() == 0].any()
    assert not torch.equal(worse, ball())


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_and_global_randomness_does_not(name):
    torch.manual_seed(0)
    first = run(name, 3)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert torch.equal(first, run(name, 3))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", ["rician_noise", "motion", "spike", "bias_field", "elastic_misalignment"])
def test_another_seed_gives_another_artefact(name):
    assert not torch.equal(run(name, 3), run(name, 3, seed=2))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dropped_source"])
def test_higher_levels_are_worse_on_average(name):
    image = ball((5, 48, 40))
    errors = [
        np.mean([float((run(name, level, image, seed=seed) - image).square().mean()) for seed in range(6)])
        for level in (1, 3, 5)
    ]
    assert errors == sorted(errors)
    assert errors[0] < 0.7 * errors[2]


@pytest.mark.parametrize("name", ["blur", "motion", "bias_field", "gibbs", "thick_slices"])
def test_a_fraction_of_a_level_lies_between_its_neighbours(name):
    image = ball()
    below, between, above = ((run(name, level) - image).square().mean() for level in (2, 2.5, 3))
    assert below < between < above


def test_counts_are_rounded_up_between_levels():
    assert PERTURBATIONS["motion"].at(1.5) == Motion(0.75, 0.75, 2)
    assert PERTURBATIONS["motion"].at(0.5) == Motion(0.25, 0.25, 1)


def test_the_scales_are_those_of_methods():
    assert [step.sigma for step in PERTURBATIONS["rician_noise"].levels] == [0.01, 0.02, 0.04, 0.07, 0.10]
    assert [step.exponent for step in PERTURBATIONS["gamma_above_one"].hard_levels] == [1.4, 1.8, 2.2, 2.6, 3.0]
    assert [step.alpha for step in PERTURBATIONS["gibbs"].levels] == [0.3, 0.45, 0.6, 0.7, 0.8]
    assert all(len(entry.levels) == NUM_LEVELS for entry in PERTURBATIONS.values())
    assert all(len(entry.hard_levels) in (0, NUM_LEVELS) for entry in PERTURBATIONS.values())


@pytest.mark.parametrize("name", [name for name in NAMES if PERTURBATIONS[name].min_slices == 1])
def test_training_slices_of_every_layout_keep_their_shape_and_absent_sources_stay_absent(name):
    volume = ball()
    slices = torch.stack([torch.stack([volume[3], torch.zeros_like(volume[3]), volume[4]])] * 2)
    stacks = torch.stack([torch.stack([volume[2:5], torch.zeros_like(volume[:3]), volume[3:6]])] * 2)
    for images, brain in ((slices, volume[None, None, 3] > 0), (stacks, volume[None, None, 3] > 0), (stacks, None)):
        mask = None if brain is None else brain.expand(2, 1, -1, -1).float()
        worse = run(name, 5, images, brain=mask)
        assert worse.shape == images.shape
        assert not worse[:, 1].any()


def test_samples_and_sources_have_artefacts_of_their_own_but_slices_of_a_stack_share_them():
    stacks = ball()[3].expand(2, 2, 3, -1, -1)
    worse = run("bias_field", 5, stacks, voxel_size_mm=(1e-6, 1.0, 1.0))
    torch.testing.assert_close(worse[0, 0, 0], worse[0, 0, 2])
    assert not torch.equal(worse[0, 0], worse[0, 1])
    assert not torch.equal(worse[0, 0], worse[1, 0])


def test_a_brain_mask_fills_holes_that_zeros_would_leave():
    image = ball()
    brain = image > 0
    image[4, 20:28, 16:24] = 0  # fluid in FLAIR
    assert run("rician_noise", 5, image, brain=brain)[4, 20:28, 16:24].mean() > 0.1
    assert not run("rician_noise", 5, image)[4, 20:28, 16:24].any()


@pytest.mark.parametrize("name", ["rician_noise", "gamma_above_one", "spike", "bias_field"])
def test_the_own_scale_brings_back_the_99_5th_percentile_and_the_clean_scale_does_not(name):
    image = ball() * 0.8  # room above, so that nothing is clipped
    brain = (image > 0)[None]
    clean = brain_percentile(image[None], brain)
    own = brain_percentile(run(name, 4, image, renormalise=True)[None], brain)
    kept = brain_percentile(run(name, 4, image)[None], brain)
    assert abs(float(own / clean) - 1) < 1e-4
    assert abs(float(kept / clean) - 1) > 0.01


def test_percentiles_equal_those_of_numpy():
    images = torch.rand(3, 4, 20, 20, generator=torch.Generator().manual_seed(0))
    brain = (
        torch.rand(images.shape, generator=torch.Generator().manual_seed(1))
        > torch.tensor([0.2, 0.7, 1.0])[:, None, None, None]
    )
    found = brain_percentile(images, brain)
    expected = [np.percentile(images[group][brain[group]].numpy(), 99.5) for group in range(2)]
    np.testing.assert_allclose(found[:2].numpy(), expected, rtol=1e-6)
    assert found[2] == 0


def test_no_gradient_passes():
    assert not run("blur", 3, ball().requires_grad_()).requires_grad


def test_wrong_requests_are_refused_with_what_would_be_right():
    with pytest.raises(UsageError, match=r"unknown perturbation 'fog': use one of gaussian_noise, .*dropped_source"):
        run("fog", 1)
    with pytest.raises(UsageError, match=r"level 6 of blur is out of range: give 0 \(nothing\) to 5"):
        run("blur", 6)
    with pytest.raises(UsageError, match=r"spike has no hard scale: .*rician_noise, motion"):
        run("spike", 1, hard=True)
    with pytest.raises(UsageError, match=r"hard scale of rician_noise begins at level 1, got 0.5"):
        run("rician_noise", 0.5, hard=True)
    with pytest.raises(ValueError, match=r"thick_slices needs stacks of at least 3 slices, got 1"):
        run("thick_slices", 1, ball()[None, 3:4])
    with pytest.raises(ValueError, match=r"brain \(2, 48, 40\) does not fit images \(8, 48, 40\)"):
        run("blur", 1, brain=ball()[:2])
    with pytest.raises(ValueError, match=r"images must be .* got \(48, 40\)"):
        run("blur", 1, ball()[0])
    with pytest.raises(ValueError, match=r"voxel_size_mm must be three positive lengths .* got \(1, 0, 1\)"):
        run("blur", 1, voxel_size_mm=(1, 0, 1))
    with pytest.raises(ValueError, match=r"a seed is not negative, got -1"):
        run("motion", 1, seed=-1)
