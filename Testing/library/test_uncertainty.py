"""The uncertainty map: in the right place and unit, calibrated or said not to be, asked for in every way."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from MRTranslateLib.cli.card_text import render_card
from MRTranslateLib.cli.main import main
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.models.bundle import write_bundle
from MRTranslateLib.models.card import ModelCard, decode_card, encode_card
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.models.uncertainty import UncertaintyCalibration, UncertaintyQuality
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import read_sidecar
from MRTranslateLib.rerun import rerun
from MRTranslateLib.uncertainty.interval import NORMAL_90, calibrated_widths
from MRTranslateLib.uncertainty.spread import Spread
from MRTranslateLib.volume import Volume, same_grid
from MRTranslateLib.worker.translate import TranslateParameters, run_translate
from Testing.library.model_examples import example_card, example_tensors

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
TABLE = UncertaintyCalibration(
    target=FLAIR,
    raw=(0.0, 0.1),
    half_width=(0.05, 0.25),
    coverage=0.89,
    lowest_coverage=0.8,
    statement="Half of ninety.",
)
ROW = {
    "sources": ["T1w"],
    "target": "FLAIR",
    "split": "val",
    "num_cases": 4,
    "coverage": 0.89,
    "lowest_coverage": 0.8,
    "mean_half_width": 0.2,
    "uncertainty": 0.7,
    "gradient": 0.65,
    "num_lesion_cases": 3,
    "uncertainty_lesion_cases": 0.69,
    "distance": 0.5,
}


@pytest.fixture(scope="module")
def phantom():
    """A glioma at 3 mm, a block around the brain's centre: small and quick."""
    return make_phantom(3, grid=brain_grid((3, 3, 3)), contrasts=(T1W, T2W))


@pytest.fixture(scope="module")
def calibrated_bundle(coarse_bundle, tmp_path_factory):
    """``coarse_bundle`` with a calibration for FLAIR."""
    card = msgspec.structs.replace(coarse_bundle.card, files={}, name="doubtful", uncertainty_calibrations=(TABLE,))
    return write_bundle(tmp_path_factory.mktemp("models") / "doubtful", card, example_tensors())


@pytest.fixture
def run(copy_generator, calibrated_bundle, phantom):
    """``translate`` of the phantom's T1w to FLAIR."""

    def call(source=phantom.volumes[T1W], bundle=calibrated_bundle, target=FLAIR, **options):
        options = {"uncertainty": True, "brain_mask": phantom.brain_mask, **options}
        sources = source if isinstance(source, dict) else {T1W: source}
        return translate(sources, target, model=bundle.folder, device="cpu", threads=1, **options)

    return call


@pytest.fixture
def copied_as_spread(monkeypatch):
    """In place of members: the spread is a tenth of the translation."""

    def spread_slices(generator, job, synthetic, execution, progress, *, seed):
        spread_slices.voxel_size_mm = job.voxel_size_mm
        return Spread(synthetic / 10, None, {T1W: 0.01}, ("a tenth",), ())

    monkeypatch.setattr("MRTranslateLib.uncertainty.spread.spread_slices", spread_slices)
    monkeypatch.setattr("MRTranslateLib.uncertainty.signal.SMOOTHING_VOXELS", 0.0)
    return spread_slices


def test_the_map_lies_on_the_grid_of_the_source_in_its_units_and_is_0_outside_the_brain(run, phantom):
    result = run()
    assert same_grid(result.uncertainty, phantom.volumes[T1W])
    assert result.uncertainty.array.dtype == np.int16
    inside = result.uncertainty.array[result.brain_mask.array]
    assert 50 <= inside.min() < inside.max() <= 250
    assert not result.uncertainty.array[~result.brain_mask.array].any()


def test_the_map_goes_the_same_way_back_as_the_image(run, copied_as_spread, coarse_bundle):
    # Where the spread is the image itself, map and image must agree voxel by voxel, also from an in-plane grid that the
    # model does not work on, turned, flipped and oblique.
    phantom = make_phantom(3, grid=brain_grid((2, 3, 2)), contrasts=(T1W,))
    volume, brain = phantom.volumes[T1W], phantom.brain_mask
    turn = np.array([[0, 0, 1.0, 5], [1, 0, 0, -3], [0, -1, 0, 7], [0, 0, 0, 1]])
    cosine, sine = np.cos(0.2), np.sin(0.2)
    turn = np.array([[cosine, -sine, 0, 0], [sine, cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ turn
    source = Volume(volume.array, turn @ volume.affine)
    result = run(source, coarse_bundle, brain_mask=Volume(brain.array, turn @ brain.affine))
    assert same_grid(result.uncertainty, source)
    np.testing.assert_allclose(result.uncertainty.array, NORMAL_90 / 10 * result.volume.array, atol=0.7)
    assert result.uncertainty.array.max() > 50
    assert copied_as_spread.voxel_size_mm == pytest.approx((2.0, 3.0, 3.0), abs=1)


def test_a_model_without_calibration_for_the_target_gives_the_bare_spread_and_says_so(run, coarse_bundle):
    for result in (run(bundle=coarse_bundle), run(target=T2W)):
        report = result.provenance.uncertainty.report
        assert (report.calibrated, report.coverage) == (False, None)
        assert "not calibrated" in report.statement
        assert any("no calibration of the uncertainty" in text for text in result.warnings)
        assert result.warnings == result.provenance.warnings


def test_the_record_says_what_was_done_and_what_it_is_worth(run, phantom):
    result = run({T1W: phantom.volumes[T1W], T2W: phantom.volumes[T2W]})
    record = result.provenance.uncertainty
    report = record.report
    assert (report.calibrated, report.coverage, report.lowest_coverage) == (True, 0.89, 0.8)
    assert report.statement == record.output.unit == "Half of ninety."
    assert len(report.members) == 8
    assert report.members[-1] == "without T2w"
    assert set(report.noise) == {"T1w", "T2w"}
    assert 0 < report.noise["T1w"] < 0.1
    assert "89%" in report.summary
    assert "uncertainty" in result.provenance.seconds
    assert not any("calibration" in text for text in result.warnings)


def test_regions_are_means_of_the_map(run):
    result = run()
    brain, *octants = result.provenance.uncertainty.report.regions
    assert brain.name == "brain"
    assert len(octants) == 8
    inside = result.uncertainty.array[result.brain_mask.array]
    assert brain.mean_half_width == pytest.approx(inside.mean(), abs=0.5)
    assert brain.percentile_95 == pytest.approx(np.percentile(inside, 95), abs=1)


def test_with_a_lesion_mask_its_regions_are_measured_without_an_attention_map(run, phantom):
    record = run(lesion_mask=phantom.labels).provenance.uncertainty
    names = [region.name for region in record.report.regions]
    assert names[:2] == ["brain", "lesion"]
    assert record.lesion_mask is not None


def test_a_map_is_repeated_bit_by_bit(run):
    assert run().provenance.uncertainty == run().provenance.uncertainty


def test_the_translation_itself_is_the_same_with_and_without_a_map(run):
    plain = run(uncertainty=False)
    assert plain.provenance.output.sha256 == run().provenance.output.sha256
    assert (plain.uncertainty, plain.provenance.uncertainty) == (None, None)


def test_progress_never_falls_and_gives_the_members_most_of_it(run):
    told = []
    run(progress=lambda stage, fraction: told.append((stage, fraction)))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    of_members = [fraction for stage, fraction in told if stage == "uncertainty"]
    assert of_members[-1] - of_members[0] > 0.7


def test_cancelled_among_the_members_nothing_is_written(run, tmp_path):
    progress = Progress(lambda stage, fraction: progress.cancelled.set() if stage == "uncertainty" else None)
    with pytest.raises(Exception, match="cancelled"):
        run(progress=progress, output=tmp_path / "out.nii.gz", uncertainty=tmp_path / "doubt.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_map_and_image_are_written_with_the_same_sidecar(run, tmp_path):
    result = run(output=tmp_path / "out.nii.gz", uncertainty=tmp_path / "doubt.nii.gz")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["doubt.json", "doubt.nii.gz", "out.json", "out.nii.gz"]
    np.testing.assert_array_equal(read_volume(tmp_path / "doubt.nii.gz").array, result.uncertainty.array)
    record = read_sidecar(tmp_path / "doubt.json")
    assert record == read_sidecar(tmp_path / "out.json")
    assert record.uncertainty.output.path == str(tmp_path / "doubt.nii.gz")


@pytest.mark.parametrize("name", ["out.nii.gz", "out.nrrd"])
def test_a_map_that_would_share_name_or_sidecar_with_the_image_is_refused(run, tmp_path, name):
    with pytest.raises(UsageError, match="the same sidecar: rename one of them"):
        run(output=tmp_path / "out.nii.gz", uncertainty=tmp_path / name)


@pytest.fixture
def files(phantom, tmp_path):
    write_volume(tmp_path / "t1.nii.gz", phantom.volumes[T1W])
    write_volume(tmp_path / "lesion.nii.gz", phantom.labels)
    return tmp_path


def command(bundle, folder, *arguments):
    words = ["translate", "--source", f"T1w={folder}/t1.nii.gz", "--target", "FLAIR", "--output"]
    words += [f"{folder}/out.nii.gz", "--uncertainty", f"{folder}/doubt.nii.gz", "--model", str(bundle.folder)]
    return [*words, "--threads", "1", "--device", "cpu", *map(str, arguments)]


def test_the_command_writes_the_map_and_either_sidecar_makes_it_again(copy_generator, calibrated_bundle, files, capsys):
    lesion = ("--lesion-mask", files / "lesion.nii.gz")
    assert main(command(calibrated_bundle, files, "--progress", "none", *lesion)) == 0
    said = capsys.readouterr().out
    assert f"Uncertainty map written to {files}/doubt.nii.gz" in said
    assert "Half of ninety." in said
    assert "healthy remainder" in said
    again = rerun(files / "doubt.json", store=ModelStore(shipped_folder=calibrated_bundle.folder.parent))
    assert again.identical
    assert again.result.provenance.uncertainty.report == read_sidecar(files / "out.json").uncertainty.report


def test_a_rerun_with_another_calibration_is_not_identical_and_says_why(
    copy_generator, calibrated_bundle, files, tmp_path
):
    assert main(command(calibrated_bundle, files, "--progress", "none")) == 0
    wider = msgspec.structs.replace(TABLE, half_width=(0.1, 0.3), statement="Wider.")
    card = msgspec.structs.replace(calibrated_bundle.card, files={}, uncertainty_calibrations=(wider,))
    write_bundle(tmp_path / "models" / "doubtful", card, example_tensors())
    again = rerun(files / "out.json", store=ModelStore(shipped_folder=tmp_path / "models"))
    assert not again.identical
    assert any("Wider." in text for text in again.differences)


def test_the_command_tells_programs_too(copy_generator, calibrated_bundle, files, capsys):
    assert main(command(calibrated_bundle, files, "--progress", "json")) == 0
    event = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert event["uncertainty"] == str(files / "doubt.nii.gz")
    assert event["uncertainty_report"]["regions"][0]["name"] == "brain"


def test_the_workers_job_writes_the_map_where_it_is_asked(copy_generator, calibrated_bundle, files):
    parameters = {
        "sources": {"T1w": str(files / "t1.nii.gz")},
        "target": "FLAIR",
        "output": str(files / "synthetic.nii"),
        "uncertainty": str(files / "doubt.nii"),
        "model": str(calibrated_bundle.folder),
        "device": "cpu",
        "threads": 1,
    }
    answer = run_translate(msgspec.convert(parameters, TranslateParameters), Progress())
    assert answer.uncertainty == parameters["uncertainty"]
    assert read_volume(files / "doubt.nii").array.max() >= 50


def test_between_the_points_of_the_table_widths_are_interpolated_and_beyond_them_stay():
    signal = np.array([0.0, 0.05, 0.1, 0.7], np.float32)
    np.testing.assert_allclose(calibrated_widths(signal, TABLE), [0.05, 0.15, 0.25, 0.25], atol=1e-6)


def test_a_card_with_calibration_comes_back_and_one_without_still_loads():
    quality = (msgspec.convert(ROW, UncertaintyQuality),)
    card = msgspec.structs.replace(
        example_card(), uncertainty_calibrations=(TABLE,), uncertainty_quality=quality, uncertainty_protocol="By hand."
    )
    assert decode_card(encode_card(card), where="here") == card
    assert card.uncertainty_calibration(FLAIR) == TABLE
    assert card.uncertainty_calibration(T2W) is None
    former = json.loads(encode_card(example_card()))
    for key in [key for key in former if key.startswith("uncertainty")]:
        del former[key]
    assert decode_card(json.dumps(former).encode(), where="here") == example_card()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"raw": (0.1, 0.1)}, "raw must rise"),
        ({"raw": (0.1,), "half_width": (0.1,)}, "2 or more"),
        ({"half_width": (0.2, 0.1)}, "half_width must not fall"),
        ({"coverage": None}, "measured together"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(TABLE, **change).__post_init__()


@pytest.mark.parametrize("targets", [(FLAIR, FLAIR), (T1W,)])
def test_a_card_calibrates_each_of_its_targets_at_most_once(targets):
    tables = tuple(msgspec.structs.replace(TABLE, target=target) for target in targets)
    fields = {name: getattr(example_card(), name) for name in ModelCard.__struct_fields__}
    with pytest.raises(ValueError, match="uncertainty_calibrations must name targets"):
        ModelCard(**fields | {"uncertainty_calibrations": tables})


def test_the_text_of_a_card_says_how_wide_and_whether_it_beats_the_controls():
    row = msgspec.convert(ROW, UncertaintyQuality)
    worse = msgspec.structs.replace(row, gradient=0.75)
    card = msgspec.structs.replace(example_card(), uncertainty_calibrations=(TABLE,), uncertainty_quality=(row, worse))
    text = render_card(card)
    assert "Half of ninety." in text
    assert "beats every naive control on 1 of 2 measured routes" in text
    assert "not calibrated" in render_card(example_card())


@pytest.mark.parametrize(
    ("change", "beats"),
    [
        ({}, True),
        ({"gradient": 0.7}, False),
        ({"distance": 0.695}, False),
        ({"num_lesion_cases": 0, "distance": None, "uncertainty_lesion_cases": None}, True),
    ],
)
def test_the_map_beats_its_controls_only_when_it_beats_each_on_the_same_people(change, beats):
    assert msgspec.convert(ROW | change, UncertaintyQuality).beats_controls is beats
