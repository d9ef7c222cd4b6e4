"""One person's scans ready to be perturbed and translated again and again: read, prepared and loaded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib import provenance
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import json_text, reason, same_place, shown, write_text_atomic
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.level import LevelCurve
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.inference.slices import SliceJob, SliceResult, translate_slices
from MRTranslateLib.inference.sources import Image, NamedVolume
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.preprocessing.normalization import brain_scale, normalize
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import FileRecord, ModelRecord
from MRTranslateLib.robustness.cell import CELLS_FOLDER
from MRTranslateLib.robustness.perturbations.acquisitions import VoxelSize
from MRTranslateLib.robustness.perturbations.bank import perturb
from MRTranslateLib.robustness.plan import CellKey, RobustnessPlan, source_seed
from MRTranslateLib.robustness.regions import LESION, region_masks
from MRTranslateLib.volume import Volume, same_lattice, to_canonical, to_slices

CASE_FILE = "case.json"
ADVERSARIAL_FILES = ADVERSARIAL_FILE, ADVERSARIAL_PICTURE = "adversarial.json", "adversarial.png"


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides the content of a cell beside its key; kept in the output folder, so that only its own run goes on.

    Attributes:
        program: Name and version.
        sources: Content per contrast, in order.
        target: Synthetic contrast.
        model: Weights.
        brain_mask: As given; None where it was found.
        reference: The real contrast, if any.
        lesion_mask: Labels, if any.
        registration: As for ``translate``.
        bias_correction: As for ``translate``.
        precision: As for ``translate``.
        seed: Of the plan.
    """

    program: str
    sources: tuple[tuple[Contrast, FileRecord], ...]
    target: Contrast
    model: ModelRecord
    brain_mask: FileRecord | None
    reference: FileRecord | None
    lesion_mask: FileRecord | None
    registration: Literal["auto", "always", "never"]
    bias_correction: bool
    precision: Literal["fp32", "bf16"]
    seed: int

    def differences(self, other: CaseRecord) -> tuple[str, ...]:
        """Names of the fields whose content differs; where a file lay does not matter."""
        mine, theirs = (_without_paths(record) for record in (self, other))
        return tuple(name for name in mine if mine[name] != theirs[name])


@dataclass(frozen=True, eq=False)
class Case:
    """All arrays are slices ``(S, H, W)`` of the brain's box on the working grid.

    Attributes:
        sources: float32 0..1 per contrast.
        brain: bool, every slice.
        reference: float32 0..1 of the translated slices; None where the real contrast is not known.
        regions: Masks of the translated slices, by name.
        voxel_size_mm: Slice distance, height, width.
        prepared: Where the box lies.
        target: Synthetic contrast.
        generator: Loaded.
        execution: Where it runs.
    """

    sources: Mapping[Contrast, NDArray[np.float32]]
    brain: NDArray[np.bool_]
    reference: NDArray[np.float32] | None
    regions: dict[str, NDArray[np.bool_]]
    voxel_size_mm: VoxelSize
    prepared: Prepared
    target: Contrast
    generator: Generator
    execution: Execution

    @property
    def shown_slice(self) -> int:
        """Which of the translated slices pictures show: that with most lesion, else with most brain."""
        shown_region = self.regions.get(LESION, self.regions["brain"])
        return int(shown_region.sum(axis=(1, 2)).argmax())

    def job(self, sources: Mapping[Contrast, NDArray[np.float32]]) -> SliceJob:
        """What the generator is to do with these sources."""
        return replace(SliceJob.of(self.prepared, self.target), sources=sources)

    def translated(self, sources: Mapping[Contrast, NDArray[np.float32]], progress: Progress) -> SliceResult:
        """The translation of sources, 0 outside the brain.

        Raises:
            CancelledError: If the caller asks to stop.
        """
        result = translate_slices(self.generator, self.job(sources), self.execution, progress)
        return SliceResult(result.slices * self.brain[self.prepared.indices], result.device, result.fallbacks)

    def level_curve(self, progress: Progress) -> LevelCurve | None:
        """What the translation of the sources as they are is changed by after the network.

        Raises:
            CancelledError: If the caller asks to stop.
        """
        if all(model.target != self.target for model in self.generator.levels):
            return None
        return translate_slices(self.generator, self.job(self.sources), self.execution, progress).curve

    def perturbed(self, key: CellKey, plan: RobustnessPlan) -> dict[Contrast, NDArray[np.float32]]:
        """The sources of a cell; a source of which nothing is left is not among them."""
        sources = dict(self.sources)
        for contrast in plan.perturbed_sources(key.perturbation, tuple(sources)):
            worse = perturb(
                torch.from_numpy(sources[contrast]),
                key.perturbation,
                key.level,
                seed=source_seed(plan.seed, key.perturbation, contrast),
                voxel_size_mm=self.voxel_size_mm,
                brain=torch.from_numpy(self.brain),
                renormalise=key.track == "own",
            )
            sources[contrast] = worse.numpy()
            if not sources[contrast].any():
                del sources[contrast]
        return sources


def make_case(
    prepared: Prepared,
    first: Volume,
    target: Contrast,
    generator: Generator,
    execution: Execution,
    *,
    reference: NamedVolume | None,
    lesion_mask: NamedVolume | None,
) -> Case:
    """Bring masks and reference to the grid on which the generator works.

    Raises:
        InputError: If reference or lesion mask lie on another grid than the first source, or are empty in the brain.
    """
    grid, box, indices = prepared.grid.grid, prepared.box, prepared.indices
    for name, image in (("reference", reference), ("lesion mask", lesion_mask)):
        if image is not None and not same_lattice(image.volume, first):
            raise InputError(
                f"the {name} {image.volume.shape} lies on another grid than the first source {first.shape}: "
                "resample it to the first source's grid first"
            )
    inside = resample(prepared.brain.volume, grid, interpolation="nearest")
    brain = np.ascontiguousarray(to_slices(inside.array[box] != 0))
    real = None
    if reference is not None:
        sampled = resample(to_canonical(reference.volume), grid, interpolation="bspline")
        scaled = normalize(sampled.array[box], brain_scale(sampled, inside))
        real = np.ascontiguousarray(to_slices(scaled))[indices] * brain[indices]
    labels = None
    if lesion_mask is not None:
        whole = to_canonical(lesion_mask.volume)
        labels = to_slices(resample(whole, grid, interpolation="nearest").array[box]).astype(np.int32)
    right_mm, anterior_mm, superior_mm = grid.spacing_mm
    size_mm = (superior_mm, anterior_mm, right_mm)
    masks = {name: mask[indices] for name, mask in region_masks(brain, labels, size_mm).items()}
    regions = {name: mask for name, mask in masks.items() if mask.any()}
    return Case(prepared.slices, brain, real, regions, size_mm, prepared, target, generator, execution)


def refuse_inputs_in_cells(folder: Path, inputs: Mapping[str, Image | None]) -> None:
    """Refuse an output folder whose cells are files that the run reads: it would clear them away.

    Raises:
        UsageError: Naming the input.
    """
    cells = folder / CELLS_FOLDER
    for role, image in inputs.items():
        if isinstance(image, (str, PathLike)) and same_place(Path(image).parent, cells):
            raise UsageError(f"{shown(cells)} is cleared by a run and holds the {role}: choose another folder")


def claim_folder(folder: Path, record: CaseRecord, *, overwrite: bool) -> None:
    """Make the output folder this case's own, or find that it is already, so that its finished cells count.

    Args:
        folder: Created if it is not there.
        record: This case.
        overwrite: Forget cells of another case.

    Raises:
        UsageError: If the folder cannot be made, holds something else, or another case without ``overwrite``.
    """
    try:
        (folder / CELLS_FOLDER).mkdir(parents=True, exist_ok=True)
        former = (folder / CASE_FILE).read_bytes()
    except FileNotFoundError:
        former = None
    except OSError as error:
        raise UsageError(f"cannot use the folder {shown(folder)}: {reason(error)}; choose another") from None
    if former is not None and not overwrite:
        try:
            differing = record.differences(msgspec.json.decode(former, type=CaseRecord))
        except (msgspec.DecodeError, UnicodeDecodeError):
            differing = (CASE_FILE,)
        if not differing:
            return
        raise UsageError(
            f"{shown(folder)} holds a robustness run that differs in {', '.join(differing)}: choose another folder, "
            "or allow overwriting (--overwrite)"
        )
    for stale in (folder / CELLS_FOLDER).glob("*_level*_*.*"):
        stale.unlink()
    for name in ADVERSARIAL_FILES:
        (folder / name).unlink(missing_ok=True)
    write_text_atomic(folder / CASE_FILE, json_text(record), overwrite=overwrite)


def _without_paths(record: CaseRecord) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(record)
    for name in ("brain_mask", "reference", "lesion_mask"):
        file = getattr(record, name)
        plain[name] = None if file is None else file.sha256
    plain["sources"] = [(contrast, file.sha256) for contrast, file in record.sources]
    return plain


def case_record(
    images: Mapping[Contrast, NamedVolume], target: Contrast, model: ModelRecord, **settings: object
) -> CaseRecord:
    """The record of a case; ``settings`` are the other fields of :class:`CaseRecord`."""
    files = tuple((contrast, image.record) for contrast, image in images.items())
    return msgspec.convert(
        {"program": provenance.program_version(), "sources": files, "target": target, "model": model, **settings},
        CaseRecord,
        from_attributes=True,
    )
