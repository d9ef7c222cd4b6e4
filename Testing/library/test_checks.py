"""The checks of a translation: sources, result and brain reach them on one grid that lies where the patient lies."""

from __future__ import annotations

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference import checks
from MRTranslateLib.inference.prepare import prepare
from MRTranslateLib.inference.sources import load_image
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.plausibility.statement import STATEMENT
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.volume import Volume

T1W, T2W = Contrast.T1W, Contrast.T2W


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
