"""The uncertainty of a result from an acquired low-resolution target: what is varied, what is kept, which table counts.

The generator copies its source and the branch is untrained: the result is the healthy head made to agree with what was
acquired of the ill one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pytest

from MRTranslateLib.cli.card_text import render_card
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.load import load_super_resolver
from MRTranslateLib.inference.low_resolution import LowResolution, prepare_low_resolution
from MRTranslateLib.inference.prepare import Prepared, prepare
from MRTranslateLib.inference.slices import SliceJob
from MRTranslateLib.inference.sources import load_image
from MRTranslateLib.inference.super_resolution import super_resolve
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.inference.uncertainty import acquired_calibration
from MRTranslateLib.models.bundle import Bundle, open_bundle, rewrite_card
from MRTranslateLib.models.card import ModelCard, decode_card, encode_card
from MRTranslateLib.models.components import Components, SuperResolutionCard
from MRTranslateLib.models.uncertainty import LowResolutionUncertainty, UncertaintyCalibration, UncertaintyQuality
from MRTranslateLib.phantoms import Phantom, brain_grid, make_phantom
from MRTranslateLib.progress import Progress
from MRTranslateLib.translation_report.content import TranslationReport
from MRTranslateLib.uncertainty.members import GAIN, MEMBERS
from MRTranslateLib.uncertainty.resolved_spread import (
    ResolvedSpread,
    acquired_noise,
    perturbed_acquired,
    source_noise,
    synthesis_variants,
)
from MRTranslateLib.uncertainty.spread import spread_slices
from MRTranslateLib.volume import Volume
from Testing.library.model_examples import example_card
from Testing.library.test_low_resolution import BRANCH, sharp

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
THICK = (3.0, 3.0, 12.0)
EXECUTION = Execution("cpu", "fp32", 1)
QUALITY = UncertaintyQuality(
    sources=(T1W,),
    target=FLAIR,
    split="val",
    num_cases=4,
    coverage=0.91,
    lowest_coverage=0.85,
    mean_half_width=0.1,
    uncertainty=0.6,
    gradient=0.7,
    num_lesion_cases=0,
    uncertainty_lesion_cases=None,
    distance=None,
)


def row(in_plane_ratio=1, slice_thickness_mm=None, target=FLAIR):
    setting = f"{in_plane_ratio} {slice_thickness_mm}"
    table = UncertaintyCalibration(
        target=target,
        raw=(0.0, 0.1),
        half_width=(0.02, 0.12),
        coverage=0.91,
        lowest_coverage=0.85,
        statement=f"As acquired {setting}.",
    )
    quality = (msgspec.structs.replace(QUALITY, target=target),) if target == FLAIR else ()
    return LowResolutionUncertainty(
        in_plane_ratio=in_plane_ratio, slice_thickness_mm=slice_thickness_mm, calibration=table, quality=quality
    )


ROWS = (row(2), row(4), row(1, 12.0))


@dataclass(frozen=True, eq=False)
class Scene:
    """A healthy head as the source; the FLAIR of the same head with a tumour, acquired in thick slices."""

    bundle: Bundle
    head: Phantom
    source: Volume
    thick: Volume
    prepared: Prepared
    low: LowResolution

    def ready(self, volume):
        return prepare_low_resolution(
            load_image(volume, "low"),
            load_image(self.source, "T1w"),
            self.prepared,
            component=self.bundle.card.require_super_resolution(),
            target=FLAIR,
            registration="never",
            progress=Progress(),
        )


def flair(spacing_mm, pathology="glioma"):
    grid = brain_grid(spacing_mm)
    return make_phantom(8, pathology=pathology, grid=grid, contrasts=[FLAIR], noise=0, bias=0)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    bundle = sharp(tmp_path_factory.mktemp("models"))
    rewrite_card(bundle, low_resolution_uncertainty=ROWS)
    bundle = open_bundle(bundle.folder)
    head = flair((3.0,) * 3, "none")
    source, thick = head.volumes[FLAIR], flair(THICK).volumes[FLAIR]
    prepared = prepare(
        {T1W: load_image(source, "T1w")},
        load_image(head.brain_mask, "brain mask", labels=True),
        preprocessing=bundle.card.preprocessing,
        registration="never",
        bias_correction=False,
        progress=Progress(),
    )
    made = Scene(bundle, head, source, thick, prepared, None)
    return Scene(bundle, head, source, thick, prepared, made.ready(thick))


@pytest.fixture
def run(copy_generator, scene):
    """``translate`` of the healthy head with the thick slices to FLAIR, with a map."""

    def call(low=scene.thick, bundle=scene.bundle, **options):
        options = {"uncertainty": True, "brain_mask": scene.head.brain_mask, "registration": "never", **options}
        return translate(
            {T1W: scene.source}, FLAIR, low_resolution=low, model=bundle.folder, device="cpu", threads=1, **options
        )

    return call


def variants(generator, prepared, noise=None):
    noise = source_noise(prepared) if noise is None else noise
    return list(synthesis_variants(generator, prepared, FLAIR, noise, EXECUTION, Progress(), seed=0))


# What is varied


def test_mirrored_sources_and_what_is_made_of_them_come_back_upright(copy_generator, scene):
    original = scene.prepared.slices[T1W]
    made = variants(copy_generator, scene.prepared)
    assert [variant.name for variant in made] == [member.name for member in MEMBERS]
    for variant in made:
        changed = variant.prepared.slices[T1W]
        shown = slice(scene.prepared.brain_range[0] + 1, scene.prepared.brain_range[1])
        np.testing.assert_allclose(variant.synthetic[shown], changed[shown], atol=1e-6)  # the generator copies
        misfit, mirrored = (np.abs(changed - each).mean() for each in (original, original[:, :, ::-1]))
        assert 0 < misfit < 0.5 * mirrored


def test_a_source_is_left_out_only_where_there_are_others_and_the_acquired_target_is_left_alone_then(
    copy_generator, scene
):
    two = replace(scene.prepared, slices={T1W: scene.prepared.slices[T1W], T2W: scene.prepared.slices[T1W]})
    dropped = [variant for variant in variants(copy_generator, two) if variant.seed is None]
    assert [variant.name for variant in dropped] == ["without T1w", "without T2w"]
    assert [tuple(variant.prepared.slices) for variant in dropped] == [(T2W,), (T1W,)]


def test_the_acquired_target_gets_its_own_noise_and_a_gain_and_stays_in_place(scene):
    noise = 0.02
    inside = scene.low.volume.array > 0.3
    gains, different = [], set()
    for seed in range(6):
        changed = perturbed_acquired(scene.low, noise, seed=seed).volume
        ratio = changed.array[inside] / scene.low.volume.array[inside]
        gains.append(np.median(ratio))
        left = changed.array[inside] / gains[-1] - scene.low.volume.array[inside]
        assert left.std() == pytest.approx(noise, rel=0.1)
        assert not changed.array[scene.low.volume.array == 0].any()
        assert (changed.affine == scene.low.volume.affine).all()
        different.add(round(float(changed.array.sum()), 3))
    assert np.abs(np.array(gains) - 1).max() < GAIN + 0.01
    assert np.std(gains) > 0.2 * GAIN
    assert len(different) == 6
    again = perturbed_acquired(scene.low, noise, seed=0).volume.array
    np.testing.assert_array_equal(again, perturbed_acquired(scene.low, noise, seed=0).volume.array)


def test_the_noise_of_thick_slices_is_read_within_them(scene):
    random = np.random.default_rng(0)
    noisy = scene.thick.array + 0.05 * scene.thick.array.max() * random.standard_normal(scene.thick.shape)
    noisy = np.where(scene.thick.array > 0, noisy, 0).clip(0).astype(np.float32)
    clean, added = (
        acquired_noise(scene.ready(scene.thick.with_array(array)), scene.prepared)
        for array in (scene.thick.array, noisy)
    )
    assert clean < 0.016  # across them the anatomy between two slices would count: 0.020
    assert np.sqrt(added**2 - clean**2) == pytest.approx(0.05, rel=0.35)


def test_what_was_acquired_narrows_the_spread(copy_generator, scene):
    job = SliceJob.of(scene.prepared, FLAIR)
    component, resolver = scene.bundle.card.require_super_resolution(), load_super_resolver(scene.bundle)
    sources = scene.prepared.slices[T1W][scene.prepared.indices]
    alone = spread_slices(copy_generator, job, sources, EXECUTION, Progress(), seed=0)
    resolved = super_resolve(
        copy_generator, resolver, component, scene.prepared, scene.low, EXECUTION, Progress()
    ).slices
    gathered = ResolvedSpread(resolver, component, scene.low, scene.prepared, resolved)
    noise = source_noise(scene.prepared)
    for variant in variants(copy_generator, scene.prepared, noise):
        gathered.add(variant, EXECUTION, Progress())
    kept = gathered.spread(noise)
    brain = sources > 0
    assert kept.perturbed[brain].mean() < 0.85 * alone.perturbed[brain].mean()
    assert kept.perturbed[brain].mean() > 0.005
    assert kept.dropped is None
    assert set(kept.noise) == {T1W, FLAIR}
    assert kept.members == alone.members


# Which table counts


@pytest.mark.parametrize(
    ("spacing_mm", "expected"),
    [
        (THICK, (1, 12.0)),
        ((3.0, 3.0, 9.0), (1, 12.0)),
        ((3.0, 3.0, 14.0), (1, 12.0)),
        ((6.0, 6.0, 3.0), (2, None)),
        ((9.0, 9.0, 3.0), (4, None)),
        ((12.0, 3.0, 3.0), (4, None)),
    ],
)
def test_the_table_is_that_of_the_finest_acquisition_that_is_not_finer(scene, spacing_mm, expected):
    found = acquired_calibration(
        scene.bundle.card, FLAIR, scene.ready(flair(spacing_mm).volumes[FLAIR]), scene.prepared
    )
    assert (found.in_plane_ratio, found.slice_thickness_mm) == expected


@pytest.mark.parametrize("spacing_mm", [(6.0, 6.0, 12.0), (3.0, 3.0, 16.0)])
def test_an_acquisition_coarser_than_any_calibrated_one_is_refused_before_the_work(run, spacing_mm):
    told = set()
    with pytest.raises(ModelError, match="no calibration of the uncertainty of FLAIR") as refused:
        run(flair(spacing_mm).volumes[FLAIR], progress=lambda stage, _: told.add(stage))
    size = " x ".join(f"{mm:g}" for mm in spacing_mm)
    assert f"{size} mm (it has pixels x2; pixels x4; slices of 12 mm)" in str(refused.value)
    assert "prepare" in told
    assert not told & {"translate", "super-resolve"}


def test_a_model_without_any_such_table_refuses_at_once_and_says_what_to_leave_out(run, tmp_path):
    told = set()
    with pytest.raises(ModelError, match="leave out the uncertainty map or the low-resolution target"):
        run(bundle=sharp(tmp_path), progress=lambda stage, _: told.add(stage))
    assert told == {"read"}


# All of it


def test_map_record_and_report_are_by_that_table(run, tmp_path):
    told, path = [], tmp_path / "report.json"
    result = run(progress=lambda stage, fraction: told.append((stage, fraction)), report=path)
    report = result.provenance.uncertainty.report
    assert (report.calibrated, report.statement, report.coverage) == (True, "As acquired 1 12.0.", 0.91)
    assert set(report.noise) == {"T1w", "FLAIR"}
    inside = result.uncertainty.array[result.brain_mask.array]
    assert 20 <= inside.min() < inside.max() <= 120
    assert not result.uncertainty.array[~result.brain_mask.array].any()
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    of_members = [fraction for stage, fraction in told if stage == "uncertainty"]
    assert of_members[-1] - of_members[0] > 0.6
    written = msgspec.json.decode(path.read_bytes(), type=TranslationReport)
    assert written.model.uncertainty_quality == QUALITY
    cautions = [each.text for each in written.verdict if each.weight == "caution"]
    assert any("pointed at errors no better than a simple control" in text for text in cautions)


def test_cancelled_among_the_members_nothing_is_written(run, tmp_path):
    progress = Progress(lambda stage, fraction: progress.cancelled.set() if stage == "uncertainty" else None)
    with pytest.raises(Exception, match="cancelled"):
        run(progress=progress, output=tmp_path / "out.nii.gz", uncertainty=tmp_path / "doubt.nii.gz")
    assert list(tmp_path.iterdir()) == []


# The card


def fields(**changes):
    return {name: getattr(sharp_card(), name) for name in ModelCard.__struct_fields__} | changes


def sharp_card():
    part = SuperResolutionCard(
        parameters=BRANCH, in_plane_ratios=(2,), slice_thickness_mm=(5.0,), thick_slices_start="synthetic"
    )
    return msgspec.structs.replace(example_card(), components=Components(super_resolution=part))


def test_a_card_with_such_tables_comes_back_and_one_without_still_loads():
    card = ModelCard(**fields(low_resolution_uncertainty=ROWS))
    assert decode_card(encode_card(card), where="here") == card
    former = json.loads(encode_card(sharp_card()))
    del former["low_resolution_uncertainty"]
    assert decode_card(json.dumps(former).encode(), where="here") == sharp_card()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"low_resolution_uncertainty": (row(2), row(2))}, "each once per acquisition"),
        ({"low_resolution_uncertainty": (row(2, target=T1W),)}, "must name targets"),
        ({"low_resolution_uncertainty": (row(2),), "components": None}, "name no super_resolution"),
    ],
)
def test_a_card_whose_tables_make_no_sense_is_refused(changes, message):
    if "components" in changes:
        changes = changes | {"components": Components()}
    with pytest.raises(ValueError, match=message):
        ModelCard(**fields(**changes))


def test_a_table_tells_of_routes_to_its_own_target_only():
    with pytest.raises(ValueError, match="quality must be of routes to T2w"):
        LowResolutionUncertainty(
            in_plane_ratio=2, slice_thickness_mm=None, calibration=row(2, target=T2W).calibration, quality=(QUALITY,)
        )


def test_the_text_of_a_card_tells_the_tables_and_their_worth():
    table = row(1, 12.0).calibration
    text = render_card(ModelCard(**fields(low_resolution_uncertainty=ROWS, uncertainty_calibrations=(table,))))
    assert "As acquired 4 None." in text
    assert "pixels x4" in text
