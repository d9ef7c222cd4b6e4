"""NIfTI-1 and NIfTI-2, in one file (.nii, .nii.gz) or as a pair (.hdr with .img).

nibabel decodes the header and encodes files; the voxels are read here, because a damaged header must be refused
before memory is taken, and because this is faster. References: https://nifti.nimh.nih.gov, nifti1.h and nifti2.h.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import shown
from MRTranslateLib.formats.checks import check_affine, check_spacing, spatial_shape
from MRTranslateLib.formats.voxels import VoxelBlock, is_gzip, read_start, read_voxels
from MRTranslateLib.volume import RAS_TO_LPS, Volume

SCANNER_CODE = 1
"""NIFTI_XFORM_SCANNER_ANAT: the affine leads to scanner millimetres."""
GZIP_LEVEL = 1
"""Level 6 takes five times as long for 1-2 % of the size (PERFORMANCE.md)."""
MAX_DESCRIPTION_BYTES = 79
"""The header has 80 for ``descrip``, of which some readers want the last to be 0."""
MAX_SPACING_CONFLICT = 0.01
"""Relative difference between the voxel sizes of sform and pixdim above which the header contradicts itself."""

MAX_PLACE_CONFLICT_MM = 1.0
"""Distance of a corner voxel by sform and by qform above which a viewer shows the file elsewhere than we take it."""

_DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_NOT_SCALAR = {32: "complex", 1792: "complex", 2048: "complex", 128: "RGB", 2304: "RGBA"}
_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}  # NIFTI_UNITS_METER, MM, MICRON


def read_nifti(path: Path) -> Volume:
    """Read a NIfTI volume.

    Where the header has an sform it gives the position (as in nibabel, FSL and SPM; ITK prefers a qform over an sform
    that is not marked as scanner coordinates; where the two differ the file is refused). Else the qform does. Else
    (neither) rows run to the left and columns to the back from the origin, as ITK and Slicer place such files.

    Returns:
        The volume; dtype as stored when integer and unscaled, else float32 with scl_slope and scl_inter applied.

    Raises:
        InputError: If the file is no NIfTI volume, damaged, or not scalar and 3D.
    """
    header_path, voxels_path = _files(path)
    header = _parse_header(header_path)
    shape = spatial_shape(header_path, _sizes(header_path, header))
    affine = _affine(header_path, header)
    packed = is_gzip(voxels_path)
    array = read_voxels(
        VoxelBlock(
            path=voxels_path,
            offset=_offset(header_path, header, single_file=header_path == voxels_path),
            shape=shape,
            dtype=_dtype(header_path, header),
            deflated=packed,
            unpack_whole_file=packed,
        )
    )
    return Volume(_scaled(header_path, header, array), affine)


def write_nifti(path: Path, volume: Volume, *, compress: bool, description: str = "") -> None:
    """Write one NIfTI-1 file with sform and qform set; the same volume gives the same bytes.

    Raises:
        OSError: If the file cannot be written.
    """
    image = nib.Nifti1Image(volume.array, volume.affine, dtype=volume.array.dtype)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii", "replace")[:MAX_DESCRIPTION_BYTES]
    image.set_sform(volume.affine, code=SCANNER_CODE)
    image.set_qform(volume.affine, code=SCANNER_CODE)
    with path.open("wb") as file:
        if not compress:
            image.to_file_map({"image": nib.FileHolder(fileobj=file)})
            return
        # No name and no time in the gzip header: they would make equal results differ.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=file, mtime=0) as packed:
            image.to_file_map({"image": nib.FileHolder(fileobj=packed)})


def _files(path: Path) -> tuple[Path, Path]:
    """Header file and voxel file."""
    if path.suffix.lower() == ".hdr":
        return path, path.with_suffix(".IMG" if path.suffix == ".HDR" else ".img")
    if path.suffix.lower() == ".img":
        return path.with_suffix(".HDR" if path.suffix == ".IMG" else ".hdr"), path
    return path, path


def _parse_header(path: Path) -> Any:
    """The nibabel header, unchecked."""
    start = read_start(path, nib.Nifti2Header.sizeof_hdr, unpack=True)
    for kind in (nib.Nifti1Header, nib.Nifti2Header):
        for byteorder in ("little", "big"):
            if len(start) < kind.sizeof_hdr or int.from_bytes(start[:4], byteorder) != kind.sizeof_hdr:
                continue
            header = kind(start[: kind.sizeof_hdr], "<" if byteorder == "little" else ">", check=False)
            if bytes(header["magic"])[:3] in (b"n+1", b"ni1", b"n+2", b"ni2"):
                return header
            if not bytes(header["magic"]).strip(b"\0"):
                why = "is Analyze 7.5, which does not say left from right: convert it to NIfTI"
                raise InputError(f"{shown(path)} {why}")
    raise InputError(
        f"{shown(path)} does not start like a NIfTI file: give a .nii or .nii.gz volume, or export it again"
    )


def _sizes(path: Path, header: Any) -> list[int]:
    num_axes = int(header["dim"][0])
    if not 1 <= num_axes <= 7:
        raise InputError(f"{shown(path)} claims {num_axes} axes: its header is damaged; copy or export it again")
    return [int(size) for size in header["dim"][1 : 1 + num_axes]]


def _dtype(path: Path, header: Any) -> np.dtype[Any]:
    code, bitpix = int(header["datatype"]), int(header["bitpix"])
    if code in _NOT_SCALAR:
        raise InputError(f"{shown(path)} holds {_NOT_SCALAR[code]} voxels: give a volume with one real value per voxel")
    if code not in _DTYPES:
        raise InputError(f"{shown(path)} has the unknown datatype {code}: convert it to int16 or float32")
    dtype: np.dtype[Any] = np.dtype(header.endianness + _DTYPES[code])
    if bitpix != 8 * dtype.itemsize:
        why = f"says datatype {code} and {bitpix} bits per voxel, which contradict each other"
        raise InputError(f"{shown(path)} {why}: its header is damaged; export it again")
    return dtype


def _offset(path: Path, header: Any, *, single_file: bool) -> int:
    claimed = float(header["vox_offset"])
    least = header.single_vox_offset if single_file else 0
    if claimed == 0:
        return int(least)
    if not (least <= claimed < 2**62 and claimed == int(claimed)):
        raise InputError(f"{shown(path)} claims voxels at byte {claimed:g}: its header is damaged; export it again")
    return int(claimed)


def _affine(path: Path, header: Any) -> NDArray[np.float64]:
    """Voxel index to RAS mm."""
    to_mm = _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    pixdim = header["pixdim"][1:4].astype(np.float64)
    check_spacing(path, (pixdim * to_mm).tolist())
    affine: NDArray[np.float64]
    if header["sform_code"] > 0:
        affine = header.get_sform().astype(np.float64)
    elif header["qform_code"] > 0:
        affine = _qform(path, header)
    else:
        affine = RAS_TO_LPS @ np.diag([*pixdim, 1.0])
    affine[:3] *= to_mm
    check_affine(path, affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (np.abs(spacing / (pixdim * to_mm) - 1) > MAX_SPACING_CONFLICT).any():
        sizes = [" x ".join(f"{size:g}" for size in values) for values in (spacing, pixdim * to_mm)]
        why = f"claims voxels of {sizes[0]} mm in its affine and {sizes[1]} mm in pixdim"
        raise InputError(f"{shown(path)} {why}: correct its header or resample it to a plain grid")
    if header["sform_code"] > 0 and header["qform_code"] > 0:
        _check_one_place(path, header, affine, to_mm)
    return affine


def _check_one_place(path: Path, header: Any, affine: NDArray[np.float64], to_mm: float) -> None:
    """Refuse a qform that leads elsewhere than the sform; compared without the shear that no qform can hold."""
    try:
        qform = _qform(path, header)
    except InputError:
        return  # it leads nowhere
    qform[:3] *= to_mm
    held = nib.Nifti1Header()
    held.set_qform(affine)
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=np.float64)
    corners[:, :3] *= header["dim"][1:4] - 1
    apart_mm = float(np.linalg.norm(corners @ (qform - held.get_qform()).T, axis=1).max())
    if apart_mm > MAX_PLACE_CONFLICT_MM:
        raise InputError(
            f"{shown(path)} gives its voxels two places, {apart_mm:.1f} mm apart, by its sform and its qform, and "
            "viewers differ in which they take: make one equal to the other, or set its code to 0"
        )


def _qform(path: Path, header: Any) -> NDArray[np.float64]:
    try:
        with np.errstate(all="ignore"):
            return np.array(header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):
        raise InputError(f"{shown(path)} has an impossible qform (quaternion): export it again") from None


def _scaled(path: Path, header: Any, array: NDArray[Any]) -> NDArray[Any]:
    """Apply scl_slope and scl_inter; a slope of 0 or NaN means that there is none (nifti1.h)."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if not np.isfinite(slope) or slope == 0 or (slope, inter) == (1.0, 0.0):
        return array
    if not np.isfinite(inter):
        raise InputError(f"{shown(path)} has scl_inter = {inter}: its header is damaged; export it again")
    scaled: NDArray[Any] = array.astype(np.float32 if array.dtype.itemsize <= 2 else np.float64)  # holds every integer
    with np.errstate(all="ignore"):
        scaled *= slope
        scaled += inter
        return scaled.astype(np.float32, copy=False)
