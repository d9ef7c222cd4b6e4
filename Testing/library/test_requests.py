"""What Python callers hand over by mistake: one sentence each, before any work."""

import nibabel
import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.volume import Volume
from Testing.library.robustness_examples import run_small

T1W = Contrast.T1W


@pytest.fixture(scope="module")
def scan():
    return make_phantom(3, grid=brain_grid((3, 3, 3)), contrasts=(T1W,)).volumes[T1W]


@pytest.fixture
def ask(copy_generator, coarse_bundle):
    def call(sources, target="FLAIR", **options):
        return translate(sources, target, **{"model": coarse_bundle.folder, "device": "cpu", "threads": 1, **options})

    return call


@pytest.mark.parametrize("registration", ["Never", "none", "", None, True])
def test_a_registration_that_does_not_exist_is_refused_and_nothing_is_written(ask, scan, tmp_path, registration):
    with pytest.raises(UsageError, match=f"unknown registration {registration!r}: use auto, always or never"):
        ask({"T1w": scan}, registration=registration, output=tmp_path / "out.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_robustness_run_knows_the_same_registrations(copy_generator, coarse_bundle, tmp_path):
    with pytest.raises(UsageError, match="unknown registration 'Never'"):
        run_small(coarse_bundle.folder, tmp_path / "run", registration="Never")
    assert list(tmp_path.iterdir()) == []


def sheared(affine):
    tilt = np.eye(4)
    tilt[0, 2] = 0.4
    return affine @ tilt


@pytest.mark.parametrize("wrap", [Volume, lambda array, affine: (array, affine)])
def test_a_sheared_affine_in_memory_is_refused_as_one_in_a_file(ask, scan, wrap):
    with pytest.raises(InputError, match=r"^T1w has axes 21\.8 degrees off the right angle"):
        ask({"T1w": wrap(scan.array, sheared(scan.affine))})


@pytest.mark.parametrize("dtype", [complex, object, str])
def test_voxels_that_are_no_real_numbers_are_refused_with_their_type(ask, scan, dtype):
    with pytest.raises(InputError, match=r"^T1w holds .* voxels: give one real number per voxel"):
        ask({"T1w": (scan.array.astype(dtype), scan.affine)})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda scan: scan.array,
        lambda scan: [scan.array, scan.affine],
        lambda scan: (scan.array,),
        lambda scan: (scan.array, scan.affine, 1),
        lambda scan: nibabel.Nifti1Image(scan.array, scan.affine),
        lambda scan: None,
    ],
    ids=["array", "list", "no affine", "three", "nibabel", "nothing"],
)
def test_what_is_no_image_is_refused_with_what_to_hand_over(ask, scan, wrong):
    with pytest.raises(InputError, match=r"^T1w.*hand over \(array, affine\), a Volume or a path"):
        ask({"T1w": wrong(scan)})


def test_a_contrast_in_two_spellings_is_not_dropped_silently(ask, scan):
    with pytest.raises(UsageError, match="T1w is given twice, the second time as 't1w'"):
        ask({"T1w": scan, "t1w": scan})


@pytest.mark.parametrize("sources", [[("T1w", "t1.nii.gz")], "t1.nii.gz", None])
def test_sources_without_contrasts_are_refused(ask, sources):
    with pytest.raises(UsageError, match="sources are given by contrast"):
        ask(sources)


def test_a_target_that_is_no_name_is_an_unknown_contrast(ask, scan):
    with pytest.raises(UsageError, match="unknown contrast 'None'"):
        ask({"T1w": scan}, None)


@pytest.mark.parametrize("threads", [2.5, "2", 0])
def test_threads_are_a_whole_number(ask, scan, threads):
    with pytest.raises(UsageError, match=f"cannot run on {threads!r} threads: use a whole number from 1 to 1024"):
        ask({"T1w": scan}, threads=threads)


@pytest.mark.parametrize("device", [None, 0])
def test_a_device_that_is_no_name_is_unknown(ask, scan, device):
    with pytest.raises(UsageError, match=f"unknown device {device}"):
        ask({"T1w": scan}, device=device)


@pytest.mark.parametrize("option", ["output", "attention", "uncertainty", "report"])
def test_an_output_that_is_no_file_name_is_refused(ask, scan, option):
    with pytest.raises(UsageError, match=f"{option} is a float: give the name of a file"):
        ask({"T1w": scan}, **{option: 1.5})


def test_no_map_may_be_asked_for_by_none(ask, scan):
    assert ask({"T1w": scan}, attention=None, uncertainty=None).attention is None
