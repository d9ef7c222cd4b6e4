from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.transform import Rotation

from MRTranslateLib.errors import CancelledError, InputError
from MRTranslateLib.preprocessing.registration import register_rigid
from MRTranslateLib.volume import Volume

CENTRE = np.array([0.0, 0.0, 12.0])
T1W_LIKE, T2W_LIKE = np.array([0, 150, 420, 600]), np.array([0, 700, 380, 250])


def _grid(shape, spacing, angles_deg=(0, 0, 0), centre=(0, 0, 0)) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix() * spacing
    affine[:3, 3] = np.array(centre) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Volume(np.zeros(shape, np.float32), affine)


def _motion(angles_deg, shift_mm) -> np.ndarray:
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    motion[:3, 3] = shift_mm
    return motion


def _head(grid: Volume, intensities: np.ndarray, motion: np.ndarray | None = None, seed: int = 3) -> Volume:
    """A head of three tissues that is a function of space, so that two grids share no voxel of it.

    What lies at ``x`` in the head lies at ``motion @ x`` in the image.
    """
    index = np.indices(grid.shape).reshape(3, -1)
    points = grid.affine[:3, :3] @ index + grid.affine[:3, 3:]
    back = np.linalg.inv(np.eye(4) if motion is None else motion)
    x = back[:3, :3] @ points + back[:3, 3:]
    lattice = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((30, 30, 30)), 1.2)
    field = ndimage.map_coordinates(lattice / lattice.std(), x / 8 + 14.5, order=3, mode="nearest")
    radius = np.linalg.norm((x - np.array([[0], [-3], [2]])) / np.array([[68], [85], [70]]), axis=0)
    tissue = np.where(radius > 1, 0, np.where(field + (radius > 0.92) * 2 > 0.9, 1, np.where(field > -0.3, 2, 3)))
    noise = np.random.default_rng(seed + 1).normal(0, 15, tissue.shape)
    return grid.with_array(np.abs(intensities[tissue] + noise).reshape(grid.shape).astype(np.float32))


def _errors(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Angle in degrees and largest displacement in mm over the head's extent, of ``found`` against ``true``."""
    rest = np.linalg.inv(true) @ found
    points = np.array(np.meshgrid([-60, 60], [-80, 80], [-60, 60])).reshape(3, -1)
    apart = np.linalg.norm(rest[:3, :3] @ points + rest[:3, 3:] - points, axis=0)
    return float(np.degrees(Rotation.from_matrix(rest[:3, :3]).magnitude())), float(apart.mean())


@pytest.fixture(scope="module")
def fixed() -> Volume:
    return _head(_grid((72, 84, 64), (2.5, 2.5, 2.5), centre=CENTRE), T1W_LIKE)


@pytest.mark.parametrize(
    ("angles_deg", "shift_mm"),
    [((5, -8, 10), (7, -12, 9)), ((-20, 15, 12), (25, 10, -30)), ((0, 0, 33), (0, 0, 0))],
)
def test_a_known_motion_between_two_contrasts_is_recovered(fixed, angles_deg, shift_mm):
    motion = _motion(angles_deg, shift_mm)
    moving = _head(_grid((80, 90, 74), (2.4, 2.4, 2.5), (0, 0, 4), shift_mm), T2W_LIKE, motion)
    result = register_rigid(moving, fixed)
    degrees, mm = _errors(result.transform, motion)
    assert degrees < 0.3
    assert mm < 0.3
    assert result.overlap > 0.95
    sitk.VersorRigid3DTransform().SetMatrix(
        result.transform[:3, :3].ravel().tolist(), 1e-6
    )  # refuses what is not rigid
    assert result.verdict == "moved"
    assert result.rotation_deg == pytest.approx(np.degrees(Rotation.from_matrix(motion[:3, :3]).magnitude()), abs=0.3)
    moved_centre = motion[:3, :3] @ CENTRE + motion[:3, 3]
    assert result.translation_mm == pytest.approx(np.linalg.norm(moved_centre - CENTRE), abs=0.5)
    assert result.metric_after > result.metric_before


def test_thick_oblique_slices_are_registered_within_half_a_millimetre(fixed):
    motion = _motion((4, -3, 6), (2, 5, -4))
    moving = _head(_grid((160, 180, 40), (1.0, 1.0, 4.0), (8, 0, 0)), T2W_LIKE, motion)
    assert _errors(register_rigid(moving, fixed).transform, motion)[1] < 0.5


def test_headers_150_mm_apart_are_refused_as_implausible(fixed):
    motion = _motion((0, 0, 0), (150, 0, 0))
    moving = _head(_grid((60, 70, 52), (3.0, 3.0, 3.0), centre=(150, 0, 0)), T2W_LIKE, motion)
    with pytest.raises(InputError, match="would shift the head by 150 mm"):
        register_rigid(moving, fixed)


def test_the_same_input_gives_the_same_bits_whatever_the_number_of_threads(fixed):
    moving = _head(_grid((60, 70, 52), (3.0, 3.0, 3.0)), T2W_LIKE, _motion((3, 1, 2), (4, 0, 0)))
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    results = []
    try:
        for count in (1, 3):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
            results.append(register_rigid(moving, fixed).transform.tobytes())
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    assert results[0] == results[1]


def test_noise_against_a_head_is_refused_with_the_reason(fixed):
    noise = fixed.with_array(np.random.default_rng(0).random(fixed.shape, dtype=np.float32))
    with pytest.raises(InputError, match="the mutual information stays at"):
        register_rigid(noise, fixed)


def test_progress_rises_to_one_and_what_it_raises_ends_the_run(fixed):
    fractions: list[float] = []
    moving = _head(_grid((60, 70, 52), (3.0, 3.0, 3.0)), T2W_LIKE)
    register_rigid(moving, fixed, progress=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0

    def cancel(fraction: float) -> None:
        raise CancelledError("stop")

    with pytest.raises(CancelledError):
        register_rigid(moving, fixed, progress=cancel)
