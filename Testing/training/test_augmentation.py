"""Augmentation: one geometry for all, appearance for sources alone, seeded."""

import msgspec
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from Testing.training.pretended_device import DEVICE, PretendedDevice
from training.data import augmentation
from training.data.augmentation import augment
from training.data.sampler import SliceSampler

OFF = {"geometry_probability": 0.0, "gamma": 0.0, "gain": 0.0, "bias_field": 0.0, "noise": 0.0, "blur_probability": 0.0}
T1W, T2W = Contrast.T1W.channel, Contrast.T2W.channel


@pytest.fixture
def batch(tiny_scans, tiny_config):
    return SliceSampler(tiny_scans[:2], tiny_config.data, num_neighbours=3, seed=5).draw(3, 2)


def run(batch, config, seed=0):
    return augment(batch, config, torch.Generator().manual_seed(seed))


def test_the_seed_decides(batch, tiny_config):
    first, second, other = (run(batch, tiny_config.augmentation, seed)[1] for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_all_contrasts_move_alike(batch, tiny_config):
    # The contrasts of the tiny scans are functions of each other: T1w + T2w is constant in the brain.
    config = msgspec.structs.replace(tiny_config.augmentation, **(OFF | {"geometry_probability": 1.0}))
    moved, _ = run(batch, config)
    assert not torch.equal(moved.images, batch.images)
    middle = moved.images[:, :, 1]
    deep = torch.nn.functional.avg_pool2d(moved.brain, 5, 1, 2)[:, 0] == 1
    assert ((middle[:, T1W] + middle[:, T2W])[deep] - 1).abs().max() < 0.02


def test_mirroring_keeps_every_intensity(batch, tiny_config):
    config = msgspec.structs.replace(tiny_config.augmentation, **OFF)
    moved, _ = run(batch, config)
    for before, after in zip(batch.images, moved.images, strict=True):
        assert torch.equal(after, before) or torch.equal(after, before.flip(-1))


def test_without_changes_the_sources_are_the_truth_and_the_rest_is_withheld(batch, tiny_config):
    config = msgspec.structs.replace(tiny_config.augmentation, **OFF)
    moved, sources = run(batch, config)
    given = moved.availability.bool()
    torch.testing.assert_close(sources[given], moved.images[given], rtol=0, atol=1e-4)
    assert not sources[~given].any()


def test_appearance_changes_sources_only_and_leaves_background_empty(batch, tiny_config):
    config = msgspec.structs.replace(tiny_config.augmentation, geometry_probability=0.0)
    moved, sources = run(batch, config)
    given = moved.availability.bool()
    assert not torch.equal(sources[given], moved.images[given])
    assert not sources[given][moved.images[given] == 0].any()
    assert sources.min() >= 0
    assert sources.max() <= 1


def test_noise_has_the_standard_deviation_it_says(tiny_config, batch):
    config = msgspec.structs.replace(tiny_config.augmentation, **(OFF | {"noise": 0.05}))
    spreads = []
    for seed in range(40):
        moved, sources = run(batch, config, seed)
        given = moved.availability.bool()
        inside = (moved.images[given] > 0.2) & (moved.images[given] < 0.8)
        spreads.append(float((sources[given] - moved.images[given])[inside].std()))
    assert 0.02 < max(spreads) < 0.055  # drawn between 0 and 0.05, for half of the contrasts


def test_masks_stay_masks(batch, tiny_config):
    moved, _ = run(batch, msgspec.structs.replace(tiny_config.augmentation, geometry_probability=1.0))
    assert set(moved.brain.unique().tolist()) <= {0.0, 1.0}
    assert set(moved.lesion.unique().tolist()) <= {0.0, 1.0}


@pytest.fixture
def beside_a_device(tiny_scans, tiny_config, monkeypatch):
    """Augment a batch on a pretended device; the same again on the CPU."""
    # No device, no generator on it: the noise is then drawn as on the CPU.
    drawn_there = augmentation._noise_like
    noise = lambda like, random: torch.randn(like.shape, generator=random).to(like.device, non_blocking=True)  # noqa: E731
    monkeypatch.setattr(augmentation, "_noise_like", noise)
    config = msgspec.structs.replace(tiny_config.augmentation, blur_probability=1.0)
    stored = SliceSampler(tiny_scans, tiny_config.data, num_neighbours=3, seed=5).draw_stored(3, 8)

    def both():
        with PretendedDevice() as mode:
            there = run(stored.to(DEVICE), config)
        monkeypatch.setattr(augmentation, "_noise_like", drawn_there)
        return mode.waits, there, run(stored.to(torch.device("cpu")), config)

    return both


def test_the_host_waits_for_no_device(beside_a_device):
    waits, _, _ = beside_a_device()
    assert waits == []


def test_a_device_sees_what_the_cpu_sees(beside_a_device):
    _, (batch, sources), (expected_batch, expected_sources) = beside_a_device()
    assert torch.equal(sources.held, expected_sources)
    assert torch.equal(batch.images.held, expected_batch.images)
    assert torch.equal(batch.lesion.held, expected_batch.lesion)


@pytest.mark.parametrize(
    "waiting",
    [
        lambda values: values.sum().item(),
        lambda values: values[values > 0],
        lambda values: values[torch.tensor([True, False])],
        lambda values: values + torch.ones(2).to(DEVICE),
        lambda values: values.cpu(),
    ],
)
def test_the_pretended_device_sees_who_waits(waiting):
    with PretendedDevice() as mode:
        values = torch.ones(2).to(DEVICE, non_blocking=True) * 2
        assert mode.waits == []
        waiting(values)
    assert len(mode.waits) == 1
