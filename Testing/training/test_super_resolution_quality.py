"""What a low-resolution target gains, measured by the library's own steps, and the branch in an exported bundle."""

from __future__ import annotations

import copy
import dataclasses

import msgspec
import numpy as np
import pytest
import torch
import yaml
from scipy import ndimage

from MRTranslateLib.cli.card_text import render_card
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.inference.load import load_super_resolver
from MRTranslateLib.inference.super_resolution import branch_inputs
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.metrics import peak_signal_noise_ratio
from MRTranslateLib.models.bundle import load_tensors, open_bundle
from MRTranslateLib.networks.k_space import along_axis, k_space_enlarge
from MRTranslateLib.networks.low_resolution_target import of_brain
from MRTranslateLib.networks.super_resolution import build_super_resolver
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.volume import Volume, from_slices, to_slices
from Testing.training.conftest import TINY, tiny_scan
from Testing.training.test_stages import SUPER_RESOLUTION
from training.checkpoint import load_checkpoint
from training.config import config_from_mapping
from training.data.cache import CachedScan
from training.data.degradation import k_space_downsample, through_plane_matrix
from training.engine import Run
from training.export import export_bundle
from training.resolution_branch import add_super_resolution
from training.super_resolution_quality import (
    Setting,
    acquire,
    in_whole_scan,
    judge_super_resolution,
    prepare_scan,
    prepare_setting,
    write_super_resolution,
)

T1W, FLAIR = Contrast.T1W, Contrast.FLAIR
ROUTE = ((T1W,), FLAIR)
SHAPE = (40, 48, 44)


def ball() -> CachedScan:
    """Large enough to be a volume of its own at 5 mm; the target's ripples are finer than thick slices."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, count) for count in SHAPE], indexing="ij"))
    brain = (grid**2).sum(axis=0) < 0.7
    tissue = 0.5 + 0.2 * np.sin(9 * grid[0]) + 0.2 * np.cos(7 * grid[1] + 3 * grid[2])
    images = {T1W: (tissue * brain * 255).astype(np.uint8), FLAIR: (tissue**2 * brain * 255).astype(np.uint8)}
    return CachedScan("sub-ball", images, brain, np.zeros(SHAPE, np.uint8), has_lesion_mask=False)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    values = copy.deepcopy(yaml.safe_load(TINY))
    values["networks"]["super_resolution"] = SUPER_RESOLUTION
    optimizer = values["stages"][0]["optimizer"]
    values["stages"].append(
        {
            "kind": "super_resolution",
            "name": "finer",
            "ratios": [4, 2],
            "slice_thickness_mm": [3.0],
            "distinction": 10.0,
            "feature_matching": 0.0,
            "adversarial": 0.0,
            "optimizer": optimizer | {"num_warmup_steps": 1, "num_steps": 2},
        }
    )
    folder = tmp_path_factory.mktemp("run")
    config = config_from_mapping(values, where="tiny")
    Run(config, [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2)], folder, data_fingerprint="0", device="cpu").fit()
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def bundle(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny-model"
    export_bundle(checkpoint, folder, version="1.2.3", command="x", hardware="none")
    return open_bundle(folder)


def test_the_exported_branch_is_the_averaged_one_and_the_card_says_what_it_was_trained_for(bundle, checkpoint):
    weights = load_super_resolver(bundle).state_dict()
    averaged = checkpoint.averaged["super_resolution"]
    assert weights.keys() == averaged.keys()
    assert all(torch.equal(values, averaged[name].half().float()) for name, values in weights.items())
    part = bundle.card.components.super_resolution
    assert (part.in_plane_ratios, part.slice_thickness_mm) == ((2, 4), (3.0,))
    assert part.thick_slices_start == "acquired"
    assert "C" in bundle.card.systems_trained


@pytest.mark.parametrize("setting", [Setting(2), Setting(slice_thickness_mm=4.0)], ids=["pixels", "slices"])
def test_the_acquired_target_lies_where_the_target_lies(setting):
    middle = (17.0, 29.0, 13.5)  # slice, row, column
    distance = [(np.arange(count) - at) / 6 for count, at in zip(SHAPE, middle, strict=True)]
    s, h, w = np.meshgrid(*distance, indexing="ij")
    low = acquire(np.exp(-(s**2 + h**2 + w**2)).astype(np.float32), setting)
    index = np.stack(np.meshgrid(*[np.arange(count) for count in low.shape], indexing="ij"), axis=-1)
    centroid = np.average(index.reshape(-1, 3), axis=0, weights=low.array.ravel())
    world = (low.affine @ [*centroid, 1])[:3]
    np.testing.assert_allclose(world, middle[::-1], atol=0.1)  # slices are (S, H, W), volumes (R, A, S)


@pytest.mark.parametrize("setting", [Setting(2), Setting(slice_thickness_mm=4.0)], ids=["pixels", "slices"])
def test_what_an_acquisition_hides_of_a_source_is_the_same_in_training_and_in_the_library(bundle, setting):
    scan, resolver = ball(), build_super_resolver(SUPER_RESOLUTION | {"conditioned": True})
    first, prepared = prepare_scan(bundle, scan, (T1W,))
    low = prepare_setting(bundle, scan, FLAIR, setting, first, prepared)
    component = bundle.card.require_super_resolution()
    box = prepared.slices[T1W].shape
    hidden = branch_inputs(resolver, component, prepared, low, np.zeros(box, np.float32)).hidden
    source = torch.from_numpy(in_whole_scan(prepared.slices[T1W][prepared.indices], prepared, scan))
    if setting.slice_thickness_mm is None:
        shown, share = (
            k_space_enlarge(k_space_downsample(each, 2), SHAPE[1:]) for each in (source, (source > 0).float())
        )
    else:
        matrix = through_plane_matrix(SHAPE[0], slice_spacing_mm=1.0, thickness_mm=4.0, gap_mm=0.0)
        shown, share = (along_axis(each, matrix, 0) for each in (source, (source > 0).float()))
    trained = (source - of_brain(shown, share).clamp(0, 1)).numpy()
    used = in_whole_scan(hidden[T1W.channel][prepared.indices, : box[1], : box[2]], prepared, scan)
    inside = ndimage.binary_erosion(scan.brain, iterations=3)
    assert trained[inside].std() > 0.004
    # k-space of the brain's box rings a little otherwise than that of the whole slice
    assert np.quantile(np.abs(used - trained)[inside], 0.98) < 0.004
    assert not hidden[FLAIR.channel].any()


def test_a_run_gives_another_model_its_branch_and_takes_back_what_the_former_was_worth(bundle, checkpoint, tmp_path):
    (row,) = judge_super_resolution(bundle, [ball()], [ROUTE], [Setting(2)], threads=1)
    write_super_resolution(bundle, [row])
    words = {"version": "1.3.0", "command": "fit branch", "hardware": "one core"}
    finer = add_super_resolution(open_bundle(bundle.folder), checkpoint, tmp_path / "tiny-model", **words)
    card = finer.card
    assert (card.version, card.predecessor.version, card.super_resolution_quality) == ("1.3.0", "1.2.3", ())
    assert card.components.super_resolution.training_run.command == "fit branch"
    assert card.training_run == bundle.card.training_run
    assert "one core" in render_card(card)
    assert all(np.array_equal(values, load_tensors(finer)[name]) for name, values in load_tensors(bundle).items())


def test_a_run_without_a_branch_has_none_to_give(bundle, checkpoint, tmp_path):
    before = dataclasses.replace(checkpoint, step=1)  # its first stage is the generator's
    with pytest.raises(UsageError, match="trained no super-resolution branch"):
        add_super_resolution(bundle, before, tmp_path / "tiny-model", version="1.3.0", command="x", hardware="none")
    assert not (tmp_path / "tiny-model").exists()


def test_a_row_is_what_the_library_gives_for_that_file(bundle):
    scan, setting = ball(), Setting(slice_thickness_mm=4.0)
    (row,) = judge_super_resolution(bundle, [scan], [ROUTE], [setting], threads=1)

    def volume(slices):
        return Volume(np.ascontiguousarray(from_slices(slices)), np.eye(4))

    truth = scan.images[FLAIR].astype(np.float32) / 255
    low = acquire(truth, setting)
    results = [
        translate(
            {T1W: volume(scan.images[T1W])},
            FLAIR,
            brain_mask=volume(scan.brain.astype(np.uint8)),
            low_resolution=given,
            registration="never",
            model=bundle.folder,
            device="cpu",
            threads=1,
        )
        for given in (low, None)
    ]
    sharp, plain = (
        peak_signal_noise_ratio(truth, to_slices(result.volume.array) / 1000, data_range=1.0, mask=scan.brain)
        for result in results
    )
    assert row.brain_psnr == pytest.approx(sharp, abs=0.05)
    assert row.synthesis_brain_psnr == pytest.approx(plain, abs=0.05)
    assert (row.num_cases, row.slice_thickness_mm, row.lesion_psnr) == (1, 4.0, None)
    # The untrained synthesis says little about the unit of the acquired target: held against the best of units.
    cubic = to_slices(resample(low, volume(scan.brain), interpolation="bspline").array)
    units = np.linspace(0.7, 1.3, 61)
    best = max(peak_signal_noise_ratio(truth, cubic * unit, data_range=1.0, mask=scan.brain) for unit in units)
    worst = min(peak_signal_noise_ratio(truth, cubic * unit, data_range=1.0, mask=scan.brain) for unit in units)
    assert worst < row.interpolation_brain_psnr < best + 0.1


def test_measured_rows_are_put_into_the_card_and_the_weights_stay(bundle):
    (row,) = judge_super_resolution(bundle, [ball()], [ROUTE], [Setting(2)], threads=1)
    write_super_resolution(bundle, [row])
    written = open_bundle(bundle.folder)
    assert written.card.super_resolution_quality == (row,)
    assert written.card.files == bundle.card.files
    assert "cubic B-splines" in written.card.super_resolution_protocol
    assert msgspec.structs.replace(written.card, super_resolution_quality=()).components == bundle.card.components


def test_a_route_that_nobody_has_is_an_error(bundle):
    with pytest.raises(InputError, match="nobody on the val split"):
        judge_super_resolution(bundle, [ball()], [((T1W,), Contrast.T2W)], [Setting(2)], threads=1)
