"""The robustness run: perturb the prepared sources, translate again, measure, keep each cell, and report.

A run that is cancelled or killed goes on where it stopped when it is started again with the same output folder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib import io, provenance
from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.errors import CancelledError, InputError
from MRTranslateLib.files import atomic_file, json_text, shown, write_text_atomic
from MRTranslateLib.inference import load
from MRTranslateLib.inference.device import Execution, Precision, choose_execution
from MRTranslateLib.inference.output_grid import values_on_output_grid
from MRTranslateLib.inference.outputs import refuse_what_is_read
from MRTranslateLib.inference.prepare import prepare
from MRTranslateLib.inference.request import Registration
from MRTranslateLib.inference.sources import Image, NamedVolume, by_contrast, load_image
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.preprocessing.guard import check_distinct, check_request
from MRTranslateLib.preprocessing.normalization import SYNTHETIC_UNITS
from MRTranslateLib.progress import Progress, ProgressCallback
from MRTranslateLib.provenance import ModelRecord, Parameters
from MRTranslateLib.robustness import pictures
from MRTranslateLib.robustness.adversarial import AdversarialResult, AdversarialSettings, search_worst_case
from MRTranslateLib.robustness.case import (
    ADVERSARIAL_FILE,
    ADVERSARIAL_PICTURE,
    Case,
    case_record,
    claim_folder,
    make_case,
    refuse_inputs_in_cells,
)
from MRTranslateLib.robustness.cell import UNPERTURBED, Cell, cell_path, compare, read_cell, write_cell
from MRTranslateLib.robustness.perturbations.bank import PERTURBATIONS
from MRTranslateLib.robustness.plan import CellKey, RobustnessPlan
from MRTranslateLib.robustness.report import HTML_FILE, JSON_FILE, RobustnessReport, render_html
from MRTranslateLib.robustness.summary import summarize_regions, summarize_types
from MRTranslateLib.robustness.verdict import judge
from MRTranslateLib.volume import Volume

PREPARED, MEASURED = 0.1, 0.97
"""Share of the progress after preparation, and after the last cell."""
ADVERSARIAL_CELLS = 5.0
"""The search takes about as long as this many cells."""


@dataclass(frozen=True, eq=False)
class RobustnessResult:
    """What a run made.

    Attributes:
        report: All numbers, the verdict and the provenance.
        folder: Where everything lies.
        json_path: The report as JSON.
        html_path: The report as a page.
        num_resumed: Cells that an earlier run had finished.
    """

    report: RobustnessReport
    folder: Path
    json_path: Path
    html_path: Path
    num_resumed: int


def robustness_run(
    sources: Mapping[Contrast, Image] | Mapping[str, Image],
    target: Contrast | str,
    *,
    output: str | PathLike[str],
    plan: RobustnessPlan | None = None,
    reference: Image | None = None,
    lesion_mask: Image | None = None,
    brain_mask: Image | None = None,
    adversarial: AdversarialSettings | None = None,
    keep_volumes: bool = False,
    model: str | PathLike[str] | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    threads: int | None = None,
    registration: Registration = "auto",
    bias_correction: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback | Progress | None = None,
    store: ModelStore | None = None,
) -> RobustnessResult:
    """Find out how a translation changes when its sources are worse.

    Args:
        sources: As for :func:`MRTranslateLib.inference.translate.translate`.
        target: The contrast to make.
        output: Folder; created, or continued where it holds cells of the same case.
        plan: What to try; None for six common artefacts at five levels.
        reference: The real target contrast on the first source's grid, to measure errors too.
        lesion_mask: Labels on the first source's grid, 0 is no lesion, to measure lesions by themselves.
        brain_mask: As for ``translate``.
        adversarial: Also look for a worst case; None leaves it out.
        keep_volumes: Write each cell's synthetic volume beside its JSON file, as ``translate`` would.
        model: As for ``translate``, and so are the others below.
        device: Where the network runs.
        precision: Of the network.
        threads: CPU threads.
        registration: Of the sources.
        bias_correction: Of the sources.
        overwrite: Forget a run of another case in that folder.
        progress: Told of stages ``read``, ``prepare``, ``translate``, ``adversarial``, ``report``; can cancel.
        store: Where to look for models.

    Raises:
        UsageError: If the request makes no sense, or the folder holds another case.
        InputError: If an image cannot be read or is unsuitable.
        ModelError: If the model is missing, damaged, or does not offer the route.
        CancelledError: If the caller stopped the run; finished cells are kept.
    """
    line = progress if isinstance(progress, Progress) else Progress(progress)
    plan, folder = plan or RobustnessPlan(), Path(output)
    wanted, given = parse_contrast(str(target)), by_contrast(sources)
    check_request(given, wanted, registration)
    masks = {"brain mask": brain_mask, "reference": reference, "lesion mask": lesion_mask}
    inputs = {**{contrast.value: image for contrast, image in given.items()}, **masks}
    refuse_what_is_read([folder / JSON_FILE, folder / HTML_FILE], inputs, model)
    refuse_inputs_in_cells(folder, inputs)
    execution = choose_execution(device, precision, threads)
    line.step("read", 0.0)
    images = {contrast: load_image(image, contrast.value) for contrast, image in given.items()}
    check_distinct({contrast: image.record.sha256 for contrast, image in images.items()})
    mask, real, lesion = (
        None if image is None else load_image(image, role, labels=role != "reference")
        for role, image in (("brain mask", brain_mask), ("reference", reference), ("lesion mask", lesion_mask))
    )
    bundle = (store or ModelStore()).find(model)
    bundle.card.require_route(images, wanted)
    first = next(iter(images.values()))
    plan.require_enough(tuple(images), max(first.volume.shape))
    record = case_record(
        images,
        wanted,
        ModelRecord.of(bundle, images, wanted),
        brain_mask=_file(mask),
        reference=_file(real),
        lesion_mask=_file(lesion),
        registration=registration,
        bias_correction=bias_correction,
        precision=precision,
        seed=plan.seed,
    )
    claim_folder(folder, record, overwrite=overwrite)
    with _threads(execution):
        prepared = prepare(
            images,
            mask,
            preprocessing=bundle.card.preprocessing,
            registration=registration,
            bias_correction=bias_correction,
            progress=line.part(0.0, PREPARED),
        )
        case = make_case(
            prepared, first.volume, wanted, load.load_generator(bundle), execution, reference=real, lesion_mask=lesion
        )
        job = _Job(case, plan, folder, first.volume if keep_volumes else None, line, adversarial)
        job.run()
    line.step("report", MEASURED)
    parameters = Parameters(
        registration=registration,
        bias_correction=bias_correction,
        device=device,
        precision=precision,
        threads=execution.threads,
    )
    types = summarize_types(job.unperturbed, job.cells)
    report = RobustnessReport(
        notice=provenance.NOTICE,
        program=provenance.program_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        case=record,
        plan=plan,
        parameters=parameters,
        device=load.device_name(execution.device),
        libraries=provenance.library_versions(),
        platform=provenance.platform_description(),
        warnings=prepared.warnings,
        verdict=judge(bundle.card.robustness_limits, job.cells, types),
        limits=bundle.card.robustness_limits,
        regions=summarize_regions(types),
        types=types,
        unperturbed=job.unperturbed,
        cells=job.cells,
        adversarial=job.found,
    )
    write_text_atomic(folder / JSON_FILE, json_text(report), overwrite=True)
    write_text_atomic(folder / HTML_FILE, render_html(report, folder), overwrite=True)
    return RobustnessResult(report, folder, folder / JSON_FILE, folder / HTML_FILE, job.num_resumed)


class _Job:
    """The cells of one run, one after the other."""

    def __init__(
        self,
        case: Case,
        plan: RobustnessPlan,
        folder: Path,
        first: Volume | None,
        progress: Progress,
        adversarial: AdversarialSettings | None,
    ) -> None:
        self.case, self.plan, self.folder, self.first = case, plan, folder, first
        self.progress, self.adversarial = progress, adversarial
        self.keys = tuple(plan.cells())
        self.done = {key: cell for key in (UNPERTURBED, *self.keys) if (cell := self._finished(key)) is not None}
        self.num_resumed = sum(key in self.done for key in self.keys)
        self.found = self._found_before()
        self._clean: NDArray[np.float32] | None = None

    @property
    def unperturbed(self) -> Cell:
        """The cell of the clean sources."""
        return self.done[UNPERTURBED]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All others, in the plan's order."""
        return tuple(self.done[key] for key in self.keys)

    def run(self) -> None:
        """Do what is not done yet."""
        pending = [key for key in (UNPERTURBED, *self.keys) if key not in self.done]
        searches = self.adversarial is not None and self.found is None
        total = len(pending) + ADVERSARIAL_CELLS * searches
        width = (MEASURED - PREPARED) / max(total, 1)
        try:
            for number, key in enumerate(pending):
                begin = PREPARED + width * number
                self.done[key] = self._cell(key, self.progress.part(begin, begin + width))
            if self.adversarial is not None and searches:
                begin = PREPARED + width * len(pending)
                self._search(self.adversarial, self.progress.part(begin, MEASURED))
        except CancelledError:
            num = sum(key in self.done for key in self.keys)
            raise CancelledError(
                f"cancelled after {num} of {len(self.keys)} cells, which are kept in {shown(self.folder)}: the same "
                "command goes on from there"
            ) from None

    def _finished(self, key: CellKey) -> Cell | None:
        """A cell of an earlier run, unless its volume is wanted and was not."""
        cell = read_cell(self.folder, key)
        lacks_volume = self.first is not None and not cell_path(self.folder, key, ".nii.gz").exists()
        return None if lacks_volume else cell

    def _cell(self, key: CellKey, progress: Progress) -> Cell:
        case, began = self.case, time.perf_counter()
        sources = dict(case.sources) if key == UNPERTURBED else case.perturbed(key, self.plan)
        started = time.perf_counter()
        result = case.translated(sources, progress)
        network_seconds = time.perf_counter() - started
        clean = result.slices if key == UNPERTURBED else self._unperturbed_slices(progress)
        spoilt = () if key == UNPERTURBED else self.plan.perturbed_sources(key.perturbation, tuple(case.sources))
        cell = Cell(
            perturbation=key.perturbation,
            level=key.level,
            track=key.track,
            label="" if key == UNPERTURBED else PERTURBATIONS[key.perturbation].at(key.level).label,
            perturbed=spoilt,
            regions=compare(result.slices, clean, case.reference, case.regions),
            network_seconds=round(network_seconds, 3),
            seconds=round(time.perf_counter() - began, 3),
            fallbacks=result.fallbacks,
        )
        if key == UNPERTURBED:
            self._clean = clean
        self._write_files(key, spoilt, sources, result.slices, clean)
        write_cell(self.folder, cell)
        return cell

    def _unperturbed_slices(self, progress: Progress) -> NDArray[np.float32]:
        """What the clean sources give; made again in a run that goes on."""
        if self._clean is None:
            self._clean = self.case.translated(self.case.sources, progress).slices
        return self._clean

    def _write_files(
        self,
        key: CellKey,
        spoilt: tuple[Contrast, ...],
        sources: Mapping[Contrast, NDArray[np.float32]],
        result: NDArray[np.float32],
        clean: NDArray[np.float32],
    ) -> None:
        """Picture and volume of a cell, before the JSON file that says they are complete."""
        picture = pictures.cell_strip(self.case, spoilt, sources, result, clean)
        with atomic_file(cell_path(self.folder, key, ".png"), overwrite=True) as path:
            picture.save(path, format="PNG", optimize=True)
        if self.first is not None:
            values = values_on_output_grid(result, self.case.prepared, self.first)
            volume = values.with_array(np.round(values.array * SYNTHETIC_UNITS).astype(np.int16))
            with atomic_file(cell_path(self.folder, key, ".nii.gz"), overwrite=True) as path:
                io.write_volume(path, volume, overwrite=True, description=provenance.label(self.case.target))

    def _search(self, settings: AdversarialSettings, progress: Progress) -> None:
        began = time.perf_counter()
        result, worst = search_worst_case(self.case, settings, progress)
        self.found = msgspec.structs.replace(result, seconds=round(time.perf_counter() - began, 3))
        with atomic_file(self.folder / ADVERSARIAL_PICTURE, overwrite=True) as path:
            pictures.adversarial_strip(self.case, worst, result.max_change).save(path, format="PNG", optimize=True)
        write_text_atomic(self.folder / ADVERSARIAL_FILE, json_text(self.found), overwrite=True)

    def _found_before(self) -> AdversarialResult | None:
        """The search of an earlier run, if it was the same."""
        path = self.folder / ADVERSARIAL_FILE
        if self.adversarial is None or not path.exists():
            return None
        try:
            found = msgspec.json.decode(path.read_bytes(), type=AdversarialResult)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{shown(path)} is no result of a search ({error}): remove it and run again") from None
        return found if found.settings == self.adversarial else None


def _file(image: NamedVolume | None) -> provenance.FileRecord | None:
    return None if image is None else image.record


@contextmanager
def _threads(execution: Execution) -> Iterator[None]:
    """The perturbations' FFTs keep to the network's threads."""
    former = torch.get_num_threads()
    torch.set_num_threads(execution.threads)
    try:
        yield
    finally:
        torch.set_num_threads(former)
