"""The batch run: find the cases, leave out what is done, work through the rest, and say what became of each.

A run that is cancelled or killed goes on where it stopped when it is started again with the same folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from MRTranslateLib.batch.case import Case
from MRTranslateLib.batch.case_list import read_case_list
from MRTranslateLib.batch.cluster import Cluster
from MRTranslateLib.batch.discover import find_cases
from MRTranslateLib.batch.executor import Executor, ThisProcess
from MRTranslateLib.batch.ledger import Ledger
from MRTranslateLib.batch.local_workers import LocalWorkers, threads_each
from MRTranslateLib.batch.overview import OVERVIEW_FILE, overview_html
from MRTranslateLib.batch.plan import BatchPlan
from MRTranslateLib.batch.settings import BatchSettings, claim_folder
from MRTranslateLib.batch.table import TABLE_FILE, CaseRow, State, table_text
from MRTranslateLib.batch.watch import Watch
from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.errors import CancelledError, UsageError
from MRTranslateLib.file_lock import try_lock
from MRTranslateLib.files import reason, same_place, shown, write_text_atomic
from MRTranslateLib.inference.device import Precision, choose_execution
from MRTranslateLib.inference.request import Registration
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.preprocessing.guard import check_request
from MRTranslateLib.progress import Progress, ProgressCallback
from MRTranslateLib.provenance import ModelRecord

LOCK_FILE = ".mrtranslate-batch-lock"


@dataclass(frozen=True)
class BatchResult:
    """What a run made.

    Attributes:
        rows: Every case, in order of the list or of its name.
        folder: Of the results.
        table: The rows as CSV; ``cases.html`` beside it shows a slice of each.
    """

    rows: tuple[CaseRow, ...]
    folder: Path
    table: Path

    def count(self, state: State) -> int:
        """How many cases are in a state."""
        return Counter(row.state for row in self.rows)[state]


def cases_of(source: str | PathLike[str], *, output: str | PathLike[str] | None = None) -> tuple[Case, ...]:
    """The cases of a folder (:func:`find_cases`) or of a case list (:func:`read_case_list`).

    Args:
        source: Either.
        output: Folder of the results, which is another; may lie below.

    Raises:
        InputError: If it cannot be read.
        UsageError: If it names no case, or the results would lie among the scans.
    """
    path = Path(source)
    if not path.is_dir():
        if output is not None and same_place(path, Path(output) / TABLE_FILE):
            raise UsageError(
                f"{shown(path)} would be overwritten by the table of results: rename it, or choose another folder"
            )
        return read_case_list(path)
    if output is not None and same_place(path, output):
        raise UsageError(f"{shown(path)} holds the scans: choose another folder for the results")
    return find_cases(path)


def batch_run(
    cases: Iterable[Case] | str | PathLike[str],
    output: str | PathLike[str],
    *,
    sources: Sequence[Contrast | str],
    target: Contrast | str,
    attention: bool = False,
    uncertainty: bool = False,
    checks: bool = False,
    report: bool = False,
    model: str | PathLike[str] | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    threads: int | None = None,
    registration: Registration = "auto",
    bias_correction: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
    retry_failed: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback | Progress | None = None,
    on_case: Callable[[CaseRow], None] | None = None,
) -> BatchResult:
    """Translate many cases; one that fails costs none of the others.

    A case that has its result is left as it is, whoever has made it in that folder, as long as settings and files are
    the same. A case whose real target is among its files is measured against it.

    Args:
        cases: Cases, a folder that holds them, or a case list.
        output: Folder of the results; created, or continued. Each case gets a folder of its own in it.
        sources: Contrasts to translate from, in order: the first one's grid is the result's.
        target: The contrast to make.
        attention: Make an attention map of each too.
        uncertainty: Make an uncertainty map of each too.
        checks: Check each against its sources.
        report: Write a page for each.
        model: As for :func:`MRTranslateLib.inference.translate.translate`, and so are the next five.
        device: Where the networks run.
        precision: Of the networks.
        threads: CPU threads of each network; None for as many as ``workers`` can share, however many cases are left,
            since results may differ in the last bit by it.
        registration: Of the sources.
        bias_correction: Of the sources.
        workers: How many cases at once, each in a process of its own; 0 for one after the other in this process.
        scheduler: Address of a Dask scheduler whose workers see the same files, instead of ``workers``.
        retry_failed: Begin failed cases again; without it they stay as they are until their files change.
        overwrite: Make again what was made with other settings, from other files, or altered since.
        progress: Told of the case and stage under way and of the fraction of all cases done; can cancel.
        on_case: Told of every case as its end is known.

    Raises:
        UsageError: If the request makes no sense, or the folder holds a batch of other settings.
        InputError: If folder or list cannot be read.
        ModelError: If the model is missing, damaged, or does not offer the route or a map.
        CancelledError: If the caller stopped the run; what is finished is kept.
        MRTranslateError: If the folder takes no files, or no worker can be started.
    """
    line = progress if isinstance(progress, Progress) else Progress(progress)
    settings = _settings(
        sources, target, model, registration, bias_correction, precision, (attention, uncertainty, checks, report)
    )
    folder = Path(output)
    executor = _executor(workers, scheduler)
    if scheduler is None and (device not in ("auto", "cpu") or threads is not None):
        choose_execution(device, precision, threads)  # brings torch, which a parent of workers else does without
    found = cases_of(cases, output=folder) if isinstance(cases, (str, PathLike)) else tuple(cases)
    if threads is None and workers > 1 and scheduler is None:
        threads = threads_each(workers)
    place = str(Path(model).absolute()) if model is not None and settings.model.folder is not None else model
    options = {"model": place, "device": device, "threads": threads}
    plan = BatchPlan(
        folder=folder.absolute(), settings=settings, options=options, retry_failed=retry_failed, overwrite=overwrite
    )
    with _locked(folder):
        claim_folder(folder, settings, written=(TABLE_FILE, OVERVIEW_FILE), overwrite=overwrite)
        ledger = Ledger(plan, found, counts_deaths=executor.dies_with_case, on_case=on_case)
        return _work_through(plan, ledger, executor, line)


def _work_through(plan: BatchPlan, ledger: Ledger, executor: Executor, line: Progress) -> BatchResult:
    """Do what is to be done; table and overview are written at an early end too."""
    works = ledger.open_works()
    try:
        with closing(executor.run(works, Watch(line, len(works), ledger.begin))) as ends:
            for work, end in ends:
                ledger.end(work.case_id, end)
    except CancelledError:
        raise CancelledError(
            f"cancelled; finished cases are kept in {shown(plan.folder)}: the same command goes on from there"
        ) from None
    finally:
        ledger.give_up()
        write_text_atomic(plan.folder / OVERVIEW_FILE, overview_html(plan.settings, ledger.rows), overwrite=True)
        write_text_atomic(plan.folder / TABLE_FILE, table_text(ledger.rows), overwrite=True)
    return BatchResult(ledger.rows, plan.folder, plan.folder / TABLE_FILE)


def _settings(
    sources: Sequence[Contrast | str],
    target: Contrast | str,
    model: str | PathLike[str] | None,
    registration: Registration,
    bias_correction: bool,
    precision: Precision,
    extras: tuple[bool, bool, bool, bool],
) -> BatchSettings:
    """Check what every case would stumble over."""
    given, wanted = [parse_contrast(str(name)) for name in sources], parse_contrast(str(target))
    for contrast, number in Counter(given).items():
        if number > 1:
            raise UsageError(f"{contrast} is named twice among the sources: name each once")
    check_request(given, wanted, registration)
    bundle = ModelStore().find(model)
    bundle.card.require_route(given, wanted)
    attention, uncertainty, checks, report = extras
    if attention:
        bundle.card.require_attention()
    return BatchSettings(
        sources=tuple(given),
        target=wanted,
        model=ModelRecord.of(bundle, given, wanted, asked_for=model),
        registration=registration,
        bias_correction=bias_correction,
        precision=precision,
        attention=attention,
        uncertainty=uncertainty,
        checks=checks,
        report=report,
    )


def _executor(workers: int, scheduler: str | None) -> Executor:
    if scheduler is not None:
        return Cluster(scheduler)
    if not 0 <= workers <= 256:
        raise UsageError(f"cannot run {workers} workers: use 1 to 256, or 0 for none beside this process")
    return LocalWorkers(workers) if workers else ThisProcess()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second run out of the folder; the system itself ends the lock of a process that dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK_FILE).open("ab")
    except OSError as error:
        raise UsageError(f"cannot use the folder {shown(folder)}: {reason(error)}; choose another") from error
    with file:
        if not try_lock(file):
            raise UsageError(f"another batch is writing to {shown(folder)}: wait for it, or choose another folder")
        yield
