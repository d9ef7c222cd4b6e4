"""The attention map of a translation: on the right grid, in the right place, asked for in every way, or refused."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.attention.difficulty import difficulty_slices
from MRTranslateLib.cli.main import main
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, ModelError, UsageError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.load import load_local_discriminator
from MRTranslateLib.inference.slices import SliceJob
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.models.bundle import load_tensors, write_bundle
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.networks.local_discriminator import LocalDiscriminator, LocalDiscriminatorParameters
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import read_sidecar
from MRTranslateLib.rerun import rerun
from MRTranslateLib.volume import Volume, same_grid
from MRTranslateLib.worker.translate import TranslateParameters, run_translate
from Testing.library.model_examples import example_components, example_tensors

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


@pytest.fixture(scope="module")
def phantom():
    """A glioma at 3 mm, a block around the brain's centre: small and quick."""
    return make_phantom(3, grid=brain_grid((3, 3, 3)), contrasts=(T1W, T2W))


@pytest.fixture
def run(copy_generator, attentive_bundle, phantom):
    """``translate`` of the phantom's T1w to FLAIR."""

    def call(source=phantom.volumes[T1W], bundle=attentive_bundle, **options):
        options = {"attention": True, "brain_mask": phantom.brain_mask, **options}
        return translate({T1W: source}, FLAIR, model=bundle.folder, device="cpu", threads=1, **options)

    return call


class BrightIsHard(LocalDiscriminator):
    """Takes a voxel for unreal with the candidate's own brightness: difficulty equals the candidate."""

    def __init__(self):
        super().__init__(
            LocalDiscriminatorParameters(
                widths=(8, 8, 8, 8), normalization="none", spectral_norm=False, sees_sources=True, logit_stride_voxels=8
            )
        )

    def confidence(self, sources, availability, target_code, candidate):
        self.seen = (sources, availability, target_code)
        return 1 - candidate.clamp(0, 1).sqrt()


@pytest.fixture
def bright_is_hard(monkeypatch):
    discriminator = BrightIsHard()
    monkeypatch.setattr("MRTranslateLib.inference.load.load_local_discriminator", lambda bundle: discriminator)
    return discriminator


def test_the_map_lies_on_the_grid_of_the_source_between_0_and_1_and_is_0_outside_the_brain(run, phantom):
    result = run()
    assert same_grid(result.attention, phantom.volumes[T1W])
    assert result.attention.array.dtype == np.float32
    inside = result.attention.array[result.brain_mask.array]
    assert 0 <= inside.min() < inside.max() <= 1
    assert not result.attention.array[~result.brain_mask.array].any()


def test_the_map_goes_the_same_way_back_as_the_image(run, bright_is_hard):
    # Where difficulty is the image itself, map and image must agree voxel by voxel, also from an in-plane grid that the
    # model does not work on, turned and flipped.
    phantom = make_phantom(3, grid=brain_grid((2, 3, 2)), contrasts=(T1W,))
    volume, brain = phantom.volumes[T1W], phantom.brain_mask
    turn = np.array([[0, 0, 1.0, 5], [1, 0, 0, -3], [0, -1, 0, 7], [0, 0, 0, 1]])
    result = run(Volume(volume.array, turn @ volume.affine), brain_mask=Volume(brain.array, turn @ brain.affine))
    np.testing.assert_allclose(result.attention.array, result.volume.array / 1000, atol=6e-4)
    assert result.attention.array.max() > 0.5


def test_the_discriminator_sees_the_middle_slice_of_the_given_sources_and_the_target(run, bright_is_hard):
    run()
    sources, availability, target_code = bright_is_hard.seen
    assert availability[0].tolist() == [1, 0, 0, 0, 0]
    assert target_code[0, FLAIR.channel] == target_code.sum() == 1
    assert not sources[:, 1:].any()


def test_difficulty_is_one_minus_confidence_squared_of_each_slice(attentive_bundle):
    discriminator = load_local_discriminator(attentive_bundle)
    random = np.random.default_rng(0)
    sources, synthetic = (random.uniform(0.2, 1, (5, 40, 37)).astype(np.float32) for _ in range(2))
    job = SliceJob({T2W: sources}, T1W, np.array([1, 3]), (0, 4), 1)
    made = difficulty_slices(discriminator, job, synthetic[[1, 3]], Execution("cpu", "fp32", 1), Progress())
    image, available, code = torch.zeros(1, 5, 40, 37), torch.zeros(1, 5), torch.zeros(1, 5)
    image[0, T2W.channel], available[0, T2W.channel], code[0, T1W.channel] = torch.from_numpy(sources[3]), 1, 1
    with torch.no_grad():
        confidence = discriminator.confidence(image, available, code, torch.from_numpy(synthetic[None, None, 3]))
    np.testing.assert_allclose(made.slices[1], (1 - confidence[0, 0].numpy()) ** 2, atol=1e-6)
    assert made.fallbacks == ()
    with pytest.raises(ValueError, match="synthetic slices must be"):
        difficulty_slices(discriminator, job, synthetic, Execution("cpu", "fp32", 1), Progress())


def test_a_map_is_repeated_bit_by_bit(run):
    first, second = run(), run()
    assert first.provenance.attention == second.provenance.attention


def test_the_translation_itself_is_the_same_with_and_without_a_map(run):
    assert run().provenance.output.sha256 == run(attention=False).provenance.output.sha256


def test_without_asking_there_is_no_map(run):
    result = run(attention=False)
    assert (result.attention, result.hard_regions, result.provenance.attention) == (None, (), None)


def test_hard_regions_are_places_in_the_brain(run):
    result = run()
    assert result.hard_regions
    volumes = [region.volume_ml for region in result.hard_regions]
    assert volumes == sorted(volumes, reverse=True)
    for region in result.hard_regions:
        index = np.linalg.inv(result.volume.affine) @ [*region.position_mm, 1.0]
        assert result.brain_mask.array[tuple(np.round(index[:3]).astype(int))]
        assert result.attention.array[tuple(np.round(index[:3]).astype(int))] == pytest.approx(region.maximum, abs=1e-4)


def test_with_a_lesion_mask_its_regions_are_measured(run, phantom):
    result = run(lesion_mask=phantom.labels)
    names = [region.name for region in result.provenance.attention.report.regions]
    assert names[:2] == ["brain", "lesion"]
    assert names[-2:] == ["rim of 5 mm", "healthy remainder"]


def test_a_lesion_mask_on_another_grid_is_laid_onto_the_source_and_said(run, phantom):
    larger = Volume(np.pad(phantom.labels.array, ((1, 0), (0, 0), (0, 0))), phantom.labels.affine.copy())
    larger.affine[:3, 3] = (phantom.labels.affine @ [-1, 0, 0, 1])[:3]
    result = run(lesion_mask=larger)
    assert any("lesion mask lies on another grid" in text for text in result.warnings)
    assert result.provenance.attention.report == run(lesion_mask=phantom.labels).provenance.attention.report


@pytest.mark.parametrize(
    ("values", "message"),
    [(0.0, "lesion mask is empty"), (0.5, "not all its values are whole numbers"), (np.nan, "is no mask")],
)
def test_a_lesion_mask_that_is_none_is_refused(run, phantom, values, message):
    with pytest.raises(InputError, match=message):
        run(lesion_mask=phantom.labels.with_array(np.full(phantom.labels.shape, values)))


def test_a_lesion_mask_beside_the_brain_is_refused(run, phantom):
    elsewhere = np.zeros(phantom.labels.shape, np.uint8)
    elsewhere[0, 0, 0] = 1
    with pytest.raises(InputError, match="no voxel of lesion mask lies in the brain"):
        run(lesion_mask=phantom.labels.with_array(elsewhere))


def test_a_lesion_mask_without_a_map_is_refused(run, phantom):
    with pytest.raises(UsageError, match="ask for the map too"):
        run(attention=False, lesion_mask=phantom.labels)


def test_a_model_without_local_discriminator_refuses_and_writes_nothing(run, coarse_bundle, tmp_path):
    with pytest.raises(ModelError, match="model coarse comes without a local discriminator") as raised:
        run(bundle=coarse_bundle, output=tmp_path / "out.nii.gz", attention=tmp_path / "attention.nii.gz")
    assert raised.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"widths": [8, 8, 8, 16]}, "weights of model attentive do not fit its architecture local_discriminator"),
        ({"widths": [7, 7, 7, 7]}, "widths must be multiples of 8"),
        ({"heads": 3}, "unknown field `heads`"),
    ],
)
def test_wrong_parameters_of_the_discriminator_are_refused(run, attentive_bundle, tmp_path, parameters, message):
    card = msgspec.structs.replace(attentive_bundle.card, files={}, components=example_components(**parameters))
    weights = {"local_discriminator": load_tensors(attentive_bundle, "local_discriminator")}
    bundle = write_bundle(tmp_path / "attentive", card, example_tensors(), components=weights)
    with pytest.raises(ModelError, match=message):
        run(bundle=bundle)


def test_map_and_image_are_written_with_the_same_sidecar(run, tmp_path):
    result = run(output=tmp_path / "out.nii.gz", attention=tmp_path / "where.nii.gz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.nii.gz", "where.json", "where.nii.gz"]
    np.testing.assert_array_equal(read_volume(tmp_path / "where.nii.gz").array, result.attention.array)
    record = read_sidecar(tmp_path / "where.json")
    assert record == read_sidecar(tmp_path / "out.json")
    assert record.attention == result.provenance.attention
    assert record.attention.output.path == str(tmp_path / "where.nii.gz")


@pytest.mark.parametrize("name", ["out.nii.gz", "out.nrrd"])
def test_a_map_that_would_share_name_or_sidecar_with_the_image_is_refused(run, tmp_path, name):
    with pytest.raises(UsageError, match="the same sidecar"):
        run(output=tmp_path / "out.nii.gz", attention=tmp_path / name)


def test_an_existing_map_is_kept_and_nothing_is_written(run, tmp_path):
    (tmp_path / "where.nii.gz").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"where\.nii\.gz exists"):
        run(output=tmp_path / "out.nii.gz", attention=tmp_path / "where.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["where.nii.gz"]


@pytest.mark.parametrize("name", ["where.xyz", "nowhere/where.nii.gz"])
def test_a_map_that_could_not_be_written_is_refused_before_the_work(run, tmp_path, name):
    told = []
    with pytest.raises(UsageError, match="cannot write"):
        run(attention=tmp_path / name, progress=lambda stage, fraction: told.append(stage))
    assert told == []


@pytest.fixture
def files(phantom, tmp_path):
    write_volume(tmp_path / "t1.nii.gz", phantom.volumes[T1W])
    write_volume(tmp_path / "lesion.nii.gz", phantom.labels)
    return tmp_path


def command(bundle, folder, *arguments):
    words = [
        "translate",
        "--source",
        f"T1w={folder}/t1.nii.gz",
        "--target",
        "FLAIR",
        "--output",
        f"{folder}/out.nii.gz",
    ]
    return [*words, "--model", str(bundle.folder), "--threads", "1", "--device", "cpu", *map(str, arguments)]


def test_the_command_writes_the_map_and_says_what_it_shows(copy_generator, attentive_bundle, files, capsys):
    arguments = ("--attention", files / "where.nii.gz", "--lesion-mask", files / "lesion.nii.gz", "--progress", "none")
    assert main(command(attentive_bundle, files, *arguments)) == 0
    said = capsys.readouterr().out
    assert f"Attention map written to {files}/where.nii.gz" in said
    assert "healthy remainder" in said
    assert read_volume(files / "where.nii.gz").array.max() <= 1


def test_the_command_tells_programs_too(copy_generator, attentive_bundle, files, capsys):
    assert main(command(attentive_bundle, files, "--attention", files / "where.nii.gz", "--progress", "json")) == 0
    event = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert event["attention"] == str(files / "where.nii.gz")
    assert event["report"]["regions"][0]["name"] == "brain"


def test_the_command_refuses_a_model_without_map_with_4(copy_generator, coarse_bundle, files, capsys):
    assert main(command(coarse_bundle, files, "--attention", files / "where.nii.gz", "--progress", "none")) == 4
    assert "comes without a local discriminator" in capsys.readouterr().err
    assert not (files / "out.nii.gz").exists()


@pytest.mark.parametrize("sidecar", ["out.json", "where.json"])
def test_either_sidecar_makes_image_and_map_again(copy_generator, attentive_bundle, files, sidecar):
    main(
        command(
            attentive_bundle,
            files,
            *("--attention", files / "where.nii.gz", "--lesion-mask", files / "lesion.nii.gz", "--progress", "none"),
        )
    )
    again = rerun(files / sidecar, store=ModelStore(shipped_folder=attentive_bundle.folder.parent))
    assert again.identical
    assert again.result.provenance.attention.report == read_sidecar(files / sidecar).attention.report


def test_a_rerun_with_another_discriminator_is_not_identical(copy_generator, attentive_bundle, files, bright_is_hard):
    sidecar = files / "out.json"
    main(command(attentive_bundle, files, "--attention", files / "where.nii.gz", "--progress", "none"))
    bright_is_hard.confidence = lambda sources, available, code, candidate: candidate.clamp(0, 1)
    assert not rerun(sidecar, store=ModelStore(shipped_folder=attentive_bundle.folder.parent)).identical


def test_the_workers_job_writes_the_map_where_it_is_asked(copy_generator, attentive_bundle, files):
    parameters = {
        "sources": {"T1w": str(files / "t1.nii.gz")},
        "target": "FLAIR",
        "output": str(files / "synthetic.nii"),
        "attention": str(files / "attention.nii"),
        "lesion_mask": str(files / "lesion.nii.gz"),
        "model": str(attentive_bundle.folder),
        "device": "cpu",
        "threads": 1,
    }
    answer = run_translate(msgspec.convert(parameters, TranslateParameters), Progress())
    assert answer.attention == parameters["attention"]
    assert read_sidecar(files / "synthetic.json").attention.output.path == parameters["attention"]
    assert read_volume(files / "attention.nii").array.dtype == np.float32
