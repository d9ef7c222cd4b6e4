"""A map beside a result as Parametric Map Storage (PS3.3 A.75), float32, by highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highdicom
import numpy as np
from highdicom.content import VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID

from MRTranslateLib.dicom.elements import tolerant
from MRTranslateLib.dicom.layout import Layout
from MRTranslateLib.dicom.statement import CODING_SCHEME, MANUFACTURER, plain
from MRTranslateLib.dicom.uids import derived_uid
from MRTranslateLib.provenance import NOTICE, program_version


@dataclass(frozen=True)
class MapKind:
    """What a map shows.

    Attributes:
        name: ``attention`` or ``uncertainty``.
        label: Content Label, 16 characters of upper case.
        quantity: Coded.
        unit: Coded, UCUM.
    """

    name: str
    label: str
    quantity: CodedConcept
    unit: CodedConcept


NO_UNITS = CodedConcept("1", "UCUM", "no units")
ATTENTION = MapKind("attention", "ATTENTION", CodedConcept("130404", "DCM", "Saliency"), NO_UNITS)
# No standard code fits the uncertainty: those of PS3.16 are bounds of a measurement, this is half a width.
UNCERTAINTY = MapKind(
    "uncertainty",
    "UNCERTAINTY",
    CodedConcept("HALFWIDTH90", CODING_SCHEME, "Half-width of the 90 percent interval of the synthetic value"),
    NO_UNITS,
)


KINDS = {kind.name: kind for kind in (ATTENTION, UNCERTAINTY)}


def parametric_map(
    kind: MapKind,
    values: NDArray[np.float32],
    layout: Layout,
    images: Sequence[Dataset],
    series_number: int,
    statement: str,
) -> Dataset:
    """The map as one multi-frame object in a series of its own, beside the synthetic slices that it judges.

    Args:
        kind: What it shows.
        values: ``(slice, row, column)``.
        layout: Where the slices lie.
        images: The synthetic instances; they lend patient, study and equipment.
        series_number: Of its series.
        statement: What a value of the map means.
    """
    first = images[0]
    series_uid = derived_uid(kind.name, first.SeriesInstanceUID)
    highest = float(values.max()) or 1.0
    with tolerant():  # highdicom has remarks on names without family name, and what it is given has been judged
        made = ParametricMap(
            source_images=list(images),
            pixel_array=values,
            series_instance_uid=series_uid,
            series_number=series_number,
            sop_instance_uid=derived_uid("image", series_uid),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=first.ManufacturerModelName,
            software_versions=program_version(),
            device_serial_number=plain(first.ManufacturerModelName, 64),
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[
                RealWorldValueMapping(
                    lut_label=kind.label,
                    lut_explanation=plain(kind.quantity.meaning, 64),
                    unit=kind.unit,
                    value_range=(0.0, highest),
                    slope=1.0,
                    intercept=0.0,
                    quantity_definition=kind.quantity,
                )
            ],
            voi_lut_transformations=[
                VOILUTTransformation(  # exact: the plain linear function takes no width below 1 (PS3.3 C.11.2.1.2)
                    window_center=highest / 2, window_width=highest, voi_lut_function="LINEAR_EXACT"
                )
            ],
            content_label=kind.label,
            content_description=plain(statement, 64),
            pixel_measures=highdicom.PixelMeasuresSequence(
                pixel_spacing=[float(value) for value in layout.pixel_spacing],
                slice_thickness=float(layout.thickness[0]),
                spacing_between_slices=float(layout.distance),
            ),
            plane_orientation=highdicom.PlaneOrientationSequence(
                "PATIENT", [float(value) for value in layout.orientation]
            ),
            plane_positions=[
                highdicom.PlanePositionSequence("PATIENT", [float(value) for value in place])
                for place in layout.positions
            ],
            series_description=plain(f"{first.SeriesDescription}: {kind.name}", 64),
            specific_character_set=None,  # taken over below: highdicom refuses some that scanners write
            content_date=first.ContentDate,
            content_time=first.ContentTime,
        )
    if "SpecificCharacterSet" in first:
        made.SpecificCharacterSet = first.SpecificCharacterSet
    made.InstanceCreationDate, made.InstanceCreationTime = first.InstanceCreationDate, first.InstanceCreationTime
    made.SeriesDate, made.SeriesTime = first.SeriesDate, first.SeriesTime
    _derive_dimension_uid(made, derived_uid("dimensions", series_uid))
    made.BodyPartExamined = first.BodyPartExamined
    made.ImageComments = plain(f"{NOTICE}. {statement}", 10240)
    return made


def _derive_dimension_uid(made: Dataset, uid: str) -> None:
    """Put a UID that follows from the series in place of the random one of the Multi-frame Dimension Module."""
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = UID(uid)
