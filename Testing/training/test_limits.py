"""Limits of robustness: a model's own typical errors, region by region, in its card."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.models.bundle import open_bundle, write_bundle
from MRTranslateLib.robustness.cell import compare
from Testing.library.model_examples import example_card, example_tensors
from Testing.training.conftest import tiny_scan
from training import limits
from training.__main__ import main
from training.limits import derive_limits, own_errors, write_limits

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
ROUTE = ((T1W,), FLAIR)


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "tiny", example_card(), example_tensors())


@pytest.fixture
def derive(monkeypatch, bundle):
    """Derive limits of a generator whose results are ``1 + share`` times too bright, by person or by route."""
    monkeypatch.setattr(limits, "load_generator", lambda bundle: None)

    def call(share, scans, routes=(ROUTE,), every=1):
        def predict(generator, scan, route, indices):
            return scan.images[route[1]][indices].astype(np.float32) / 255 * (1 + share[scan.case_id, route])

        monkeypatch.setattr(limits, "predict_slices", predict)
        return {each.region: each for each in derive_limits(bundle, list(scans), routes, threads=1, every=every)}

    return call


def own_error(share):
    """Of a result ``1 + share`` times too bright: its error over its own mean."""
    return pytest.approx(share / (1 + share), abs=6e-4)


def test_a_limit_is_the_median_of_the_errors_over_people_and_routes(derive):
    scans = [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2)]
    other = ((T1W, FLAIR), T2W)
    shares = {("sub-a", ROUTE): 0.1, ("sub-a", other): 0.2, ("sub-b", ROUTE): 0.2, ("sub-b", other): 0.9}
    made = derive(shares, scans, (ROUTE, other))
    assert made["brain"].max_relative_change == own_error(0.2)


def test_there_is_a_limit_for_the_brain_the_lesion_its_rim_and_the_rest(derive):
    made = derive({("sub-a", ROUTE): 0.25}, [tiny_scan("sub-a", 1)])
    assert list(made) == ["brain", "lesion", "rim", "healthy"]
    assert [limit.max_relative_change for limit in made.values()] == [own_error(0.25)] * 4


def test_the_rows_say_on_whom_and_how_they_were_derived(derive):
    scans = [tiny_scan("sub-a", 1), dataclasses.replace(tiny_scan("sub-b", 2), has_lesion_mask=False)]
    made = derive({("sub-a", ROUTE): 0.25, ("sub-b", ROUTE): 0.25}, scans, every=5)
    for limit in made.values():
        assert "validation people (2, of whom 1 with a drawn lesion) and routes (1)" in limit.derived_from
        assert "one slice in 5" in limit.derived_from


def test_people_without_a_drawn_lesion_say_nothing_of_lesions(derive):
    healthy = dataclasses.replace(tiny_scan("sub-a", 1), has_lesion_mask=False)
    assert list(derive({("sub-a", ROUTE): 0.2}, [healthy])) == ["brain"]
    undrawn = dataclasses.replace(healthy, has_lesion_mask=True, lesion=np.zeros_like(healthy.lesion))
    assert list(derive({("sub-a", ROUTE): 0.2}, [undrawn])) == ["brain"]


def test_an_error_is_measured_in_its_region_as_a_robustness_run_measures_changes(monkeypatch):
    scan = tiny_scan("sub-a", 1)
    noise = np.random.default_rng(0).uniform(0, 0.3, scan.brain.shape).astype(np.float32)

    def predict(generator, scan, route, indices):
        return (scan.images[route[1]].astype(np.float32) / 255 + noise * (1 + 2 * (scan.lesion > 0)))[indices]

    monkeypatch.setattr(limits, "predict_slices", predict)
    regions = {"brain": scan.brain, "lesion": scan.lesion > 0}
    measured = own_errors(None, scan, ROUTE, regions, every=1)
    inside = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    synthetic, truth = predict(None, scan, ROUTE, inside), scan.images[FLAIR][inside].astype(np.float32) / 255
    expected = compare(truth, synthetic, None, {name: mask[inside] for name, mask in regions.items()})
    for name, error in measured.items():
        assert error == pytest.approx(expected[name].relative_change, rel=1e-4)
    assert measured["lesion"] > 1.2 * measured["brain"]


def test_a_region_beside_the_judged_slices_is_left_out(monkeypatch):
    scan = tiny_scan("sub-a", 1)
    monkeypatch.setattr(limits, "predict_slices", lambda g, scan, route, indices: scan.images[FLAIR][indices] / 255.0)
    assert list(own_errors(None, scan, ROUTE, {"brain": scan.brain, "lesion": scan.lesion > 0}, every=100)) == ["brain"]


def test_routes_that_are_not_offered_or_that_nobody_has_do_not_count(derive):
    to_t1w = ((T2W,), T1W)  # the example makes no T1w
    made = derive({("sub-a", ROUTE): 0.25}, [tiny_scan("sub-a", 1)], (ROUTE, to_t1w, ((T1W,), Contrast.T1W_GD)))
    assert "routes (1)" in made["brain"].derived_from
    with pytest.raises(InputError, match="nobody on the val split"):
        derive({}, [tiny_scan("sub-a", 1)], (to_t1w,))


def test_a_perfect_model_still_has_a_limit(derive):
    assert derive({("sub-a", ROUTE): 0.0}, [tiny_scan("sub-a", 1)])["brain"].max_relative_change == 0.001


def test_written_limits_stand_in_the_card_of_the_same_weights(derive, bundle):
    made = tuple(derive({("sub-a", ROUTE): 0.25}, [tiny_scan("sub-a", 1)]).values())
    write_limits(bundle, made)
    again = open_bundle(bundle.folder)
    assert again.card == msgspec.structs.replace(bundle.card, robustness_limits=made)
    assert again.weights_sha256 == bundle.weights_sha256


def test_the_command_tells_the_limits_and_writes_them_only_when_asked(
    bundle, phantom_data, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(limits, "load_generator", lambda bundle: None)

    def predict(generator, scan, route, indices):
        return scan.images[route[1]][indices].astype(np.float32) / 255 * 1.25

    monkeypatch.setattr(limits, "predict_slices", predict)
    arguments = ["limits", "--model", str(bundle.folder), "--data", str(phantom_data)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "brain: 20 %" in said
    assert "Derived from: median over validation people (1," in said
    assert open_bundle(bundle.folder).card == bundle.card
    assert main([*arguments, "--write"]) == 0
    (limit,) = open_bundle(bundle.folder).card.robustness_limits
    assert limit.max_relative_change == own_error(0.25)
