"""Damaged and absurd inputs: a seeded generator of files that no program should trip over.

Each is made from one small valid volume. Some stay readable (a flipped bit in a description, NaN voxels): what must
hold is that a reader returns a volume or refuses with one sentence, quickly, and leaves nothing behind.
"""

from __future__ import annotations

import gzip
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from numpy.random import Generator
from numpy.typing import NDArray

SHAPE = (24, 22, 12)
HEADER_BYTES = 352  # NIfTI-1 in one file


@dataclass(frozen=True)
class DamagedInput:
    """One input.

    Attributes:
        path: File, folder, or something that does not exist.
        kind: What was done, for example ``"nifti dim huge"``.
    """

    path: Path
    kind: str


@dataclass(frozen=True)
class _Place:
    """Where one input is made: a folder of its own, and the chance it may use."""

    folder: Path
    random: Generator

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def pick(self, values: list[Any]) -> Any:
        return values[int(self.random.integers(len(values)))]


Maker = Callable[[_Place], Path]


def damaged_inputs(folder: Path, seed: int, count: int) -> list[DamagedInput]:
    """Make ``count`` inputs in ``folder``, each in a folder of its own; the same seed makes the same ones.

    Kinds take turns, so a count of at least ``len(KINDS)`` has each of them.
    """
    inputs = []
    for index in range(count):
        kind, maker = KINDS[index % len(KINDS)]
        place = _Place(folder / f"{index:04d}", np.random.default_rng([seed, index]))
        place.folder.mkdir(parents=True)
        inputs.append(DamagedInput(maker(place), kind))
    return inputs


def remove_damaged_inputs(folder: Path) -> None:
    """Remove what :func:`damaged_inputs` made, unreadable folders included."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            os.chmod(Path(parent) / name, 0o700)
    shutil.rmtree(folder)


# --- the valid volume -------------------------------------------------------------------------------------------------


def voxels(random: Generator) -> NDArray[np.int16]:
    """A noisy ball, shape ``SHAPE``, int16."""
    axes = np.meshgrid(*(np.linspace(-1.0, 1.0, size) for size in SHAPE), indexing="ij")
    ball = 800.0 * (sum(axis**2 for axis in axes) < 0.8)
    return (ball + random.normal(0.0, 20.0, SHAPE)).astype(np.int16)


def nifti_bytes(array: NDArray[Any]) -> bytes:
    """An uncompressed NIfTI-1 file with 0.9 x 0.9 x 3 mm voxels."""
    affine = np.array([[0.9, 0, 0, -10.0], [0, 0.9, 0, -9.0], [0, 0, 3.0, -15.0], [0, 0, 0, 1]])
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    content: bytes = image.to_bytes()
    return content


def _valid(place: _Place) -> bytearray:
    return bytearray(nifti_bytes(voxels(place.random)))


def _itk_bytes(place: _Place, extension: str, *, compress: bool) -> bytes:
    path = place.folder / f"valid{extension}"
    image = sitk.GetImageFromArray(voxels(place.random).transpose(2, 1, 0))
    image.SetSpacing((0.9, 0.9, 3.0))
    sitk.WriteImage(image, str(path), useCompression=compress)
    content = path.read_bytes()
    path.unlink()
    return content


def _header_of_itk(content: bytes) -> int:
    """Length of the text header of NRRD or MetaImage."""
    if content.startswith(b"NRRD"):
        return content.index(b"\n\n") + 2
    return content.index(b"\n", content.index(b"ElementDataFile")) + 1


# --- NIfTI ------------------------------------------------------------------------------------------------------------


def _nifti_with(layout: str, offset: int, values: list[tuple[Any, ...]]) -> Maker:
    """A header field overwritten by one of ``values``, in a file compressed or not."""

    def make(place: _Place) -> Path:
        content = _valid(place)
        struct.pack_into(layout, content, offset, *place.pick(values))
        return _plain_or_packed(place, bytes(content))

    return make


def _plain_or_packed(place: _Place, content: bytes) -> Path:
    if place.random.random() < 0.5:
        return place.file("scan.nii", content)
    return place.file("scan.nii.gz", gzip.compress(content, 1, mtime=0))


def _truncated_gzip(place: _Place) -> Path:
    content = gzip.compress(bytes(_valid(place)), 1, mtime=0)
    return place.file("scan.nii.gz", content[: int(place.random.integers(1, len(content)))])


def _truncated_plain(place: _Place) -> Path:
    content = bytes(_valid(place))
    return place.file("scan.nii", content[: int(place.random.integers(1, len(content)))])


def _truncated_near_the_end(place: _Place) -> Path:
    content = gzip.compress(bytes(_valid(place)), 1, mtime=0)
    return place.file("scan.nii.gz", content[: -int(place.random.integers(1, 12))])


def _flip_bits(content: bytearray, random: Generator, start: int, stop: int) -> bytes:
    for _ in range(int(random.integers(1, 9))):
        content[int(random.integers(start, stop))] ^= 1 << int(random.integers(8))
    return bytes(content)


def _flips_in_header(place: _Place) -> Path:
    return _plain_or_packed(place, _flip_bits(_valid(place), place.random, 0, HEADER_BYTES))


def _flips_in_geometry(place: _Place) -> Path:
    return _plain_or_packed(place, _flip_bits(_valid(place), place.random, 40, 124))


def _flips_in_affine(place: _Place) -> Path:
    return _plain_or_packed(place, _flip_bits(_valid(place), place.random, 252, 348))


def _flips_in_gzip(place: _Place) -> Path:
    packed = bytearray(gzip.compress(bytes(_valid(place)), 1, mtime=0))
    return place.file("scan.nii.gz", _flip_bits(packed, place.random, 0, len(packed)))


def _flips_in_body(place: _Place) -> Path:
    content = _valid(place)
    return place.file("scan.nii", _flip_bits(content, place.random, HEADER_BYTES, len(content)))


def _random_bytes(place: _Place) -> Path:
    name = place.pick(["scan.nii", "scan.nii.gz", "scan.nrrd", "scan.mha", "scan.hdr", "scan.nhdr", "scan.mhd"])
    return place.file(name, place.random.bytes(int(place.random.integers(1, 5000))))


def _random_header(place: _Place) -> Path:
    content = _valid(place)
    content[4:344] = place.random.bytes(340)
    return _plain_or_packed(place, bytes(content))


def _singular_sform(place: _Place) -> Path:
    content = _valid(place)
    rows = place.pick(
        [[0.0] * 12, [1.0] * 12, [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], [0.9, 0.9, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0]]
    )
    struct.pack_into("<12f", content, 280, *rows)
    return _plain_or_packed(place, bytes(content))


def _sheared_sform(place: _Place) -> Path:
    content = _valid(place)
    struct.pack_into("<f", content, 284, float(place.random.uniform(0.05, 5.0)))
    return _plain_or_packed(place, bytes(content))


def _bad_qform(place: _Place) -> Path:
    content = _valid(place)
    struct.pack_into("<h", content, 254, 0)  # no sform
    struct.pack_into(
        "<3f", content, 256, *place.pick([(2.0, 2.0, 2.0), (np.nan, 0, 0), (1e30, 0, 0), (0.0, np.inf, 0)])
    )
    return _plain_or_packed(place, bytes(content))


def _voxels_of(values: list[float], share: float) -> Maker:
    def make(place: _Place) -> Path:
        array = voxels(place.random).astype(np.float32)
        array[place.random.random(SHAPE) < share] = place.pick(values)
        return _plain_or_packed(place, nifti_bytes(array))

    return make


def _array_of(shape: tuple[int, ...], dtype: Any) -> Maker:
    def make(place: _Place) -> Path:
        array = (place.random.random(shape) * 200).astype(np.uint8)
        return _plain_or_packed(
            place, nifti_bytes(array.view(dtype) if np.dtype(dtype).fields else array.astype(dtype))
        )

    return make


_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def _rgb(place: _Place) -> Path:
    array = (place.random.random((*SHAPE, 3)) * 200).astype(np.uint8)
    return _plain_or_packed(place, nifti_bytes(np.ascontiguousarray(array).view(_RGB)[..., 0]))


def _gzip_bomb(place: _Place) -> Path:
    """Four million zero bytes behind an honest or a lying header, 100 bytes to a kilobyte packed."""
    content = _valid(place)[:HEADER_BYTES]
    struct.pack_into("<8h", content, 40, 3, *place.pick([SHAPE, (2000, 2000, 500), (32767, 32767, 32767)]), 1, 1, 1, 1)
    return place.file("scan.nii.gz", gzip.compress(bytes(content) + bytes(4_000_000), 9, mtime=0))


def _gzip_in_gzip(place: _Place) -> Path:
    return place.file("scan.nii.gz", gzip.compress(gzip.compress(bytes(_valid(place)), mtime=0), mtime=0))


def _pair_without_voxels(place: _Place) -> Path:
    content = _valid(place)[:348]
    content[344:348] = b"ni1\0"
    place.file("scan.hdr", bytes(content))
    if place.random.random() < 0.5:
        place.file("scan.img", b"\0" * int(place.random.integers(0, 100)))
    return place.folder / place.pick(["scan.hdr", "scan.img"])


def _analyze(place: _Place) -> Path:
    content = _valid(place)
    content[344:348] = bytes(4)
    place.file("scan.img", bytes(content[HEADER_BYTES:]))
    return place.file("scan.hdr", bytes(content[:348]))


def _nifti2(place: _Place) -> Path:
    content = bytearray(nib.Nifti2Image(voxels(place.random), np.eye(4)).to_bytes())
    struct.pack_into(
        "<q", content, 16 + 8 * int(place.random.integers(0, 4)), int(place.random.integers(-(2**62), 2**62))
    )
    return _plain_or_packed(place, bytes(content))


# --- NRRD and MetaImage -----------------------------------------------------------------------------------------------

_NRRD_LINES = [
    b"sizes: 24 22 100000",
    b"sizes: 99999999999999999999 22 12",
    b"sizes: 1000000 1000000 1000000",
    b"sizes: -24 22 12",
    b"sizes: 0 22 12",
    b"sizes: 24 22",
    b"sizes: a b c",
    b"sizes: nan inf 3",
    b"dimension: 4",
    b"dimension: 3000000000",
    b"type: block",
    b"type: unicorn",
    b"encoding: bzip2",
    b"encoding: unicorn",
    b"encoding: ascii",
    b"endian: middle",
    b"space: unicorn",
    b"space directions: (0,0,0) (0,1,0) (0,0,1)",
    b"space directions: (nan,0,0) (0,1,0) (0,0,1)",
    b"space directions: (1,0,0) (1,0,0) (0,0,1)",
    b"space directions: (1,0,0) (0,1,0)",
    b"space directions: none none none",
    b"space directions: ((((((",
    b"space origin: (inf,0,0)",
    b"space origin: (1,2)",
    b"data file: /etc/passwd",
    b"data file: ../../../../etc/passwd",
    b"data file: missing.raw",
    b"data file: .",
    b"data file: LIST",
    b"data file: slice%03d.raw 1 9 1",
    b"data file: SELF",
    b"byte skip: 99999999999",
    b"byte skip: -5",
    b"byte skip: -1",
    b"line skip: 1000000",
    b"kinds: RGB-color domain domain",
    b"spacings: 0 1 1",
]
_META_LINES = [
    b"DimSize = 24 22 100000",
    b"DimSize = 99999999999999999999 22 12",
    b"DimSize = 1000000 1000000 1000000",
    b"DimSize = -24 22 12",
    b"DimSize = 0 22 12",
    b"DimSize = a b c",
    b"NDims = 300",
    b"NDims = -1",
    b"ElementSpacing = 0 1 1",
    b"ElementSpacing = -1 1 1",
    b"ElementSpacing = nan 1 1",
    b"ElementSpacing = 1e30 1 1",
    b"TransformMatrix = 0 0 0 0 0 0 0 0 0",
    b"TransformMatrix = 1 0 0 1 0 0 0 0 1",
    b"TransformMatrix = nan 0 0 0 1 0 0 0 1",
    b"TransformMatrix = 1 0 0",
    b"Offset = inf 0 0",
    b"ElementType = MET_UNICORN",
    b"ElementType = MET_SHORT_ARRAY",
    b"ElementNumberOfChannels = 3",
    b"ElementNumberOfChannels = 1000000000",
    b"CompressedDataSize = 99999999999999",
    b"CompressedData = Perhaps",
    b"BinaryData = False",
    b"HeaderSize = 99999999999",
    b"HeaderSize = -1",
    b"ObjectType = Tube",
    b"ElementDataFile = /etc/passwd",
    b"ElementDataFile = ../../../../etc/passwd",
    b"ElementDataFile = missing.raw",
    b"ElementDataFile = .",
    b"ElementDataFile = LIST",
    b"ElementDataFile = slice%03d.raw 1 9 1",
    b"ElementDataFile = SELF",
]


def _text_field(extension: str, lines: list[bytes], separator: bytes) -> Maker:
    """One line of a text header replaced (or added), so that it lies."""

    def make(place: _Place) -> Path:
        content = _itk_bytes(place, extension, compress=bool(place.random.integers(2)))
        end = _header_of_itk(content)
        name = place.pick(["scan" + extension, "scan.nhdr" if extension == ".nrrd" else "scan.mhd"])
        line = place.pick(lines).replace(b"SELF", name.encode())
        key = line.split(separator)[0].strip()
        header = content[:end].strip().split(b"\n")
        kept = [old for old in header if old.split(separator)[0].strip() != key]
        position = len(kept) if key in (b"ElementDataFile", b"data file") else len(kept) - 1
        kept.insert(position, line)
        return place.file(name, b"\n".join(kept) + (b"\n\n" if extension == ".nrrd" else b"\n") + content[end:])

    return make


def _text_flips(extension: str) -> Maker:
    def make(place: _Place) -> Path:
        content = bytearray(_itk_bytes(place, extension, compress=bool(place.random.integers(2))))
        stop = _header_of_itk(bytes(content)) if place.random.random() < 0.7 else len(content)
        return place.file("scan" + extension, _flip_bits(content, place.random, 0, stop))

    return make


def _text_truncated(extension: str) -> Maker:
    def make(place: _Place) -> Path:
        content = _itk_bytes(place, extension, compress=bool(place.random.integers(2)))
        return place.file("scan" + extension, content[: int(place.random.integers(1, len(content)))])

    return make


def _text_repeated(extension: str) -> Maker:
    """Numbers of the header as very long digits."""

    def make(place: _Place) -> Path:
        content = _itk_bytes(place, extension, compress=False)
        digit = place.pick([b"1", b"2", b"3", b"0.9"])
        return place.file("scan" + extension, content.replace(digit, b"9" * int(place.random.integers(20, 6000))))

    return make


# --- names, folders, things that are no files -------------------------------------------------------------------------


def _empty(place: _Place) -> Path:
    return place.file(
        place.pick(["e.nii", "e.nii.gz", "e.nrrd", "e.mha", "e.hdr", "e.img", "e.mhd", "e.nhdr", "e"]), b""
    )


def _text(place: _Place) -> Path:
    name = place.pick(["notes.nii", "notes.nii.gz", "notes.nrrd", "notes.mha", "notes.txt", "notes", "notes.hdr"])
    return place.file(name, "Patient moved during the scan; repeat. Größe 3 µm\n".encode() * 30)


def _wrong_extension(place: _Place) -> Path:
    name = place.pick(
        ["s.nii.gz.gz", "s.nrrd", "s.mha", "s.png", "s.gz", "s.nii.zip", "s.nii.gz.part", "s.", ".nii", "s"]
    )
    return place.file(name, gzip.compress(bytes(_valid(place)), mtime=0))


def _double_extension(place: _Place) -> Path:
    return place.file(
        place.pick(["s.nii.nii.gz", "s.NII.GZ", "s.mha.nii.gz"]), gzip.compress(bytes(_valid(place)), mtime=0)
    )


def _odd_name(place: _Place) -> Path:
    stem = place.pick(
        ["脑 磁共振", "Kopf\nscan", "a" * 240, "мозг'\"$(ls);", "-overwrite", "🧠" * 40, "%s%n{0}", "\x1b[31m"]
    )
    return place.file(
        stem + ".nii.gz", gzip.compress(bytes(_valid(place))[: int(place.random.integers(1, 9000))], mtime=0)
    )


def _impossible_name(place: _Place) -> Path:
    name = place.pick(
        ["x" * 300 + ".nii", "d/" * 3000 + "s.nii", "nul\0.nii", "nul\0", "a" * 5000, "line\nfeed.nii.gz", "\udcff.nii"]
    )
    return place.folder / name


def _missing(place: _Place) -> Path:
    return place.folder / place.pick(
        ["gone.nii.gz", "gone/scan.nii", "gone", "gone.mha", "gone.img", "gone.hdr", "gone.nhdr"]
    )


def _broken_link(place: _Place) -> Path:
    link = place.folder / "scan.nii.gz"
    link.symlink_to(place.pick(["nowhere.nii.gz", "scan.nii.gz", "/nowhere/scan.nii.gz", "."]))
    return link


def _unreadable_file(place: _Place) -> Path:
    path = place.file("scan.nii.gz", gzip.compress(bytes(_valid(place)), mtime=0))
    path.chmod(0)
    return path


def _unreadable_folder(place: _Place) -> Path:
    folder = place.folder / "closed"
    folder.mkdir()
    (folder / "scan.nii").write_bytes(_valid(place))
    folder.chmod(0)
    return place.pick([folder, folder / "scan.nii"])  # type: ignore[no-any-return]


def _pipe(place: _Place) -> Path:
    name = place.pick(["scan.nii", "scan.nii.gz", "scan.nrrd", "scan.mha", "scan.img", "scan"])
    os.mkfifo(place.folder / name)
    if name == "scan.img":
        place.file("scan.hdr", bytes(_valid(place)[:348]))
    return place.folder / name


def _pipe_as_voxels(place: _Place) -> Path:
    os.mkfifo(place.folder / "scan.raw")
    header = b"ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 4 4 4\nElementSpacing = 1 1 1\n"
    return place.file("scan.mhd", header + b"ElementType = MET_UCHAR\nElementDataFile = scan.raw\n")


def _device(place: _Place) -> Path:
    link = place.folder / "scan.nii"
    link.symlink_to(place.pick(["/dev/null", "/dev/zero", "/dev/urandom"]))
    return link


def _folder_of_other_things(place: _Place) -> Path:
    folder = place.folder / place.pick(["series", "folder.nii.gz", "folder.mha"])
    folder.mkdir()
    for index in range(int(place.random.integers(0, 4))):
        (folder / f"{index}.txt").write_bytes(place.random.bytes(200))
    if place.random.random() < 0.5:
        os.mkfifo(folder / "pipe.dcm")
    return folder


# --- DICOM ------------------------------------------------------------------------------------------------------------


def write_dicom_series(folder: Path, array: NDArray[Any], *, series: str = "1", spacing_mm: float = 3.0) -> list[Path]:
    """Write an axial MR series by GDCM, one file a slice, ``array`` as ``(I, J, K)``; names in order of slices."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    paths = []
    for index in range(array.shape[2]):
        image = sitk.GetImageFromArray(np.ascontiguousarray(array[:, :, index].T))
        image.SetSpacing((0.9, 0.9))
        tags = {
            "0008|0060": "MR",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.{series}.{index + 1}",
            "0008|103e": f"series {series}",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.9",
            "0020|000e": f"1.2.826.0.1.3680043.2.1125.{series}",
            "0020|0013": str(index + 1),
            "0020|0032": f"-10\\-9\\{-15 + spacing_mm * index}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0018|0050": str(spacing_mm),
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        paths.append(folder / f"{series}-{index:03d}.dcm")
        writer.SetFileName(str(paths[-1]))
        writer.Execute(image)
    return paths


def _dicom(damage: Callable[[_Place, Path, list[Path]], None]) -> Maker:
    def make(place: _Place) -> Path:
        folder = place.folder / "series"
        damage(place, folder, write_dicom_series(folder, voxels(place.random)[:, :, :6]))
        return folder

    return make


def _dicom_garbage(place: _Place, folder: Path, paths: list[Path]) -> None:
    (folder / "notes.txt").write_text("not DICOM")
    (folder / "garbage.dcm").write_bytes(bytes(128) + b"DICM" + place.random.bytes(300))


def _dicom_single(place: _Place, folder: Path, paths: list[Path]) -> None:
    for path in paths[1:]:
        path.unlink()


def _dicom_mixed(place: _Place, folder: Path, paths: list[Path]) -> None:
    write_dicom_series(folder, voxels(place.random)[:, :, :4], series="2")


def _dicom_gap(place: _Place, folder: Path, paths: list[Path]) -> None:
    paths[int(place.random.integers(1, len(paths) - 1))].unlink()


def _dicom_doubled(place: _Place, folder: Path, paths: list[Path]) -> None:
    shutil.copy(paths[2], folder / "copy.dcm")


def _dicom_truncated(place: _Place, folder: Path, paths: list[Path]) -> None:
    path = paths[int(place.random.integers(len(paths)))]
    content = path.read_bytes()
    path.write_bytes(content[: int(place.random.integers(1, len(content)))])


def _dicom_flips(place: _Place, folder: Path, paths: list[Path]) -> None:
    path = paths[int(place.random.integers(len(paths)))]
    content = bytearray(path.read_bytes())
    path.write_bytes(_flip_bits(content, place.random, 0, min(len(content), 1200)))


def _dicom_pipe(place: _Place, folder: Path, paths: list[Path]) -> None:
    os.mkfifo(folder / "pipe.dcm")


_DIM, _DATATYPE, _BITPIX, _PIXDIM, _VOX_OFFSET, _SCALING, _MAGIC = 40, 70, 72, 80, 108, 112, 344

KINDS: list[tuple[str, Maker]] = [
    ("nifti gzip truncated", _truncated_gzip),
    ("nifti gzip truncated near the end", _truncated_near_the_end),
    ("nifti truncated", _truncated_plain),
    ("nifti flips in header", _flips_in_header),
    ("nifti flips in sizes and spacing", _flips_in_geometry),
    ("nifti flips in affine", _flips_in_affine),
    ("nifti flips in body", _flips_in_body),
    ("gzip flips", _flips_in_gzip),
    ("nifti random header", _random_header),
    ("random bytes", _random_bytes),
    ("nifti dim huge", _nifti_with("<8h", _DIM, [(3, 32767, 32767, 32767, 1, 1, 1, 1), (7, *[32767] * 7)])),
    ("nifti more slices than held", _nifti_with("<8h", _DIM, [(3, 24, 22, n, 1, 1, 1, 1) for n in (13, 500, 32767)])),
    ("nifti dim zero or negative", _nifti_with("<h", _DIM + 2, [(0,), (-1,), (-24,), (-32768,)])),
    ("nifti number of axes", _nifti_with("<h", _DIM, [(0,), (-3,), (8,), (2,), (1,), (7,), (30000,)])),
    (
        "nifti datatype",
        _nifti_with("<h", _DATATYPE, [(0,), (1,), (3,), (32,), (128,), (1536,), (2304,), (-1,), (9999,)]),
    ),
    ("nifti bitpix", _nifti_with("<h", _BITPIX, [(0,), (8,), (64,), (-16,), (30000,)])),
    (
        "nifti vox_offset",
        _nifti_with("<f", _VOX_OFFSET, [(-352.0,), (1e30,), (np.nan,), (np.inf,), (7.5,), (5e7,), (100.0,)]),
    ),
    ("nifti spacing zero", _nifti_with("<3f", _PIXDIM, [(0.0, 0.9, 3.0), (0.9, 0.9, 0.0), (0.0, 0.0, 0.0)])),
    ("nifti spacing negative", _nifti_with("<3f", _PIXDIM, [(-0.9, 0.9, 3.0), (0.9, 0.9, -3.0)])),
    ("nifti spacing not finite", _nifti_with("<3f", _PIXDIM, [(np.nan, 0.9, 3.0), (0.9, np.inf, 3.0)])),
    ("nifti spacing absurd", _nifti_with("<3f", _PIXDIM, [(1e-20, 0.9, 3.0), (0.9, 1e20, 3.0), (9.0, 9.0, 9.0)])),
    (
        "nifti slope",
        _nifti_with("<2f", _SCALING, [(np.nan, 0.0), (1e38, 1e38), (2.0, np.nan), (0.0, 5.0), (-1.0, np.inf)]),
    ),
    ("nifti magic", _nifti_with("<4s", _MAGIC, [(b"n+9\0",), (b"xxxx",), (b"ni1\0",), (bytes(4),)])),
    ("nifti sizeof_hdr", _nifti_with("<i", 0, [(0,), (347,), (540,), (-1,), (0x5C010000,)])),
    ("nifti singular direction", _singular_sform),
    ("nifti sheared", _sheared_sform),
    ("nifti qform impossible", _bad_qform),
    ("nifti direction not finite", _nifti_with("<f", 280, [(np.nan,), (np.inf,), (-np.inf,)])),
    ("nifti origin absurd", _nifti_with("<f", 292, [(1e30,), (np.nan,), (-1e9,)])),
    ("nifti2 lying sizes", _nifti2),
    ("voxels NaN or infinite", _voxels_of([np.nan, np.inf, -np.inf], 0.1)),
    ("voxels all NaN", _voxels_of([np.nan], 1.1)),
    ("voxels constant", _voxels_of([0.0, 7.0, -1.0], 1.1)),
    ("voxels absurdly large", _voxels_of([3e38, -3e38], 0.5)),
    ("4D", _array_of((24, 22, 12, 5), np.int16)),
    ("5D vectors", _array_of((24, 22, 12, 1, 3), np.float32)),
    ("2D", _array_of((24, 22), np.int16)),
    ("few slices", _array_of((24, 22, 2), np.int16)),
    ("one voxel", _array_of((1, 1, 1), np.int16)),
    ("complex", _array_of((24, 22, 12), np.complex64)),
    ("RGB", _rgb),
    ("gzip bomb", _gzip_bomb),
    ("gzip in gzip", _gzip_in_gzip),
    ("pair without voxels", _pair_without_voxels),
    ("analyze", _analyze),
    ("nrrd field", _text_field(".nrrd", _NRRD_LINES, b":")),
    ("nrrd field again", _text_field(".nrrd", _NRRD_LINES, b":")),
    ("nrrd flips", _text_flips(".nrrd")),
    ("nrrd truncated", _text_truncated(".nrrd")),
    ("nrrd long digits", _text_repeated(".nrrd")),
    ("metaimage field", _text_field(".mha", _META_LINES, b"=")),
    ("metaimage field again", _text_field(".mha", _META_LINES, b"=")),
    ("metaimage flips", _text_flips(".mha")),
    ("metaimage truncated", _text_truncated(".mha")),
    ("metaimage long digits", _text_repeated(".mha")),
    ("empty file", _empty),
    ("text file", _text),
    ("wrong extension", _wrong_extension),
    ("double extension", _double_extension),
    ("odd name", _odd_name),
    ("impossible name", _impossible_name),
    ("missing", _missing),
    ("broken link", _broken_link),
    ("unreadable file", _unreadable_file),
    ("unreadable folder", _unreadable_folder),
    ("pipe", _pipe),
    ("pipe as voxels", _pipe_as_voxels),
    ("device", _device),
    ("folder without images", _folder_of_other_things),
    ("dicom garbage", _dicom(_dicom_garbage)),
    ("dicom single slice", _dicom(_dicom_single)),
    ("dicom mixed series", _dicom(_dicom_mixed)),
    ("dicom gap", _dicom(_dicom_gap)),
    ("dicom doubled slice", _dicom(_dicom_doubled)),
    ("dicom truncated slice", _dicom(_dicom_truncated)),
    ("dicom flips", _dicom(_dicom_flips)),
    ("dicom with a pipe", _dicom(_dicom_pipe)),
]
"""What is done to an input, by name; the generator goes round them."""
