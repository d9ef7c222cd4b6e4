"""Where a run writes: checked before the work, so that it costs no scan it reads; put in place together after it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from MRTranslateLib import io, provenance
from MRTranslateLib.errors import InputError, MRTranslateError, UsageError
from MRTranslateLib.files import atomic_files, lies_in, reason, refuse_unfit_output, same_place, shown
from MRTranslateLib.inference.report import require_report_format
from MRTranslateLib.inference.sources import Image
from MRTranslateLib.provenance import Provenance, sidecar_path
from MRTranslateLib.volume import Volume

Wanted: TypeAlias = bool | str | PathLike[str] | None


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The files of a run, None where one is not wanted; a sidecar lies beside each but the report.

    Attributes:
        result: The synthetic volume.
        attention: The attention map.
        uncertainty: The uncertainty map.
        report: The page, or the same as JSON.
    """

    result: Path | None
    attention: Path | None
    uncertainty: Path | None
    report: Path | None

    @classmethod
    def of(cls, *, output: Wanted, attention: Wanted, uncertainty: Wanted, report: Wanted) -> Outputs:
        """As ``translate`` takes them: a path, or whether to make one in memory, which is no file.

        Raises:
            UsageError: If one is neither.
        """
        return cls(
            result=_path(output, "output"),
            attention=_path(attention, "attention"),
            uncertainty=_path(uncertainty, "uncertainty"),
            report=_path(report, "report"),
        )

    @property
    def images(self) -> tuple[Path, ...]:
        """All but the report."""
        return tuple(path for path in (self.result, self.attention, self.uncertainty) if path is not None)

    def check(self, inputs: Mapping[str, Image | None], model: str | PathLike[str] | None, *, overwrite: bool) -> None:
        """Refuse what could not be written in the end, or must not be.

        Args:
            inputs: What the run reads, by what messages call it.
            model: As for ``translate``.
            overwrite: Whether existing files may be replaced.

        Raises:
            UsageError: If a name has no format, is taken, leads to an input or into the folder of a model, or two lead
                to one place.
        """
        for path in self.images:
            io.refuse_unwritable_format(path)
        for path, other in combinations(self.images, 2):
            if same_place(sidecar_path(path), sidecar_path(other)):
                raise UsageError(f"{shown(path)} and {shown(other)} would have the same sidecar: rename one of them")
        if self.report is not None:
            require_report_format(self.report)
            for path in self.images:
                if same_place(sidecar_path(path), self.report):
                    raise UsageError(f"{shown(self.report)} will be the sidecar of {shown(path)}: rename the report")
        everything = (*self.images, *(() if self.report is None else (self.report,)))
        refuse_what_is_read(everything, inputs, model)
        for path in everything:
            refuse_unfit_output(path, overwrite=overwrite)
        for path in map(sidecar_path, self.images):
            refuse_unfit_output(path, overwrite=overwrite or _is_orphan(path))


def refuse_what_is_read(
    paths: Iterable[Path], inputs: Mapping[str, Image | None], model: str | PathLike[str] | None
) -> None:
    """Refuse to write over what a run reads.

    Args:
        paths: Where it would write.
        inputs: What it reads, by what messages call it.
        model: As for ``translate``.

    Raises:
        UsageError: If a path leads to the file of an input, into the folder of a DICOM series, or into that of a model.
    """
    for path in paths:
        for role, image in inputs.items():
            if not isinstance(image, (str, PathLike)):
                continue
            if same_place(path, image):
                raise UsageError(f"{shown(path)} is the file of the {role}: choose another name")
            if os.path.isdir(image) and same_place(path.parent, image):
                raise UsageError(f"{shown(path)} lies in the DICOM folder of the {role}: choose another folder")
        if model is not None and os.path.isdir(model) and lies_in(path, model):
            raise UsageError(f"{shown(path)} lies in the folder of the model: choose another folder")


def write_together(
    images: Mapping[Path, tuple[Volume, str]], texts: Mapping[Path, str], record: Provenance, *, overwrite: bool
) -> None:
    """Write images, each with the sidecar, and texts; all appear once all are complete, or none does.

    Args:
        images: Each with what its header says of it.
        texts: What else to write.
        record: For the sidecars.
        overwrite: Whether existing files may be replaced.

    Raises:
        UsageError: If a file has appeared meanwhile under one of the names.
        MRTranslateError: If writing fails, for example because the disk is full.
    """
    contents = {sidecar_path(path): provenance.encode(record) for path in images} | dict(texts)
    finals = {path: overwrite or _is_orphan(path) for path in map(sidecar_path, images)}
    finals |= dict.fromkeys((*images, *texts), overwrite)
    with atomic_files(finals) as temporaries:
        for path, (volume, description) in images.items():
            io.write_volume(temporaries[path], volume, overwrite=True, description=description)
        for path, text in contents.items():
            try:
                temporaries[path].write_bytes(text.encode("utf-8"))
            except OSError as error:
                raise MRTranslateError(f"cannot write {shown(path)}: {reason(error)}") from error


def _path(wanted: Wanted, option: str) -> Path | None:
    if wanted is None or isinstance(wanted, bool):
        return None
    try:
        return Path(wanted)
    except TypeError:
        raise UsageError(f"{option} is a {type(wanted).__name__}: give the name of a file") from None


def _is_orphan(sidecar: Path) -> bool:
    """Whether this is a sidecar of ours: without its image, a power cut between two renames left it."""
    try:
        provenance.read_sidecar(sidecar)
    except InputError:
        return False
    return True
