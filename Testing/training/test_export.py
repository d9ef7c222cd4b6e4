"""A run as a bundle: the averaged weights, and a card that says how they were made."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import MRTranslateError
from MRTranslateLib.inference.level import level_signs
from MRTranslateLib.inference.load import load_generator, load_local_discriminator
from MRTranslateLib.models.bundle import open_bundle
from MRTranslateLib.networks.generator import SourceSlices, build_generator
from MRTranslateLib.networks.local_discriminator import LocalDiscriminator
from MRTranslateLib.networks.refined import RefinedGenerator
from Testing.library.level_examples import MODEL
from Testing.training.conftest import TINY, tiny_scan
from training.calibration import AttentionEvidence, judge_attention
from training.checkpoint import load_checkpoint
from training.config import GeneratorStageConfig, config_from_mapping, read_config
from training.data.bids import read_scans
from training.data.cache import prepare
from training.engine import Run
from training.evaluation import RouteScore, predict_slices
from training.export import (
    LIMITS,
    TRAINING_DATA,
    all_routes,
    export_bundle,
    has_student,
    library_predict,
    quality_rows,
    routes_not_worse,
    shipped_generator,
    systems_trained,
)

T1W, T1W_GD, T2W, FLAIR = Contrast.T1W, Contrast.T1W_GD, Contrast.T2W, Contrast.FLAIR
ROUTE = ((T1W, T2W), FLAIR)
CONFIGS = Path(__file__).parents[2] / "training" / "configs"


@pytest.fixture(scope="module")
def config():
    return config_from_mapping(yaml.safe_load(TINY), where="tiny")


@pytest.fixture(scope="module")
def checkpoint(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    scans = [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2)]
    Run(config, scans, folder, data_fingerprint="0123456789abcdef", device="cpu").fit()
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def bundle(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny-model"
    export_bundle(checkpoint, folder, version="1.2.3", command="python -m training fit tiny.yaml", hardware="none")
    return open_bundle(folder)


def averaged(checkpoint):
    generator = build_generator(checkpoint.config.generator.architecture, checkpoint.config.generator.parameters)
    generator.load_state_dict(checkpoint.averaged["generator"])
    return generator.eval()


def test_the_bundle_holds_the_averaged_weights(bundle, checkpoint):
    shipped = load_generator(bundle).state_dict()
    assert shipped.keys() == checkpoint.averaged["generator"].keys()
    # Bit for bit: what is stored is the averaged weight rounded to fp16.
    assert all(
        torch.equal(values, checkpoint.averaged["generator"][name].half().float()) for name, values in shipped.items()
    )
    assert any(
        not torch.equal(values, checkpoint.networks["generator"][name].half().float())
        for name, values in shipped.items()
    )


def test_the_bundle_predicts_what_the_averaged_weights_predict(bundle, checkpoint):
    scan, indices = tiny_scan("sub-c", 5), np.arange(2, 10)
    mine, truth = (
        predict_slices(generator, scan, ROUTE, indices) for generator in (load_generator(bundle), averaged(checkpoint))
    )
    assert np.ptp(truth[scan.brain[indices]]) > 0.05
    assert np.abs(mine - truth).max() < 1e-2


def test_through_the_library_the_result_is_the_same_and_in_place(bundle, checkpoint, phantom_data):
    scan = prepare(read_scans(phantom_data)[0], realign=False)
    indices = np.flatnonzero(scan.brain.any(axis=(1, 2)))[::5]
    mine = library_predict(bundle, threads=1)(scan, ROUTE, indices)
    truth = predict_slices(averaged(checkpoint), scan, ROUTE, indices)
    assert np.abs(mine - truth)[scan.brain[indices]].mean() < 1e-2


def test_the_card_says_what_the_run_was(bundle, checkpoint):
    run = bundle.card.training_run
    assert (bundle.card.name, bundle.card.version) == ("tiny-model", "1.2.3")
    assert (run.seed, run.num_steps, run.data_fingerprint) == (7, checkpoint.step, "0123456789abcdef")
    assert run.commit == checkpoint.commit
    assert bundle.card.systems_trained == ("supervised",)


def test_the_configuration_in_the_card_starts_the_same_run(bundle, config):
    assert config_from_mapping(yaml.safe_load(bundle.card.training_run.config), where="card") == config


def test_pdw_is_not_offered(bundle):
    offered = (T1W, T1W_GD, T2W, FLAIR)
    assert bundle.card.sources == bundle.card.targets == offered


def test_a_bundle_is_replaced_only_when_asked(bundle, checkpoint):
    before = bundle.weights_path.read_bytes()
    with pytest.raises(MRTranslateError, match="tiny-model exists and is kept"):
        export_bundle(checkpoint, bundle.folder, version="9.9.9", command="x", hardware="none")
    assert open_bundle(bundle.folder).card == bundle.card
    assert bundle.weights_path.read_bytes() == before


def test_there_are_28_routes_and_none_gives_what_it_was_given():
    routes = all_routes()
    assert len(routes) == len(set(routes)) == 28
    assert all(target not in sources for sources, target in routes)
    assert {len(sources) for sources, _ in routes} == {1, 2, 3}
    assert not any(Contrast.PDW in (*sources, target) for sources, target in routes)


def score(route, psnr, lesion=20.126):
    return RouteScore(route, 3, psnr, 0.98765, lesion)


def test_rows_of_the_card_stand_beside_the_baseline_of_their_own_route():
    other = ((FLAIR,), T2W)
    rows = quality_rows([score(ROUTE, 25.126), score(other, 24.0)], [score(other, 22.222, None), score(ROUTE, 23.456)])
    assert [(row.sources, row.target) for row in rows] == [ROUTE, other]
    assert [row.baseline_brain_psnr for row in rows] == [23.46, 22.22]
    assert [row.baseline_lesion_psnr for row in rows] == [20.13, None]
    assert (rows[0].brain_psnr, rows[0].brain_ssim, rows[0].num_cases, rows[0].split) == (25.13, 0.9877, 3, "val")


def test_a_route_without_baseline_has_none():
    (row,) = quality_rows([score(ROUTE, 25.0, None)], [])
    assert (row.baseline_brain_psnr, row.baseline_lesion_psnr, row.lesion_psnr) == (None, None, None)


def test_scores_of_some_slices_are_no_rows_of_a_card():
    with pytest.raises(ValueError, match="every=1"):
        quality_rows([RouteScore(ROUTE, 3, 25.0, None, None)], [])


def test_quality_rows_reach_the_card(checkpoint, tmp_path):
    rows = quality_rows([score(ROUTE, 25.0)], [])
    written = export_bundle(
        checkpoint, tmp_path / "scored", version="0.1.0", command="x", hardware="none", quality=rows
    )
    assert open_bundle(written.folder).card.quality == rows


FLOW = {
    "widths": [8, 8, 8, 8],
    "bottleneck_width": 8,
    "num_bottleneck_blocks": 1,
    "max_flow_voxels": 2.0,
    "diffeomorphic": False,
}
SPECTRAL = {
    "widths": [8, 8, 8, 8],
    "normalization": "group",
    "spectral_norm": True,
    "sees_sources": True,
    "logit_stride_voxels": 8,
}


@pytest.fixture(scope="module")
def united(tmp_path_factory):
    """A run through an adversarial and a refining stage, and a copy of it that stopped before the second."""
    values = yaml.safe_load(TINY)
    (stage,) = values["stages"]
    optimizer = stage["optimizer"] | {"num_steps": 3, "num_warmup_steps": 1}
    values["networks"] |= {
        "local_discriminator": SPECTRAL,
        "teacher": {"registration": FLOW, "max_residual": 0.1, "with_sources": True},
        "student": {"registration": FLOW, "max_residual": 0.1},
    }
    system_b = yaml.safe_load((CONFIGS / "system_b.yaml").read_text())
    adversarial = next(each["adversarial"] for each in system_b["stages"] if each.get("adversarial"))
    adversarial |= {"global_weight": 0.0, "learning_rate_share": 1.0}
    refine = {
        "kind": "refine",
        "name": "refine",
        "generator_learning_rate_share": 0.0,
        "generator_gradient": 0.0,
        "teacher_steps": 1,
        "teacher": "real",
        "attack": None,
        "optimizer": optimizer,
    }
    values["stages"] = [stage | {"adversarial": adversarial, "optimizer": optimizer}, refine]
    folder = tmp_path_factory.mktemp("united")
    scans = [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2)]
    config = config_from_mapping(values, where="united")
    Run(config, scans, folder, data_fingerprint="0" * 16, device="cpu").fit()
    whole = load_checkpoint(folder)
    return whole, dataclasses.replace(whole, step=3), dataclasses.replace(whole, step=0)


def exported(checkpoint, folder, **options):
    return export_bundle(checkpoint, folder, version="0.1.0", command="x", hardware="none", **options)


def test_a_run_with_student_ships_the_refined_generator(united, tmp_path):
    bundle = exported(united[0], tmp_path / "united")
    assert bundle.card.architecture.name == "refined"
    assert isinstance(load_generator(bundle), RefinedGenerator)
    scan, indices = tiny_scan("sub-c", 5), np.arange(3, 6)
    mine, truth = (
        predict_slices(generator.eval(), scan, ROUTE, indices)
        for generator in (load_generator(bundle), shipped_generator(united[0]))
    )
    assert np.abs(mine - truth).max() < 1e-2
    assert "refined by a student" in bundle.card.title


def test_the_student_refines_the_listed_routes_and_leaves_the_others_to_the_generator(united, tmp_path):
    checkpoint = dataclasses.replace(united[0], averaged=copy.deepcopy(united[0].averaged))
    for values in checkpoint.averaged["student"].values():  # far from doing nothing
        values += 0.05 * torch.randn(values.shape, generator=torch.Generator().manual_seed(1))
    scan, indices = tiny_scan("sub-c", 5), np.arange(3, 6)

    def translated(route, routes):
        bundle = exported(checkpoint, tmp_path / "united", refined_routes=routes, replace=True)
        return predict_slices(load_generator(bundle), scan, route, indices)

    other = ((FLAIR,), T1W)
    for route, listed in ((ROUTE, True), (other, False)):
        plain, refined, chosen = (translated(route, routes) for routes in ((), None, (ROUTE,)))
        assert np.abs(refined - plain).max() > 1e-3
        np.testing.assert_array_equal(chosen, refined if listed else plain)


def test_the_student_does_not_change_what_the_generator_sees(united, tmp_path):
    refined, plain = (
        load_generator(exported(checkpoint, tmp_path / name))
        for checkpoint, name in ((united[0], "a"), (united[1], "b"))
    )
    assert refined.size_multiple == plain.size_multiple
    size = refined.size_multiple
    assert size < refined.student_min_size
    slices = SourceSlices(torch.rand(1, 5, refined.num_neighbours, size, size), torch.eye(5)[:1], torch.zeros(1))
    assert refined.fast_pred(slices, torch.eye(5)[1:2]).shape == (1, 5, size, size)


@pytest.mark.parametrize("refined", [False, True])
def test_a_bundle_with_level_models_brings_its_results_to_the_level(united, checkpoint, tmp_path, refined):
    run = united[0] if refined else checkpoint
    levelled = exported(run, tmp_path / "levelled", levels=[MODEL])
    scan = tiny_scan("sub-c", 3)
    rows = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    tissue = np.logical_or(*(scan.images[contrast][rows] > 0 for contrast in ROUTE[0]))
    plain, made = (
        predict_slices(load_generator(bundle), scan, ROUTE, rows)[tissue]
        for bundle in (exported(run, tmp_path / "plain"), levelled)
    )
    signs = level_signs(scan.images[T2W] / np.float32(255), (1.0, 1.0, 1.0), plain)
    assert np.median(made) == pytest.approx(MODEL.level(signs), rel=1e-3)
    assert has_student(levelled.card) is refined


def test_a_route_is_listed_where_neither_brain_nor_lesion_lost_anything():
    routes = [((T1W,), target) for target in (T2W, FLAIR, T1W_GD)]
    plain = [RouteScore(route, 2, 18.0, 0.7, 12.0) for route in routes]
    refined = [
        RouteScore(route, 2, brain, 0.7, lesion)
        for route, brain, lesion in zip(routes, (18.0, 18.2, 17.9), (12.1, 11.9, 13.0), strict=True)
    ]
    assert routes_not_worse(refined, plain) == (routes[0],)


def test_a_run_that_stopped_before_its_student_ships_the_plain_generator(united, tmp_path):
    assert exported(united[1], tmp_path / "united").card.architecture.name == "unet25d"


def test_the_local_discriminator_ships_with_plain_weights_that_judge_the_same(united, tmp_path):
    bundle = exported(united[0], tmp_path / "united")
    shipped = load_local_discriminator(bundle)
    trained = LocalDiscriminator(united[0].config.networks.local_discriminator).eval()
    trained.load_state_dict(united[0].networks["local_discriminator"])
    assert not shipped.settings.spectral_norm
    assert not any("parametrizations" in name for name in shipped.state_dict())
    sources, candidate = torch.rand(1, 5, 48, 40), torch.rand(1, 1, 48, 40)
    given = (sources, torch.ones(1, 5), torch.eye(5)[:1], candidate)
    with torch.no_grad():
        torch.testing.assert_close(shipped.confidence(*given), trained.confidence(*given), atol=2e-3, rtol=0)


def test_no_stage_no_discriminator(united, checkpoint, tmp_path):
    for run in (united[2], checkpoint):
        assert exported(run, tmp_path / "plain", replace=True).card.components.local_discriminator is None


def test_the_card_names_the_systems_of_the_stages_that_were_run(united, tmp_path):
    systems = [exported(run, tmp_path / "united", replace=True).card.systems_trained for run in united]
    assert systems == [("supervised", "A", "B"), ("supervised", "B"), ("supervised",)]


@pytest.mark.parametrize(("name", "systems"), [("a", "A"), ("b", "B"), ("c", "C"), ("united", "ABC")])
def test_the_configurations_of_each_system_train_it(name, systems):
    file = CONFIGS / ("united_laptop.yaml" if name == "united" else f"system_{name}.yaml")
    assert set(systems) <= set(systems_trained(read_config(file).stages))
    assert "supervised" in systems_trained(read_config(file).stages)


def test_an_attacked_generator_counts_as_system_a_without_a_student():
    stages = [stage for stage in read_config(CONFIGS / "system_a.yaml").stages if stage.attack is not None]
    attacked = [stage for stage in stages if isinstance(stage, GeneratorStageConfig)]
    assert attacked
    assert "A" in systems_trained(attacked)


def test_measured_attention_reaches_the_card(united, tmp_path):
    bundle = exported(united[0], tmp_path / "united")
    evidence = judge_attention(bundle, [tiny_scan("sub-c", 5)], [ROUTE], threads=1)
    card = exported(united[0], tmp_path / "united", attention=evidence, replace=True).card
    assert card.components.local_discriminator.calibration == evidence.calibration
    assert card.attention_quality == evidence.quality
    assert card.attention_command.startswith("python -m training attention")


def test_attention_of_a_run_without_discriminator_is_a_mistake(checkpoint, united, tmp_path):
    evidence = AttentionEvidence(None, ())
    with pytest.raises(ValueError, match="has trained no local discriminator"):
        exported(checkpoint, tmp_path / "plain", attention=evidence)


@pytest.mark.real_data
def test_the_card_counts_everybody_in_the_training_split(data_folder):
    people = {scan.participant for scan in read_scans(data_folder) if scan.split == "train"}
    assert sum(source.num_people for source in TRAINING_DATA) == len(people)
    assert f"Trained on {len(people)} people" in LIMITS[0]
