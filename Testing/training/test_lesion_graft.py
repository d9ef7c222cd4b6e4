"""A lesion of one person in the brain of another."""

import msgspec
import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from training.data.cache import CachedScan
from training.data.lesion_graft import Graft, LesionGrafts
from training.data.sampler import SliceSampler

T1W, FLAIR = Contrast.T1W, Contrast.FLAIR


class NeverMirrored:
    """Chance that takes the first of everything and leaves left where it is."""

    def integers(self, count):
        return 0

    def choice(self, values):
        return values[0]

    def random(self):
        return 1.0


class Mirrored(NeverMirrored):
    def random(self):
        return 0.0


def scan(name, *, brightness=1.0, lesion_slices=(), size=(10, 24, 20), contrasts=(T1W, FLAIR)):
    """Tissue of 40 to 120 times ``brightness``; a lesion, 200 in all contrasts, in front and to one side."""
    tissue = np.random.default_rng(len(name)).uniform(40, 120, size)
    brain = np.ones(size, bool)
    brain[:, :2] = False
    labels = np.zeros(size, np.uint8)
    for row in lesion_slices:
        labels[row, 6:14, 3:9] = 1
    image = np.where(labels > 0, 200, tissue * brightness) * brain
    return CachedScan(name, dict.fromkeys(contrasts, image.astype(np.uint8)), brain, labels, bool(lesion_slices))


def drawn(scans, person=0, middle=5, chance=None):
    return LesionGrafts(scans).draw(person, middle, 3, chance or NeverMirrored())


def test_a_graft_lies_where_the_donors_lesion_does():
    graft = drawn([scan("a"), scan("bb", lesion_slices=(4, 5, 6))])
    assert np.argwhere(graft.share[1] > 0.9).mean(axis=0) == pytest.approx([9.5, 5.5], abs=0.5)


def test_it_is_mirrored_as_chance_has_it():
    graft = drawn([scan("a"), scan("bb", lesion_slices=(4, 5, 6))], chance=Mirrored())
    assert np.argwhere(graft.share[1] > 0.9).mean(axis=0) == pytest.approx([9.5, 13.5], abs=0.5)


def test_neighbouring_slices_are_the_donors_neighbouring_slices():
    graft = drawn([scan("a"), scan("bb", lesion_slices=(5, 6))])  # slice 5 is drawn, 4 has no lesion
    assert (graft.share.max(axis=(1, 2)) > 0.9).tolist() == [False, True, True]


def test_slices_beyond_the_donors_last_are_empty():
    graft = drawn([scan("a"), scan("bb", lesion_slices=(9,))], middle=9)
    assert not graft.share[2].any()


def test_the_middles_of_brains_of_different_size_are_put_together():
    graft = drawn([scan("a", size=(10, 30, 16)), scan("bb", lesion_slices=(4, 5, 6))])
    assert graft.share.shape == (3, 30, 16)
    assert np.argwhere(graft.share[1] > 0.9).mean(axis=0) == pytest.approx([12.5, 3.5], abs=0.5)


def test_a_lesion_takes_the_brightness_of_its_new_surroundings():
    donor, recipient = scan("bb", lesion_slices=(4, 5, 6)), scan("a", brightness=0.5)
    graft = drawn([recipient, donor])
    tissue = graft.images[T1W][1][graft.share[1] == 0]
    assert np.median(tissue[tissue > 0]) == pytest.approx(np.median(recipient.images[T1W][recipient.brain]), abs=4)


def test_who_lacks_a_contrast_or_a_lesion_near_the_slice_gives_none():
    assert drawn([scan("a"), scan("bb", lesion_slices=(5,), contrasts=(T1W,))]) is None
    assert drawn([scan("a"), scan("bb", lesion_slices=(0,))]) is None
    assert drawn([scan("a", lesion_slices=(5,)), scan("bb")]) is None  # one's own lesion is none of another


def test_outside_the_tissue_of_either_nothing_changes():
    stacks = np.full((5, 1, 4, 4), 100, np.uint8)
    stacks[:, :, 0] = 0
    image = np.full((1, 4, 4), 200, np.uint8)
    image[:, :, 0] = 0
    Graft({T1W: image}, np.ones((1, 4, 4), np.float32)).onto(stacks)
    expected = np.full((4, 4), 200, np.uint8)
    expected[:, 0], expected[0] = 100, 0
    np.testing.assert_array_equal(stacks[T1W.channel, 0], expected)


def test_a_soft_rim_is_a_mixture():
    stacks = np.full((5, 1, 1, 1), 100, np.uint8)
    Graft({T1W: np.full((1, 1, 1), 200, np.uint8)}, np.full((1, 1, 1), 0.25, np.float32)).onto(stacks)
    assert stacks[T1W.channel].item() == 125


@pytest.fixture
def sampled(tiny_config):
    scans = [scan("a"), scan("bb", lesion_slices=(3, 4, 5, 6))]
    config = msgspec.structs.replace(tiny_config.data, crop_voxels=(16, 16), lesion_fraction=0.0)

    def batches(probability):
        changed = msgspec.structs.replace(config, graft_probability=probability)
        sampler = SliceSampler(scans, changed, num_neighbours=3, seed=5)
        return [sampler.draw(step, 2) for step in range(40)]

    return batches


def test_drawn_slices_hold_grafts_in_images_and_mask_alike(sampled):
    plain, grafted = sampled(0.0), sampled(1.0)
    found = 0
    for before, after in zip(plain, grafted, strict=True):
        changed = (before.images != after.images)[:, T1W.channel, 1]
        new = (after.lesion - before.lesion)[:, 0] > 0
        found += int(new.sum())
        assert not (new & (after.images[:, T1W.channel, 1] == 0)).any()
        assert changed[new].float().mean().item() > 0.9 or not new.any()
        assert (after.lesion >= before.lesion).all()
    assert found > 100


def test_without_grafts_slices_are_what_they_were(sampled):
    first, second = sampled(0.0), sampled(0.0)
    assert all((a.images == b.images).all() for a, b in zip(first, second, strict=True))
