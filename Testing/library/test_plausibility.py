"""Planted structures are found, erased lesions are found, and what is right is left alone."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.phantoms import brain_grid
from MRTranslateLib.plausibility.discrepancies import find_discrepancies
from MRTranslateLib.plausibility.report import ChecksRecord
from MRTranslateLib.plausibility.statement import STATEMENT
from Testing.library.plausibility_examples import Case, clean_case, erase_lesion, is_found_by, plant, scan_phantom

T1W, T1W_GD, T2W, FLAIR = Contrast.T1W, Contrast.T1W_GD, Contrast.T2W, Contrast.FLAIR


def findings_in(case: Case):
    return find_discrepancies(case.synthetic, case.target, case.sources, case.brain, case.affine)


@pytest.fixture(scope="module")
def scans():
    return scan_phantom(302, "multiple sclerosis", brain_grid((3.0, 3.0, 3.0)))


@pytest.fixture(scope="module")
def clean(scans):
    return clean_case(scans, (T1W, T2W), FLAIR, np.random.default_rng(0))


@pytest.fixture(scope="module")
def planted(scans, clean):
    return plant(clean, scans, np.random.default_rng(5), 2.0, 0.25)


@pytest.fixture(scope="module")
def found(planted):
    return findings_in(planted)


def test_nothing_is_found_where_nothing_is_wrong(clean):
    assert findings_in(clean) == ()


@pytest.mark.parametrize(("seed", "volume_ml", "contrast"), [(2, 8.0, -0.25), (3, 4.0, 0.3)])
def test_a_planted_structure_is_found_where_it_is_and_as_large_as_it_is(scans, clean, seed, volume_ml, contrast):
    case = plant(clean, scans, np.random.default_rng(seed), volume_ml, contrast)
    (finding,) = findings_in(case)
    assert (finding.kind, finding.contrast) == ("hallucination", None)
    assert finding.sign == ("bright" if contrast > 0 else "dark")
    assert np.linalg.norm(case.center_mm - finding.center_ras_mm) < 3.0
    assert 0.5 < finding.volume_ml / case.volume_ml < 2.0


def test_an_erased_lesion_is_found_once_and_the_source_that_shows_it_is_named(scans, clean):
    case = erase_lesion(clean, scans, np.random.default_rng(4), 4.0)
    (finding,) = findings_in(case)
    assert finding.kind == "erasure"
    assert is_found_by(case, finding)
    assert (finding.contrast, finding.sign) in {(T1W, "dark"), (T2W, "bright")}
    side = "right" if case.center_mm[0] > 0 else "left"
    assert f", {side} " in finding.sentence
    assert f"{finding.volume_ml:.1f} ml" in finding.sentence


def test_the_same_lesion_in_source_and_result_is_no_finding(scans, clean):
    rng = np.random.default_rng(4)
    with_lesion = erase_lesion(replace(clean, sources={**clean.sources, FLAIR: clean.synthetic}), scans, rng, 4.0)
    shown = with_lesion.sources[FLAIR]
    sources = {contrast: with_lesion.sources[contrast] for contrast in (T1W, T2W)}
    assert not [f for f in findings_in(replace(with_lesion, synthetic=shown, sources=sources)) if f.kind == "erasure"]


def test_the_result_is_the_same_again(planted, found):
    assert len(found) == 1
    assert findings_in(planted) == found


def test_an_oblique_grid_of_thick_slices_gives_the_place_in_the_patient():
    grid = brain_grid((1.6, 1.6, 4.0), rotation_deg=(12.0, -8.0, 15.0))
    scans = scan_phantom(302, "multiple sclerosis", grid)
    case = clean_case(scans, (T2W,), T1W, np.random.default_rng(0))
    case = plant(case, scans, np.random.default_rng(7), 6.0, -0.3)
    finding = findings_in(case)[0]
    assert np.linalg.norm(case.center_mm - finding.center_ras_mm) < 3.0
    assert 0.5 < finding.volume_ml / case.volume_ml < 2.0


@pytest.mark.parametrize("broken", ["no source", "other shape", "no brain"])
def test_what_cannot_be_compared_is_refused(broken):
    image, brain = np.ones((4, 4, 4), np.float32), np.ones((4, 4, 4), bool)
    sources = {} if broken == "no source" else {T1W: image[:3] if broken == "other shape" else image}
    with pytest.raises(ValueError, match="sources and a non-empty brain of one shape"):
        find_discrepancies(image, FLAIR, sources, brain & (broken != "no brain"), np.eye(4))


def test_sources_without_data_give_no_finding():
    brain = np.zeros((24, 24, 24), bool)
    brain[4:20, 4:20, 4:20] = True
    bright = brain.astype(np.float32)
    assert find_discrepancies(bright, FLAIR, {T1W: 0 * bright}, brain, np.diag([4.0, 4, 4, 1])) == ()


def test_the_record_survives_the_sidecar(found):
    record = ChecksRecord(findings=found, statement=STATEMENT)
    assert msgspec.json.decode(msgspec.json.encode(record), type=ChecksRecord) == record
