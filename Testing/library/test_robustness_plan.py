"""What a robustness run may be asked for, and which sources each perturbation spoils."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.robustness.plan import RobustnessPlan, parse_levels, source_seed
from MRTranslateLib.robustness.regions import region_masks

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


def test_every_type_meets_every_level_on_every_track():
    plan = RobustnessPlan(perturbations=("blur", "motion"), levels=(1, 3), tracks=("clean", "own"))
    names = [key.name for key in plan.cells()]
    assert len(names) == len(set(names)) == 8
    assert names[:2] == ["blur_level1_clean", "blur_level3_clean"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"perturbations": ("fog",)}, "unknown perturbation 'fog'"),
        ({"perturbations": ()}, "perturbations must name at least one"),
        ({"levels": (1, 1)}, "each once"),
        ({"levels": (3, 1)}, "must ascend"),
        ({"levels": (6,)}, "level 6 is out of range"),
        ({"tracks": ("raw",)}, "unknown track 'raw'"),
        ({"seed": -1}, "seed -1 is negative"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_the_value(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        RobustnessPlan(**options)


@pytest.mark.parametrize(("text", "levels"), [("1-5", (1, 2, 3, 4, 5)), ("4", (4,)), ("1,5", (1, 5))])
def test_levels_are_read_as_people_write_them(text, levels):
    assert parse_levels(text) == levels


@pytest.mark.parametrize("text", ["", "one", "1-", "1;2", "12"])
def test_other_ways_to_write_levels_are_refused(text):
    with pytest.raises(UsageError, match="not understood"):
        parse_levels(text)


@pytest.mark.parametrize("text", ["5-1", "3-2"])
def test_a_range_of_levels_that_runs_backwards_is_said_to(text):
    with pytest.raises(UsageError, match=f"levels '{text}' run backwards: write {text[::-1]}"):
        parse_levels(text)


def test_misalignment_spares_the_first_source_and_a_dropped_source_is_one():
    plan = RobustnessPlan()
    assert plan.perturbed_sources("misalignment", (T1W, T2W, FLAIR)) == (T2W, FLAIR)
    assert len(plan.perturbed_sources("dropped_source", (T1W, T2W, FLAIR))) == 1
    assert plan.perturbed_sources("motion", (T1W, T2W)) == (T1W, T2W)


@pytest.mark.parametrize("name", ["misalignment", "dropped_source"])
def test_what_needs_two_sources_is_refused_with_one(name):
    with pytest.raises(UsageError, match=f"{name} needs at least two sources, got T1w alone"):
        RobustnessPlan(perturbations=(name,)).require_enough((T1W,), 100)


def test_seeds_differ_between_kinds_and_sources_and_are_the_same_everywhere():
    assert len({source_seed(1, kind, source) for kind in ("blur", "motion") for source in (T1W, T2W)}) == 4
    # First four bytes of printf '1 motion T1w' | sha256sum, halved.
    import hashlib

    assert source_seed(1, "motion", T1W) == int(hashlib.sha256(b"1 motion T1w").hexdigest()[:8], 16) // 2


def test_importing_the_plan_loads_no_torch():
    modules = "MRTranslateLib.robustness.plan, MRTranslateLib.worker.robustness"
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_the_rim_reaches_five_millimetres_and_parts_the_lesion_from_the_healthy_remainder():
    brain = np.ones((3, 21, 41), bool)
    labels = np.zeros(brain.shape, np.int32)
    labels[1, 10, 20] = 2
    regions = region_masks(brain, labels, (10.0, 2.0, 1.0))
    assert sorted(regions) == ["brain", "healthy", "label 2", "lesion", "rim"]
    assert regions["rim"][1, 10].nonzero()[0].tolist() == [15, 16, 17, 18, 19, 21, 22, 23, 24, 25]
    assert not regions["rim"][0].any()
    total = sum(regions[name].astype(int) for name in ("lesion", "rim", "healthy"))
    assert (total == 1).all()


def test_a_lesion_outside_the_brain_is_refused():
    brain = np.zeros((2, 4, 4), bool)
    brain[0, 0, 0] = True
    with pytest.raises(InputError, match="no lesion inside the brain"):
        region_masks(brain, (~brain).astype(np.int32), (1.0, 1.0, 1.0))
