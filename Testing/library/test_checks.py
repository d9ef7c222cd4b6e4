"""The checks of a translation: sources, result and brain reach them on one grid that lies where the patient lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.interpolate import interp1d

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference import checks
from MRTranslateLib.inference.low_resolution import AcquiredSlices
from MRTranslateLib.inference.prepare import Prepared, prepare
from MRTranslateLib.inference.sources import load_image
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.plausibility.statement import STATEMENT
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.volume import Volume, to_canonical, to_slices
from Testing.library.plausibility_examples import (
    Case,
    Scans,
    clean_case,
    erase_lesion,
    is_found_by,
    plant,
    scan_phantom,
)

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


@pytest.fixture(scope="module", params=["cubic", "thick oblique slices"])
def prepared(request, coarse_bundle):
    """T1w of a phantom, on the working grid of a model that wants 3 mm."""
    spacing, turn = ((3.0, 3.0, 3.0), (0, 0, 0)) if request.param == "cubic" else ((3.0, 3.0, 6.0), (10.0, -5.0, 8.0))
    phantom = make_phantom(5, grid=brain_grid(spacing, rotation_deg=turn), contrasts=[T1W])
    made = prepare(
        {T1W: load_image(phantom.volumes[T1W], "T1w")},
        load_image(phantom.brain_mask, "brain mask", labels=True),
        preprocessing=coarse_bundle.card.preprocessing,
        registration="never",
        bias_correction=False,
        progress=Progress(),
    )
    return made, phantom


@pytest.fixture
def handed_over(monkeypatch):
    """What the search for discrepancies is given."""
    given = {}

    def remember(synthetic, target, sources, brain, affine):
        given.update(synthetic=synthetic, target=target, sources=sources, brain=brain, affine=affine)
        return ()

    monkeypatch.setattr(checks, "find_discrepancies", remember)
    return given


def test_result_and_source_lie_voxel_on_voxel(prepared, handed_over):
    made, _ = prepared
    record = checks.findings_of(made.slices[T1W][made.indices], prepared=made, target=T2W)
    assert (record.findings, record.statement) == ((), STATEMENT)
    assert handed_over["target"] is T2W
    np.testing.assert_array_equal(handed_over["synthetic"], handed_over["sources"][T1W])
    assert not handed_over["sources"][T1W][~handed_over["brain"]].any()


def test_the_grid_lies_where_the_patient_lies(prepared, handed_over):
    made, phantom = prepared
    checks.findings_of(made.slices[T1W][made.indices], prepared=made, target=T2W)
    grid = Volume(handed_over["brain"], handed_over["affine"])
    acquired = resample(phantom.volumes[T1W], grid).array[grid.array]
    brain = resample(phantom.brain_mask, grid, interpolation="nearest").array > 0
    assert (brain == grid.array).all()
    scale = made.source_records[0].percentile_value
    shown = handed_over["sources"][T1W][grid.array]
    np.testing.assert_allclose(shown, np.clip(acquired / scale, 0, 1), atol=1e-4)


# An acquired low-resolution target


@dataclass(frozen=True, eq=False)
class Scene:
    """A T1w phantom, its FLAIR as a network makes it, ready to be checked."""

    scans: Scans
    case: Case
    prepared: Prepared

    def slices(self, image):
        """Of the brain's box."""
        return to_slices(to_canonical(Volume(image, self.scans.affine)).array[self.prepared.box])

    def findings(self, synthetic, acquired=None, covered=None):
        if acquired is not None:
            values = self.slices(acquired)
            field = np.ones(values.shape, bool) if covered is None else self.slices(covered)
            acquired = AcquiredSlices(values * field, field)
        made = self.slices(synthetic)[self.prepared.indices]
        return checks.findings_of(made, prepared=self.prepared, target=FLAIR, acquired=acquired).findings


@pytest.fixture(scope="module")
def scene(coarse_bundle):
    scans = scan_phantom(31, "none", brain_grid((3.0, 3.0, 3.0), field_of_view_mm=(192, 225, 171)))
    case = clean_case(scans, (T1W,), FLAIR, np.random.default_rng(31))
    made = prepare(
        {T1W: load_image(Volume(scans.images[T1W], scans.affine), "T1w")},
        load_image(Volume(scans.brain.astype(np.uint8), scans.affine), "brain mask", labels=True),
        preprocessing=coarse_bundle.card.preprocessing,
        registration="never",
        bias_correction=False,
        progress=Progress(),
    )
    return Scene(scans, case, made)


@pytest.fixture
def planted(scene):
    """3 ml in the synthetic image that T1w does not show."""
    return plant(scene.case, scene.scans, np.random.default_rng(7), 3.0, 0.25)


@pytest.fixture
def missed(scene):
    """3 ml in the acquired FLAIR that neither T1w nor the result shows."""
    of_flair = replace(scene.case, sources={FLAIR: scene.scans.images[FLAIR]})
    return erase_lesion(of_flair, scene.scans, np.random.default_rng(7), 3.0)


def thick(image):
    """Slices of 6 mm, interpolated."""
    pairs = image[:, :, : image.shape[2] // 2 * 2].reshape(*image.shape[:2], -1, 2).mean(axis=3)
    middles = 2 * np.arange(pairs.shape[2]) + 0.5
    between = interp1d(middles, pairs, axis=2, bounds_error=False, fill_value=(pairs[..., 0], pairs[..., -1]))
    return between(np.arange(image.shape[2])).astype(np.float32)


def found(case, findings, kind):
    return [finding for finding in findings if finding.kind == kind and is_found_by(case, finding)]


def test_a_structure_that_the_acquired_target_shows_is_no_hallucination(scene, planted):
    assert found(planted, scene.findings(planted.synthetic), "hallucination")
    acquired = thick(scene.scans.images[FLAIR] + (planted.synthetic - scene.case.synthetic))
    assert scene.findings(planted.synthetic, acquired) == ()


def test_a_structure_that_the_acquired_target_does_not_show_stays_a_hallucination(scene, planted):
    findings = scene.findings(planted.synthetic, thick(scene.scans.images[FLAIR]))
    assert [finding.kind for finding in findings] == ["hallucination"]
    assert found(planted, findings, "hallucination")


def test_a_lesion_that_the_acquired_target_alone_shows_is_an_erasure_named_as_acquired(scene, missed):
    assert scene.findings(missed.synthetic) == ()
    (finding,) = found(missed, scene.findings(missed.synthetic, thick(missed.sources[FLAIR])), "erasure")
    assert finding.contrast is FLAIR
    assert f"{finding.volume_ml:.1f} ml that the acquired low-resolution FLAIR shows, " in finding.sentence
    side = "right" if finding.center_ras_mm[0] > (scene.scans.affine @ [*_middle(scene), 1])[0] else "left"
    assert f"shows, {side} " in finding.sentence


@pytest.mark.parametrize("acquired_shows_it", [False, True])
def test_a_lesion_of_another_source_has_vanished_only_if_the_acquired_target_shows_it(scene, acquired_shows_it):
    both = replace(scene.case, sources={T1W: scene.scans.images[T1W], FLAIR: scene.scans.images[FLAIR]})
    ill = erase_lesion(both, scene.scans, np.random.default_rng(9), 6.0)
    made = {contrast: scene.slices(image) for contrast, image in ill.sources.items()}
    there = replace(scene, prepared=replace(scene.prepared, slices={T1W: made[T1W]}))
    assert found(ill, there.findings(ill.synthetic), "erasure")
    acquired = thick(ill.sources[FLAIR] if acquired_shows_it else scene.scans.images[FLAIR])
    assert bool(found(ill, there.findings(ill.synthetic, acquired), "erasure")) is acquired_shows_it


def _middle(scene):
    return np.argwhere(scene.scans.brain).mean(axis=0)


def test_where_nothing_is_amiss_an_acquired_target_adds_no_finding(scene):
    assert scene.findings(scene.case.synthetic, thick(scene.scans.images[FLAIR])) == ()


@pytest.mark.parametrize("gap", ["thin", "thick"])
def test_beyond_the_acquired_target_the_sources_are_the_witnesses(scene, planted, gap):
    # It ends at the planted structure's own height, or a little below its lower end; what it does not hold is 0.
    inside = np.argwhere(planted.truth)[:, 2]
    end = int(np.median(inside)) - 1 if gap == "thin" else inside.min() - 6
    covered = np.zeros(planted.truth.shape, bool)
    covered[:, :, :end] = True
    acquired = thick(scene.scans.images[FLAIR])
    findings = scene.findings(planted.synthetic, acquired, covered)
    assert found(planted, findings, "hallucination")
    assert len(findings) == 1


def test_the_statement_says_that_the_acquired_target_was_looked_at(prepared, handed_over):
    made, _ = prepared
    shape = made.slices[T1W].shape
    acquired = AcquiredSlices(np.full(shape, 0.5, np.float32), np.ones(shape, bool))
    record = checks.findings_of(made.slices[T1W][made.indices], prepared=made, target=T2W, acquired=acquired)
    assert record.statement.startswith(STATEMENT)
    assert "The low-resolution T2w counted as a source" in record.statement
    assert set(handed_over["sources"]) == {T1W, T2W}
    brain = handed_over["brain"]
    assert (handed_over["sources"][T2W] == np.where(brain, np.float32(0.5), 0)).all()
