"""Volumes from and to files: NIfTI, NRRD, MetaImage, and a DICOM series folder (read only)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MRTranslateLib.errors import InputError, MRTranslateError, UsageError
from MRTranslateLib.files import atomic_file, full_extension, reason, shown
from MRTranslateLib.formats import WRITABLE_EXTENSIONS
from MRTranslateLib.formats.checks import regular_file
from MRTranslateLib.formats.dicom_series import read_dicom_series
from MRTranslateLib.formats.metaimage import read_metaimage
from MRTranslateLib.formats.nifti import read_nifti, write_nifti
from MRTranslateLib.formats.nrrd import read_nrrd
from MRTranslateLib.volume import Volume, to_sitk

READERS = {
    ".nii": read_nifti,
    ".nii.gz": read_nifti,
    ".hdr": read_nifti,
    ".img": read_nifti,
    ".nrrd": read_nrrd,
    ".nhdr": read_nrrd,
    ".mha": read_metaimage,
    ".mhd": read_metaimage,
}
"""The reader for each extension; a folder is read as a DICOM series."""

_DESCRIPTION_FIELDS = {".nrrd": "NRRD_content", ".mha": "Comment"}
"""What ITK calls the header's field for words, by extension."""
_STORED_AS = {"bool": np.uint8, "float16": np.float32}


def read_volume(path: Path | str) -> Volume:
    """Read a volume in the format that its extension says, or the DICOM series in a folder.

    What the voxels hold (NaN, constant, too few slices) is not judged here: see ``preprocessing.guard``.

    Args:
        path: A file with one of the extensions in ``READERS``, or a folder with one DICOM series.

    Returns:
        The volume on its own grid, in any orientation; dtype as stored when integer and unscaled, else float32.
        Axes may miss the right angle slightly (``formats.checks.MAX_SHEAR_COSINE``) and are then kept as they are.

    Raises:
        InputError: If it cannot be read, is damaged, is not one scalar 3D volume, or has an impossible geometry.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return read_dicom_series(path)
        extension = full_extension(path)
        if extension in READERS:
            return READERS[extension](path)
        regular_file(path)
    except MemoryError as error:
        raise InputError(f"{shown(path)} does not fit into memory: crop or resample it first") from error
    except (OSError, ValueError) as error:  # what a name or a damaged header can still provoke in the libraries
        raise InputError(
            f"{shown(path)} cannot be read ({reason(error)}): check its name or export it again"
        ) from error
    known = ", ".join(READERS)
    raise InputError(f"{shown(path)} has the unknown extension {extension!r}: give one of {known} or a DICOM folder")


def read_mask(path: Path | str) -> Volume:
    """Read a mask of whole-number labels, 0 for background.

    Args:
        path: As for :func:`read_volume`.

    Returns:
        The mask; dtype as stored when integer, else the smallest of uint8, int16 and int32 that holds its labels.

    Raises:
        InputError: As :func:`read_volume`, and if a value is not a whole number or beyond int32.
    """
    volume = read_volume(path)
    if volume.array.dtype.kind in "iu":
        return volume
    lowest, highest = float(volume.array.min()), float(volume.array.max())  # NaN if any voxel is NaN
    for dtype in (np.uint8, np.int16, np.int32):
        limits = np.iinfo(dtype)
        if limits.min <= lowest and highest <= limits.max:
            labels = volume.array.astype(dtype)
            if np.array_equal(labels, volume.array):
                return volume.with_array(labels)
            break
    remedy = "give a label map (0 background, 1, 2, ... labels), not a probability or an image"
    raise InputError(f"{shown(path)} is no mask, its values {lowest:g} to {highest:g} are not all labels: {remedy}")


def refuse_unwritable_format(path: Path | str) -> None:
    """Refuse an extension that :func:`write_volume` does not write.

    Raises:
        UsageError: If it is not one of ``WRITABLE_EXTENSIONS``.
    """
    extension = full_extension(path)
    if extension not in WRITABLE_EXTENSIONS:
        known = ", ".join(WRITABLE_EXTENSIONS)
        raise UsageError(f"cannot write {shown(path)} in the format {extension!r}: use one of {known}")


def write_volume(path: Path | str, volume: Volume, *, overwrite: bool = False, description: str = "") -> None:
    """Write a volume in the format that the extension says; it appears complete or not at all.

    The grid, the values and the dtype are kept (bool becomes uint8, float16 becomes float32, which every format has).
    NIfTI is written with sform and qform; all formats but ``.nii`` are compressed. Equal volumes give equal bytes.

    Args:
        path: A file with one of ``WRITABLE_EXTENSIONS``.
        volume: What to write.
        overwrite: Replace an existing file.
        description: What the file says of itself in its header, one line; NIfTI keeps 79 characters of ASCII.

    Raises:
        UsageError: If the extension is not one of these, or as :func:`MRTranslateLib.files.atomic_file`.
        MRTranslateError: If writing fails, for example because the disk is full.
    """
    refuse_unwritable_format(path)
    extension = full_extension(path)
    kept = _STORED_AS.get(volume.array.dtype.name)
    if kept is not None:
        volume = volume.with_array(volume.array.astype(kept))
    with atomic_file(path, overwrite=overwrite) as temporary:
        try:
            if extension.startswith(".nii"):
                write_nifti(temporary, volume, compress=extension == ".nii.gz", description=description)
            else:
                image = to_sitk(volume)
                if description:
                    image.SetMetaData(_DESCRIPTION_FIELDS[extension], description)
                sitk.WriteImage(image, os.fspath(temporary), useCompression=True)
        except (OSError, RuntimeError) as error:
            why = reason(error) if isinstance(error, OSError) else "the disk may be full"
            raise MRTranslateError(
                f"cannot write {shown(path)} ({why}): free space or choose another folder"
            ) from error
