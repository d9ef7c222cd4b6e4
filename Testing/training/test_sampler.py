"""Batches: repeatable, honest about what is withheld, in the right place."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from Testing.training.pretended_device import DEVICE, PretendedDevice
from training.data.sampler import SliceSampler, StoredBatch


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


def test_threads_that_draw_at_once_draw_the_same(sampler):
    expected = [sampler.draw(step, 3) for step in range(24)]
    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(lambda step: sampler.draw(step, 3), range(24)))
    for one, other in zip(drawn, expected, strict=True):
        assert all(
            torch.equal(mine, theirs) for mine, theirs in zip(vars(one).values(), vars(other).values(), strict=True)
        )


def test_a_process_draws_its_rows_of_the_whole_batch(sampler):
    whole = sampler.draw_stored(5, 5)
    part = sampler.draw_stored(5, 5, rows=range(1, 5, 2))
    for name, values in vars(part).items():
        assert torch.equal(values, getattr(whole, name)[[1, 3]])


@pytest.mark.parametrize("crop", [(32, 32), (32, 48), (48, 32), (48, 48)])  # slices are 40 x 36
@pytest.mark.parametrize("middle_of", ["lowest", "middle", "highest"])
def test_a_crop_is_cut_out_of_the_volume_with_zeros_around_it(tiny_scans, tiny_config, crop, middle_of):
    scan, far = tiny_scans[0], 100
    place = {"lowest": 0, "middle": 6, "highest": 11}[middle_of]
    brain = np.zeros_like(scan.brain)
    brain[place] = scan.brain[6]
    scan = dataclasses.replace(scan, brain=brain)
    data = msgspec.structs.replace(tiny_config.data, crop_voxels=crop, lesion_fraction=0.0)
    sampler = SliceSampler([scan], data, num_neighbours=5, seed=3)
    drawn = sampler.draw_stored(0, 1)
    (row, column), _ = sampler._window(scan.brain.shape, after_the_slice(sampler))
    index = np.ix_(
        np.arange(place - 2, place + 3) + far,
        np.arange(row, row + crop[0]) + far,
        np.arange(column, column + crop[1]) + far,
    )
    for contrast in Contrast:
        volume = scan.images.get(contrast, np.zeros_like(scan.lesion))
        assert np.array_equal(drawn.images[0, contrast.channel], np.pad(volume, far)[index])
    assert np.array_equal(drawn.brain[0, 0], np.pad(scan.brain, far)[index][2])
    assert np.array_equal(drawn.lesion[0, 0], np.pad(scan.lesion, far)[index][2] > 0)


def after_the_slice(sampler):
    """The source of chance of the first slice of step 0 when its middle slice has been drawn."""
    rng = np.random.default_rng((sampler.seed, 0, 0))
    rng.random()
    rng.choice(1)
    return rng


def test_a_batch_has_nothing_of_the_memory_it_lies_in(sampler, monkeypatch):
    clean = sampler.draw_stored(2, 3)
    empty = StoredBatch.empty

    def dirty(*arguments, **settings):
        batch = empty(*arguments, **settings)
        for values in vars(batch).values():
            values.fill_(1)
        return batch

    monkeypatch.setattr(StoredBatch, "empty", dirty)
    again = sampler.draw_stored(2, 3)
    assert all(torch.equal(values, getattr(clean, name)) for name, values in vars(again).items())


def test_conversion_is_exact_for_every_stored_value(sampler):
    stored = sampler.draw_stored(0, 1)
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 16, 16)
    stored = dataclasses.replace(stored, images=levels)
    expected = np.arange(256).astype(np.float32) / np.float32(255)  # correctly rounded, by the definition of division
    assert np.array_equal(stored.to(torch.device("cpu")).images.numpy().ravel(), expected)
    with PretendedDevice() as mode:  # as on a GPU, where it is divided otherwise
        moved = stored.to(DEVICE)
    assert np.array_equal(moved.images.held.numpy().ravel(), expected)
    assert mode.waits == []


def test_given_lists_what_is_available(sampler):
    batch = sampler.draw(7, 3)
    assert torch.equal(batch.given, batch.availability.nonzero())


def test_usual_sets_of_sources_are_drawn_as_often_as_the_configuration_says(tiny_scans, tiny_config):
    config = msgspec.structs.replace(tiny_config.data, source_sets=((Contrast.T1W,),), source_set_share=0.5)
    sampler = SliceSampler(tiny_scans, config, num_neighbours=3, seed=1)
    plain = SliceSampler(tiny_scans, tiny_config.data, num_neighbours=3, seed=1)

    def share(drawn):
        sources = torch.cat([drawn.draw(step, 2).availability for step in range(200)])
        return (sources == torch.eye(len(Contrast))[Contrast.T1W.channel]).all(dim=1).float().mean().item()

    by_chance = share(plain)
    assert share(sampler) == pytest.approx(0.5 + 0.5 * by_chance, abs=0.07)


def test_a_set_that_leaves_nothing_to_translate_is_not_drawn(tiny_scans, tiny_config):
    everything = tuple(tiny_scans[0].images)
    config = msgspec.structs.replace(tiny_config.data, source_sets=(everything,), source_set_share=1.0)
    sampler = SliceSampler(tiny_scans[:1], config, num_neighbours=3, seed=1)
    for step in range(20):
        assert (sampler.draw(step, 1).target_code.sum(dim=1) >= 1).all()


def test_styles_change_how_bright_all_contrasts_are_and_nothing_else(tiny_scans, tiny_config):
    config = msgspec.structs.replace(tiny_config.data, style_probability=1.0)
    plain = SliceSampler(tiny_scans, tiny_config.data, num_neighbours=3, seed=1)
    styled = SliceSampler(tiny_scans, config, num_neighbours=3, seed=1)
    changed = 0
    for step in range(10):
        one, other = plain.draw(step, 1), styled.draw(step, 1)
        assert torch.equal(one.images > 0, other.images > 0)
        assert torch.equal(one.brain, other.brain)
        changed += int(not torch.equal(one.images, other.images))
    assert changed >= 8
