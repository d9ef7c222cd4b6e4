"""The model that comes with the program: sound, honest, and at work on a phantom through the real command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.metrics import peak_signal_noise_ratio
from MRTranslateLib.models.store import SHIPPED_FOLDER, ModelStore
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.preprocessing.normalization import brain_scale, normalize
from MRTranslateLib.volume import same_grid

ROOT = Path(__file__).parents[2]
T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


@pytest.fixture(scope="module")
def bundle():
    return ModelStore().find(None)


@pytest.fixture(scope="module")
def phantom():
    """Thick slices, so that it is quick."""
    return make_phantom(6, grid=brain_grid((1.0, 1.0, 6.0)), contrasts=(T1W, T2W, FLAIR))


@pytest.fixture(scope="module")
def synthetic(phantom, tmp_path_factory):
    """The result of ``mrtranslate translate`` in a process of its own, and its folder."""
    folder = tmp_path_factory.mktemp("shipped")
    for contrast in (T1W, T2W):
        write_volume(folder / f"{contrast}.nii.gz", phantom.volumes[contrast])
    sources = [word for contrast in (T1W, T2W) for word in ("--source", f"{contrast}={folder}/{contrast}.nii.gz")]
    command = [sys.executable, "-m", "MRTranslateLib", "translate", *sources, "--target", "FLAIR"]
    subprocess.run([*command, "--output", str(folder / "flair.nii.gz"), "--threads", "1"], check=True, cwd=ROOT)
    return folder


def test_weights_stay_within_the_sizes_a_repository_can_bear():
    sizes = [path.stat().st_size for path in SHIPPED_FOLDER.rglob("*.safetensors")]
    assert sizes
    assert max(sizes) < 16 * 2**20
    assert sum(sizes) < 40 * 2**20


def test_the_card_offers_only_contrasts_it_was_trained_on(bundle):
    assert Contrast.PDW not in (*bundle.card.sources, *bundle.card.targets)


def test_the_card_says_how_good_each_route_is(bundle):
    from training.evaluation import REPORTED_ROUTES

    measured = {(row.sources, row.target): row for row in bundle.card.quality if row.split == "val"}
    for route in REPORTED_ROUTES:
        assert measured[route].num_cases >= 3
        assert measured[route].baseline_brain_psnr is not None


def test_the_default_model_was_trained_by_all_three_systems_and_has_what_they_leave_for_inference(bundle):
    card = bundle.card
    assert card.systems_trained == ("supervised", "A", "B", "C")
    assert card.architecture.name == "levelled"
    assert card.architecture.parameters["architecture"] == "refined"
    assert set(card.components.present) == {"local_discriminator", "super_resolution", "specialist"}


def test_the_default_model_tells_the_level_of_flair_from_the_t2w(synthetic, bundle):
    level = json.loads((synthetic / "flair.json").read_text())["level"]
    (model,) = bundle.card.architecture.parameters["levels"]
    assert level["source"] == model["source"] == "T2w"
    assert model["lowest"] <= level["level"] <= model["highest"]
    assert model["relative_error"] < 0.15


def test_what_the_maps_of_the_default_model_say_was_measured_on_people_not_trained_on(bundle):
    card = bundle.card
    assert card.components.local_discriminator.calibration is not None
    assert {row.target for row in card.attention_quality} == set(card.targets)
    assert all(card.uncertainty_calibration(target) is not None for target in card.targets)
    assert {limit.region for limit in card.robustness_limits} >= {"brain", "lesion", "healthy"}
    assert card.super_resolution_quality


def test_the_card_compares_the_default_model_with_the_one_it_replaced_on_every_reported_route(bundle):
    from training.evaluation import REPORTED_ROUTES

    former = {(row.sources, row.target) for row in bundle.card.predecessor.quality}
    measured = {(row.sources, row.target) for row in bundle.card.quality}
    assert set(REPORTED_ROUTES) <= former <= measured


def test_the_card_measures_every_route_of_the_specialist(bundle):
    measured = {(row.sources, row.target) for row in bundle.card.quality}
    assert {(route.sources, route.target) for route in bundle.card.components.specialist.routes} <= measured


def test_every_reported_route_is_a_decibel_above_the_regression_but_the_brain_of_a_flair_from_a_t1w(bundle):
    rows = [row for row in bundle.card.quality if row.baseline_brain_psnr is not None]
    brain = {(row.sources, row.target): row.brain_psnr - row.baseline_brain_psnr for row in rows}
    assert min(row.lesion_psnr - row.baseline_lesion_psnr for row in rows) >= 1
    assert {route for route, gain in brain.items() if gain < 1} == {((T1W,), FLAIR)}
    assert brain[(T1W,), FLAIR] > 0.4


def test_the_card_credits_its_data_and_can_be_trained_again(bundle):
    import yaml

    from training.config import config_from_mapping

    assert all(data.licence.startswith("CC BY") and data.attribution for data in bundle.card.training_data)
    components = bundle.card.components
    for run in (
        bundle.card.training_run,
        components.specialist.training_run,
        components.super_resolution.training_run,
    ):
        config = config_from_mapping(yaml.safe_load(run.config), where="card")
        assert (ROOT / "training" / "configs" / f"{config.name}.yaml").is_file()


def test_the_command_makes_a_flair_on_the_grid_of_the_t1w(phantom, synthetic):
    assert same_grid(read_volume(synthetic / "flair.nii.gz"), phantom.volumes[T1W])


def test_the_synthetic_flair_is_nearer_to_the_real_one_than_either_source(phantom, synthetic):
    def shown(volume):
        return normalize(volume.array, brain_scale(volume, phantom.brain_mask))

    reference, mask = shown(phantom.volumes[FLAIR]), phantom.brain_mask.array

    def psnr(image):
        return peak_signal_noise_ratio(reference, image, data_range=1.0, mask=mask)

    result = read_volume(synthetic / "flair.nii.gz").array.astype(np.float32) / 1000
    assert psnr(result) > max(psnr(shown(phantom.volumes[T1W])), psnr(shown(phantom.volumes[T2W]))) + 2


def test_fluid_is_dark_and_tissue_is_not(phantom, synthetic):
    from MRTranslateLib.phantoms import Tissue

    result = read_volume(synthetic / "flair.nii.gz").array
    fluid = phantom.fractions[Tissue.CSF] > 0.99
    white = phantom.fractions[Tissue.WHITE_MATTER] > 0.99
    assert np.median(result[fluid]) < 0.7 * np.median(result[white])


def test_rerun_in_another_process_gives_the_same_voxels(synthetic):
    command = [sys.executable, "-m", "MRTranslateLib", "rerun", str(synthetic / "flair.json"), "--progress", "json"]
    said = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout
    assert json.loads(said.splitlines()[-1])["identical"] is True


def test_bf16_differs_by_a_percent_or_so(phantom):
    whole, half = (
        translate({T1W: phantom.volumes[T1W]}, T2W, device="cpu", threads=1, precision=precision).volume.array
        for precision in ("fp32", "bf16")
    )
    difference = np.abs(whole - half)[phantom.brain_mask.array]
    assert 0 < difference.mean() < 15


@pytest.mark.real_data
def test_a_real_t2w_is_made_from_a_real_t1w_better_than_its_mean_level(data_folder):
    anat = data_folder / "sub-gli08" / "anat"
    result = translate({T1W: anat / "sub-gli08_T1w.nii.gz"}, T2W, device="cpu")
    real = read_volume(anat / "sub-gli08_T2w.nii.gz")
    mask = result.brain_mask
    reference = normalize(real.array, brain_scale(real, mask))
    flat = np.full_like(reference, reference[mask.array].mean())
    psnr, level = (
        peak_signal_noise_ratio(reference, image, data_range=1.0, mask=mask.array)
        for image in (result.volume.array.astype(np.float32) / 1000, flat)
    )
    assert psnr > level + 1
