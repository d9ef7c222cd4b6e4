"""The interval of results from an acquired low-resolution target: judged on blocks, tables of its own in the card."""

from __future__ import annotations

from functools import partial

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.load import load_super_resolver
from MRTranslateLib.inference.super_resolution import super_resolve
from MRTranslateLib.models.bundle import open_bundle, write_bundle
from MRTranslateLib.models.components import Components, SuperResolutionCard
from MRTranslateLib.networks.super_resolution import build_super_resolver
from MRTranslateLib.progress import Progress
from Testing.library.conftest import CopyGenerator, make_bundle
from Testing.library.model_examples import example_tensors
from Testing.library.test_low_resolution import BRANCH
from training import low_resolution_uncertainty, uncertainty_calibration
from training.data.cache import CachedScan
from training.low_resolution_uncertainty import (
    block_of,
    judge_every_uncertainty,
    judge_low_resolution_uncertainty,
    within,
)
from training.super_resolution_quality import Setting, prepare_scan, prepare_setting
from training.uncertainty_calibration import write_uncertainty

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
ROUTE = ((T1W,), FLAIR)
SHAPE = (56, 40, 36)
SETTINGS = (Setting(2), Setting(slice_thickness_mm=3.0))


def person(name, seed):
    """A ball whose FLAIR is its T1w darkened, with ripples that differ between people."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, count) for count in SHAPE], indexing="ij"))
    brain = (grid**2).sum(axis=0) < 0.9
    tissue = 0.5 + 0.2 * np.sin(9 * grid[0] + random.normal()) + 0.2 * np.cos(7 * grid[1] + 3 * grid[2])
    ripple = 0.1 * np.sin(20 * grid[2] + random.normal()) * random.uniform(0.5, 1.5)
    images = {T1W: tissue, FLAIR: (0.8 * tissue + ripple).clip(0.02, 1)}
    scaled = {contrast: (values / np.percentile(values[brain], 99.5)).clip(0, 1) for contrast, values in images.items()}
    stored = {contrast: (values * brain * 255).astype(np.uint8) for contrast, values in scaled.items()}
    return CachedScan(name, stored, brain, np.zeros(SHAPE, np.uint8), has_lesion_mask=False)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A bundle for 1 mm without a branch."""
    return make_bundle(tmp_path_factory.mktemp("models"), "plain", (0.85, 1.2), 1.0)


@pytest.fixture(scope="module")
def bundle(plain, tmp_path_factory):
    """The same with an untrained branch: the synthesis made to agree with what was acquired."""
    part = SuperResolutionCard(
        parameters=BRANCH, in_plane_ratios=(2,), slice_thickness_mm=(3.0,), thick_slices_start="synthetic"
    )
    card = msgspec.structs.replace(plain.card, name="sharp", files={}, components=Components(super_resolution=part))
    torch.manual_seed(0)
    weights = {"super_resolution": build_super_resolver(BRANCH).state_dict()}
    return write_bundle(tmp_path_factory.mktemp("models") / "sharp", card, example_tensors(), components=weights)


@pytest.fixture
def copied(monkeypatch):
    """Whatever generator a bundle holds copies its source."""
    generator = CopyGenerator()
    for module in (low_resolution_uncertainty, uncertainty_calibration):
        monkeypatch.setattr(module, "load_generator", lambda bundle: generator)
    return generator


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 23 slices, three of them judged."""
    monkeypatch.setattr(low_resolution_uncertainty, "JUDGED", (-4, 0, 2))
    monkeypatch.setattr(low_resolution_uncertainty, "SURROUNDINGS", 8)


@pytest.fixture
def one_route(monkeypatch, small_blocks):
    """T1w to FLAIR, two acquisitions."""
    judge = partial(judge_low_resolution_uncertainty, routes=(ROUTE,), settings=SETTINGS)
    monkeypatch.setattr(low_resolution_uncertainty, "judge_low_resolution_uncertainty", judge)


def resolved(generator, bundle, prepared, low):
    component, resolver = bundle.card.require_super_resolution(), load_super_resolver(bundle)
    execution = Execution("cpu", "fp32", 1)
    return super_resolve(generator, resolver, component, prepared, low, execution, Progress()).slices


@pytest.mark.parametrize("setting", SETTINGS, ids=["pixels", "slices"])
def test_a_block_gives_what_the_whole_brain_gives_in_its_slices(copied, bundle, small_blocks, setting):
    scan = person("sub-a", 1)
    first, whole = prepare_scan(bundle, scan, (T1W,))
    low = prepare_setting(bundle, scan, FLAIR, setting, first, whole)
    block = block_of(whole, 0.45)
    assert len(block.slices[T1W]) == 23 < len(whole.slices[T1W])
    judged = block.indices + block.box[2].start
    assert list(np.diff(judged)) == [4, 2]
    of_block = resolved(copied, bundle, block, within(block, low))
    of_whole = resolved(copied, bundle, whole, low)
    rows = judged - whole.box[2].start
    wanted = of_whole[[list(whole.indices).index(row) for row in rows]]
    brain = scan.brain[judged][:, whole.box[1], whole.box[0]]
    difference = of_block / np.median(of_block[brain]) - wanted / np.median(wanted[brain])
    assert np.abs(difference[brain]).max() < 0.02
    assert np.median(of_block[brain]) == pytest.approx(np.median(wanted[brain]), rel=0.05)


def test_every_target_and_acquisition_gets_a_table_fitted_on_all_its_people(copied, bundle, small_blocks):
    scans = [person("sub-a", 1), person("sub-b", 2)]
    rows = judge_low_resolution_uncertainty(bundle, scans, (ROUTE, ((T1W,), T2W)), SETTINGS, threads=1)
    assert [(row.target, row.in_plane_ratio, row.slice_thickness_mm) for row in rows] == [
        (FLAIR, 2, None),
        (FLAIR, 1, 3.0),
    ]
    for row in rows:
        assert f"synthetic FLAIR from an acquired one ({row.setting})" in row.calibration.statement
        assert "fitted on 2 validation people" in row.calibration.statement
        (quality,) = row.quality
        assert (quality.sources, quality.num_cases) == ((T1W,), 2)
        assert 0 < quality.lowest_coverage <= quality.coverage <= 1


def test_what_was_acquired_makes_the_interval_narrower_and_the_card_holds_both(copied, bundle, one_route):
    scans = [person("sub-a", 1), person("sub-b", 2)]
    evidence = judge_every_uncertainty(bundle, scans, (ROUTE,), threads=1)
    assert [row.setting for row in evidence.low_resolution] == ["pixels x2", "slices of 3 mm"]
    write_uncertainty(bundle, evidence)
    card = open_bundle(bundle.folder).card
    assert card.low_resolution_uncertainty == evidence.low_resolution
    assert card.uncertainty_calibrations == evidence.calibrations
    (alone,) = evidence.quality
    assert evidence.low_resolution[0].quality[0].mean_half_width < 0.7 * alone.mean_half_width


def test_a_model_without_a_branch_gets_no_such_tables(copied, plain):
    assert judge_every_uncertainty(plain, [person("sub-a", 1)], (ROUTE,), threads=1).low_resolution == ()
    with pytest.raises(ModelError, match="without a super-resolution branch"):
        judge_low_resolution_uncertainty(plain, [person("sub-a", 1)], threads=1)
