"""Batches: repeatable, honest about what is withheld, in the right place."""

import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from training.data.sampler import SliceSampler


@pytest.fixture
def sampler(tiny_scans, tiny_config):
    return SliceSampler(tiny_scans, tiny_config.data, num_neighbours=3, seed=5)


def test_a_steps_batch_depends_on_seed_and_step_alone(sampler, tiny_scans, tiny_config):
    sampler.draw(1, 2)
    first = sampler.draw(9, 2)
    second = SliceSampler(tiny_scans, tiny_config.data, num_neighbours=3, seed=5).draw(9, 2)
    for one, other in zip(vars(first).values(), vars(second).values(), strict=True):
        assert torch.equal(one, other)


def test_steps_differ(sampler):
    assert not torch.equal(sampler.draw(1, 2).images, sampler.draw(2, 2).images)


def test_sources_are_a_proper_subset_of_what_was_acquired(sampler):
    for step in range(60):
        batch = sampler.draw(step, 2)
        assert ((batch.acquired - batch.availability) >= 0).all()
        assert (batch.availability.sum(dim=1) >= 1).all()
        assert (batch.target_code.sum(dim=1) >= 1).all()


def test_every_number_of_sources_occurs(sampler):
    counts = {int(count) for step in range(60) for count in sampler.draw(step, 2).availability.sum(dim=1)}
    assert counts == {1, 2}  # people have three contrasts at most: one is always the target


def test_a_contrast_nobody_acquired_is_empty(sampler):
    batch = sampler.draw(0, 3)
    assert not batch.images[:, Contrast.PDW.channel].any()
    assert not batch.acquired[:, Contrast.PDW.channel].any()


def test_the_middle_neighbour_is_the_slice_the_masks_belong_to(sampler):
    batch = sampler.draw(4, 2)
    t1 = batch.images[:, Contrast.T1W.channel, 1]
    assert torch.equal(t1 > 0, batch.brain[:, 0] > 0)


def test_lesion_slices_are_drawn_more_often_than_chance(tiny_scans, tiny_config):
    sampler = SliceSampler(tiny_scans, tiny_config.data, num_neighbours=3, seed=1)
    share = np.mean([sampler.draw(step, 2).lesion.amax(dim=(1, 2, 3)).mean() for step in range(150)])
    assert 0.45 < share < 0.7  # half by choice, and one slice of about ten by chance


def test_height_runs_from_the_lowest_to_the_highest_slice(sampler):
    heights = torch.cat([sampler.draw(step, 2).height for step in range(80)])
    assert heights.min() == 0
    assert heights.max() == 1


def test_people_with_one_contrast_are_no_use(tiny_config):
    from Testing.training.conftest import tiny_scan

    with pytest.raises(ValueError, match="two contrasts"):
        SliceSampler([tiny_scan("sub-x", 1, (Contrast.T1W,))], tiny_config.data, num_neighbours=3, seed=1)
