"""A second generator for a bundle: whose routes it takes, what stays of the card, how levels are fitted for both."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.load import load_generator
from MRTranslateLib.models.architecture import Architecture
from MRTranslateLib.models.bundle import load_tensors
from Testing.library.level_examples import MODEL
from training.checkpoint import load_checkpoint
from training.engine import Run
from training.evaluation import RouteScore, predict_slices
from training.export import export_bundle, quality_rows, title_of, with_levels, without_refined
from training.specialise import (
    add_specialist,
    joined_generator,
    learned_routes,
    mean_generator,
    routes_of_targets,
)

T1W, T1W_GD, T2W, FLAIR = Contrast.T1W, Contrast.T1W_GD, Contrast.T2W, Contrast.FLAIR
ROUTE = ((T1W,), T2W)
OTHER = ((T1W, T2W), FLAIR)
WORDS = {"command": "fit", "hardware": "none"}


@pytest.fixture
def runs(tiny_config, tiny_scans, tmp_path):
    """The checkpoints of two runs of different seeds."""
    checkpoints = []
    for seed in (1, 2):
        config = msgspec.structs.replace(tiny_config, seed=seed)
        run = Run(config, tiny_scans, tmp_path / f"run-{seed}", data_fingerprint="none", device="cpu")
        run.fit()
        checkpoints.append(load_checkpoint(run.folder))
    return checkpoints


@pytest.fixture
def bundle(runs, tmp_path):
    rows = quality_rows([RouteScore(route, 2, 20.0, 0.5, 15.0) for route in (ROUTE, OTHER)], BASELINE)
    return export_bundle(runs[0], tmp_path / "models" / "tiny", version="1.0.0", quality=rows, **WORDS)


BASELINE = [RouteScore(ROUTE, 2, 18.0, 0.4, 14.0)]


def specialised(bundle, runs, tmp_path, **changes):
    generator = mean_generator(runs[1], [tmp_path / "run-2"])
    target = tmp_path / "new" / "tiny"
    return add_specialist(bundle, generator, runs[1], target, [ROUTE], version="1.1.0", **WORDS, **changes)


def test_both_generators_keep_their_weights_bit_for_bit(bundle, runs, tmp_path):
    new = specialised(bundle, runs, tmp_path)
    before, after = load_tensors(bundle), load_tensors(new)
    assert all(np.array_equal(values, after[name]) for name, values in before.items())
    learned = runs[1].averaged["generator"]
    assert all(
        np.array_equal(values, learned[name].half().float().numpy())
        for name, values in load_tensors(new, "specialist").items()
    )


def test_new_rows_take_the_place_of_old_ones_and_keep_their_baseline(bundle, runs, tmp_path):
    new = specialised(bundle, runs, tmp_path, quality=quality_rows([RouteScore(ROUTE, 2, 21.0, 0.6, 16.0)], []))
    first, second = new.card.quality
    assert (first.brain_psnr, first.lesion_psnr, first.baseline_brain_psnr) == (21.0, 16.0, 18.0)
    assert second == bundle.card.quality[1]
    assert new.card.predecessor.quality == bundle.card.quality


def test_a_specialist_takes_the_former_ones_place(bundle, runs, tmp_path):
    first = specialised(bundle, runs, tmp_path)
    generator = mean_generator(runs[0], [tmp_path / "run-1"])
    again = add_specialist(first, generator, runs[0], first.folder, [OTHER], version="1.2.0", replace=True, **WORDS)
    (route,) = again.card.components.specialist.routes
    assert (route.sources, route.target) == OTHER
    joined = joined_generator(again, generator, [ROUTE])
    # Not the joined one of before.
    assert torch.equal(joined.general.network.stem.weight, load_generator(bundle).network.stem.weight)


def test_levels_are_fitted_before_any_level(bundle, runs, tiny_scans, tmp_path):
    specialist = mean_generator(runs[1], [tmp_path / "run-2"])
    levelled = specialised(bundle, runs, tmp_path, levels=(MODEL,))
    assert load_generator(levelled).levels == (MODEL,)
    joined = joined_generator(levelled, specialist, [ROUTE])
    assert joined.levels == ()
    rows = np.array([6])
    alone = predict_slices(specialist, tiny_scans[0], ROUTE, rows)
    np.testing.assert_array_equal(predict_slices(joined, tiny_scans[0], ROUTE, rows), alone)


def test_new_levels_take_the_place_of_old_ones(bundle):
    once = with_levels(bundle.card.architecture, (MODEL,))
    other = msgspec.structs.replace(MODEL, intercept=MODEL.intercept - 0.1)
    again = with_levels(once, (other,))
    assert again.names == once.names == ("unet25d", "levelled")
    assert again.parameters["levels"][0]["intercept"] == other.intercept
    assert with_levels(once, ()) == once


def test_a_run_has_learned_the_routes_from_its_sets_of_sources(runs):
    assert len(learned_routes(runs[0])) == 28  # no sets: any
    data = msgspec.structs.replace(runs[0].config.data, source_sets=((T2W, T1W),), source_set_share=0.5)
    config = msgspec.structs.replace(runs[0].config, data=data)
    learned = learned_routes(dataclasses.replace(runs[0], config=config))
    assert learned == (((T1W, T2W), T1W_GD), ((T1W, T2W), FLAIR))


def test_a_new_level_changes_every_measured_route_to_its_target(bundle):
    assert routes_of_targets(bundle.card.quality, [FLAIR]) == (OTHER,)


REFINED = {
    "architecture": "refined",
    "parameters": {
        "architecture": "unet25d",
        "parameters": {"num_neighbours": 1},
        "student": {},
        "routes": [{"sources": ["T1w"], "target": "T2w"}, {"sources": ["T2w", "T1w"], "target": "FLAIR"}],
    },
    "levels": [],
}


def test_the_student_is_said_to_refine_only_what_is_not_the_specialists():
    before = Architecture(name="levelled", parameters=REFINED)
    after = without_refined(before, [OTHER, ((T2W,), T1W)])
    assert after.parameters["parameters"]["routes"] == [{"sources": ["T1w"], "target": "T2w"}]
    assert len(REFINED["parameters"]["routes"]) == 2  # the former one is left alone
    assert title_of(before).endswith("(2.5D U-Net, refined by a student on 2 routes)")
    assert title_of(after).endswith("(2.5D U-Net, refined by a student on 1 route)")


def test_the_title_names_the_specialist(bundle, runs, tmp_path):
    assert specialised(bundle, runs, tmp_path).card.title.endswith("(2.5D U-Net, a specialist on 1 route)")
