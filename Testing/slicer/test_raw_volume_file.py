"""The two file formats between Slicer and the worker, against the library's readers and writers."""

import numpy as np
import pytest

from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.volume import Volume
from Testing.slicer_host import missing_reason

pytest.importorskip("slicer", reason=str(missing_reason()))

from MRTranslateGui.RawVolumeFile import readNifti, writeNrrd

OBLIQUE = np.array([[-0.88, 0.1, 0.3, 90.5], [0.12, 0.9, -0.4, -120.25], [0.05, 0.15, 2.9, 33.125], [0, 0, 0, 1.0]])
OBLIQUE[:3, :3] = np.linalg.qr(OBLIQUE[:3, :3])[0] * [0.9, 0.9, 3.0]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_the_library_reads_the_very_voxels_and_grid_that_were_written(tmp_path, dtype):
    array = (np.random.default_rng(1).random((9, 10, 11)) * 100).astype(dtype)
    writeNrrd(tmp_path / "volume.nrrd", array, OBLIQUE)
    read = read_volume(tmp_path / "volume.nrrd")
    kept = array.astype(np.float32) if dtype == "float64" else array  # the library's own choice
    np.testing.assert_array_equal(read.array, kept.transpose(2, 1, 0))
    np.testing.assert_allclose(read.affine, OBLIQUE, atol=1e-12)


def test_big_endian_and_sliced_arrays_are_written_right(tmp_path):
    array = np.arange(8 * 10 * 12, dtype=">i2").reshape(8, 10, 12)[:, ::-1]
    writeNrrd(tmp_path / "volume.nrrd", array, np.eye(4))
    np.testing.assert_array_equal(read_volume(tmp_path / "volume.nrrd").array, array.transpose(2, 1, 0))


def test_vectors_are_refused_with_their_shape(tmp_path):
    with pytest.raises(ValueError, match=r"\(3, 4, 5, 3\)"):
        writeNrrd(tmp_path / "volume.nrrd", np.zeros((3, 4, 5, 3)), np.eye(4))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_what_the_library_writes_is_read_back(tmp_path, dtype):
    array = (np.random.default_rng(1).random((9, 10, 11)) * 100).astype(dtype)
    write_volume(tmp_path / "volume.nii", Volume(array, OBLIQUE))
    read, affine = readNifti(tmp_path / "volume.nii")
    np.testing.assert_array_equal(read, array.transpose(2, 1, 0))
    np.testing.assert_allclose(affine, OBLIQUE, atol=1e-4)


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "volume.nii"
    write_volume(path, Volume(np.zeros((9, 10, 11), np.int16), np.eye(4)))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="no complete"):
        readNifti(path)
    path.write_bytes(b"garbage")
    with pytest.raises(ValueError, match="no little-endian NIfTI-1"):
        readNifti(path)
