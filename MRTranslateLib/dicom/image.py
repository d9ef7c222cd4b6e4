"""A synthetic volume as MR Image Storage (PS3.3 A.4), a slice an instance."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from MRTranslateLib.dicom.elements import text, tolerant
from MRTranslateLib.dicom.layout import Layout
from MRTranslateLib.dicom.source import AcquiredSeries
from MRTranslateLib.dicom.statement import CODING_SCHEME, code, derivation_description, source_images
from MRTranslateLib.dicom.uids import derived_uid
from MRTranslateLib.provenance import NOTICE, Provenance

WINDOW_CENTER, WINDOW_WIDTH = 500, 1000
"""Shows 0 to 1000, where 1000 is the 99.5th percentile of the brain (DESIGN section 3)."""


def synthetic_instances(voxels: NDArray[np.integer], layout: Layout, common: Dataset) -> Iterator[Dataset]:
    """The instances in order of their Instance Numbers.

    Args:
        voxels: ``(slice, row, column)`` as the layout has them, 0..65535.
        layout: Where the slices lie.
        common: What all instances share.
    """
    template = encoded(common)
    for number, k in enumerate(_reading_order(layout), start=1):
        instance = pydicom.dcmread(io.BytesIO(template))
        instance.SOPInstanceUID = UID(derived_uid("image", common.SeriesInstanceUID, str(number)))
        instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
        instance.InstanceNumber = number
        instance.ImagePositionPatient = list(layout.positions[k])
        instance.SliceThickness = layout.thickness[k]
        instance.Rows, instance.Columns = voxels.shape[1:]
        instance.add_new("PixelData", "OW", voxels[k].astype("<u2").tobytes())
        yield instance


def add_image_modules(
    common: Dataset, layout: Layout, provenance: Provenance, sources: Iterable[AcquiredSeries]
) -> None:
    """Add what the slices of a synthetic volume share beyond patient, study, series and equipment.

    Args:
        common: Added to.
        layout: Where the slices lie.
        provenance: Of the result.
        sources: The acquired series that it was made from, as far as they are DICOM.
    """
    sources = list(sources)
    common.SOPClassUID = MRImageStorage
    # General Image (C.7.6.1). Value 3 of an MR image that is none of the known kinds is OTHER (C.8.3.1.1.1).
    common.ImageType = ["DERIVED", "SECONDARY", "OTHER", "SYNTHETIC"]
    common.ImageComments = NOTICE
    common.DerivationDescription = derivation_description(provenance)
    common.DerivationCodeSequence = [code("SYNTHESIS", CODING_SCHEME, "Synthesis of an MR contrast from others")]
    if sources:
        common.SourceImageSequence = source_images(sources)
    _add_lossy_compression(common, sources)
    # Image Plane (C.7.6.2), all but the position.
    common.ImageOrientationPatient = list(layout.orientation)
    common.PixelSpacing = list(layout.pixel_spacing)
    common.SpacingBetweenSlices = layout.distance
    # Image Pixel (C.7.6.3). Values are 0 and above.
    common.SamplesPerPixel, common.PhotometricInterpretation = 1, "MONOCHROME2"
    common.BitsAllocated, common.BitsStored, common.HighBit, common.PixelRepresentation = 16, 16, 15, 0
    common.WindowCenter, common.WindowWidth = WINDOW_CENTER, WINDOW_WIDTH
    # MR Image (C.8.3.1). No sequence made this image, so nothing of the sources' goes in: Type 1 says research mode
    # and no variant, Type 2 stays empty. Content Qualification (0018,9004) is no attribute of this IOD; Image Type,
    # Synthetic Data and Image Comments say what it would.
    common.ScanningSequence, common.SequenceVariant = "RM", "NONE"
    common.ScanOptions = common.MRAcquisitionType = ""
    common.RepetitionTime = common.EchoTime = common.EchoTrainLength = None


def _add_lossy_compression(common: Dataset, sources: Iterable[AcquiredSeries]) -> None:
    """What has once been compressed with loss stays so, through every derivation (PS3.3 C.7.6.1.1.5)."""
    headers = [header for one in sources for header in one.headers]
    common.LossyImageCompression = "01" if any(text(one, "LossyImageCompression") == "01" for one in headers) else "00"


def _reading_order(layout: Layout) -> list[int]:
    """Slices in the order in which the acquired ones are numbered, so that both scroll the same way."""
    places = list(range(len(layout.positions)))
    numbers = [text(header, "InstanceNumber") for header in layout.acquired or ()]
    if len(set(numbers)) < len(places) or not all(number.lstrip("-").isdecimal() for number in numbers):
        return places
    return sorted(places, key=lambda k: int(numbers[k]))


def encoded(common: Dataset) -> bytes:
    """A file without slice, which is read again for each: what they share is encoded once."""
    common.SOPInstanceUID = UID(derived_uid("template"))
    common.file_meta = FileMetaDataset()
    common.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    common.file_meta.MediaStorageSOPClassUID = common.SOPClassUID
    common.file_meta.MediaStorageSOPInstanceUID = common.SOPInstanceUID
    common.file_meta.ImplementationClassUID = UID(derived_uid("implementation"))
    common.file_meta.ImplementationVersionName = "MRTRANSLATE"
    buffer = io.BytesIO()
    with tolerant():  # what was taken over has been judged
        common.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
