"""What other code calls: ``slicer.util.getModuleLogic("MRTranslate").translate({"T1w": node}, "FLAIR")``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MRTranslateLib.robustness.catalogue import DEFAULT_PERTURBATIONS, LEVELS

from .BatchTask import batchTask
from .DicomTask import dicomTask
from .InProcessWorker import InProcessWorker
from .ModelCatalog import ModelEntry, readCatalog
from .Packages import ensurePackages
from .Readiness import whatIsMissing
from .RobustnessResult import RobustnessResult
from .RobustnessTask import RobustnessOrder, missingForRobustness, robustnessTask
from .Scoring import scoringTask
from .TaskRunner import Step, Task, TaskRunner, Worker
from .Translation import Order, Translated, requestOf, translationTask
from .TrustNodes import Trust, trustOf
from .WorkerProcess import JobProgress, WorkerProcess

REQUIREMENTS = Path(__file__).resolve().parents[1] / "Resources" / "requirements.txt"
POLL_SECONDS = 0.01


class Console:
    """Runs tasks for scripts and for the panel, which share one warm worker. Needs no widget.

    Attributes:
        runner: Whose signals tell what goes on.
    """

    def __init__(self, worker: Worker | None = None) -> None:
        """Nothing is started; without ``worker`` a process is, once there is something to do."""
        hasEventLoop = qt.QCoreApplication.instance() is not None
        self.worker: Worker = worker or (WorkerProcess() if hasEventLoop else InProcessWorker())
        self.runner = TaskRunner(self.worker, _afterEvents if hasEventLoop else _atOnce)

    def translate(
        self,
        sources: Mapping[str, Any],
        target: str,
        *,
        model: str | None = None,
        lowResolution: Any = None,
        brainMask: Any = None,
        reference: Any = None,
        outputVolume: Any = None,
        attention: bool = False,
        attentionVolume: Any = None,
        uncertainty: bool = False,
        uncertaintyVolume: Any = None,
        checks: bool = False,
        lesionMask: Any = None,
        device: str = "auto",
        threads: int | None = None,
        precision: str = "fp32",
        registration: str = "auto",
        biasCorrection: bool = False,
        keepTemporaryFiles: bool = False,
        progress: Callable[[str, float], None] | None = None,
        waitForCompletion: bool = True,
    ) -> Any:
        """Make a synthetic contrast from volumes of the scene.

        Args:
            sources: Scalar volume nodes by contrast (``T1w``, ``T1wGd``, ``T2w``, ``PDw``, ``FLAIR``); the first one's
                grid is the result's.
            target: Contrast to make.
            model: Name of an installed model; None for the one that came with the extension.
            lowResolution: Volume node of an acquired low-resolution target, for models that use one.
            brainMask: Segmentation or labelmap node; None to find the brain.
            reference: Real scan of the target, remembered on the result for comparing and scoring.
            outputVolume: Empty or synthetic scalar volume node to fill; None for a new one with a speaking name.
            attention: Make an attention map too, for models that do.
            attentionVolume: Scalar volume node for it; None for a new one.
            uncertainty: Make a map of the 90 % interval's half-width too, for models that were calibrated.
            uncertaintyVolume: Scalar volume node for it; None for a new one.
            checks: Look for hallucinated and vanished structures.
            lesionMask: Segmentation or labelmap node: regions in which the attention map is measured.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            threads: CPU threads; None for physical cores minus one.
            precision: ``fp32`` or ``bf16``.
            registration: ``auto``, ``always`` or ``never``.
            biasCorrection: Run N4 on the sources first.
            keepTemporaryFiles: Keep what passed between Slicer and the worker.
            progress: Told of stage and fraction, 0..1.
            waitForCompletion: Return when it is done, while Slicer stays alive; else at once, and ``runner`` tells.

        Returns:
            The synthetic volume node; None without ``waitForCompletion``. :meth:`trust` gives its maps and lists.

        Raises:
            ValueError: If something is missing or unfit; the message says all of it.
            RuntimeError: If another task is running, packages are missing, the run failed or was cancelled.
        """
        order = Order(
            sources=_idsOf(sources),
            target=target,
            model=model,
            lowResolution=_idOf(lowResolution),
            brainMask=_idOf(brainMask),
            reference=_idOf(reference),
            output=_idOf(outputVolume),
            wantsAttention=attention,
            attention=_idOf(attentionVolume),
            wantsUncertainty=uncertainty,
            uncertainty=_idOf(uncertaintyVolume),
            wantsChecks=checks,
            lesionMask=_idOf(lesionMask),
            options=_options(device, precision, registration, biasCorrection, threads),
            keepFiles=keepTemporaryFiles,
        )
        _refuse(whatIsMissing(requestOf(order, _modelNamed(model))))
        translated = self._run(translationTask(order), progress, wait=waitForCompletion)
        return translated.volume if isinstance(translated, Translated) else None

    def robustness(
        self,
        sources: Mapping[str, Any],
        target: str,
        *,
        perturbations: Sequence[str] = DEFAULT_PERTURBATIONS,
        levels: Sequence[int] = LEVELS,
        adversarial: bool = False,
        keepVolumes: bool = True,
        model: str | None = None,
        brainMask: Any = None,
        reference: Any = None,
        lesionMask: Any = None,
        device: str = "auto",
        threads: int | None = None,
        precision: str = "fp32",
        registration: str = "auto",
        biasCorrection: bool = False,
        keepTemporaryFiles: bool = False,
        progress: Callable[[str, float], None] | None = None,
        waitForCompletion: bool = True,
    ) -> RobustnessResult | None:
        """Find out how a translation changes when the scans are worse; a run that was interrupted is gone on with.

        Args:
            sources: As for :meth:`translate`.
            target: Contrast to make.
            perturbations: Types of the library's bank, such as ``motion`` or ``rician_noise``.
            levels: Among 1..5, ascending.
            adversarial: Also search for a worst case.
            keepVolumes: Take every perturbed result into the scene, as a sequence.
            model: As for :meth:`translate`, and so are the others not named here.
            brainMask: Segmentation or labelmap node; None to find the brain.
            reference: Real scan of the target, to measure errors too.
            lesionMask: Segmentation or labelmap node, to measure lesions by themselves.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            threads: CPU threads; None for physical cores minus one.
            precision: ``fp32`` or ``bf16``.
            registration: ``auto``, ``always`` or ``never``.
            biasCorrection: Run N4 on the sources first.
            keepTemporaryFiles: Keep what passed between Slicer and the worker.
            progress: Told of stage and fraction, 0..1.
            waitForCompletion: Return when it is done, while Slicer stays alive; else at once, and ``runner`` tells.

        Returns:
            What is in the scene: tables, curves, volumes, verdict and report; None without ``waitForCompletion``.

        Raises:
            ValueError: If something is missing or unfit; the message says all of it.
            RuntimeError: If another task is running, packages are missing, the run failed or was cancelled.
        """
        entry = _modelNamed(model)
        translation = Order(
            sources=_idsOf(sources),
            target=target,
            model=model,
            brainMask=_idOf(brainMask),
            reference=_idOf(reference),
            lesionMask=_idOf(lesionMask),
            options=_options(device, precision, registration, biasCorrection, threads),
            keepFiles=keepTemporaryFiles,
        )
        order = RobustnessOrder(
            translation=translation,
            card={} if entry is None else entry.card,
            perturbations=tuple(perturbations),
            levels=tuple(levels),
            adversarial=adversarial,
            keepVolumes=keepVolumes,
        )
        _refuse(missingForRobustness(order, entry))
        task, _record = robustnessTask(order)
        result = self._run(task, progress, wait=waitForCompletion)
        return result if isinstance(result, RobustnessResult) else None

    def batch(
        self,
        cases: str | Path,
        output: str | Path,
        sources: Sequence[str],
        target: str,
        *,
        attention: bool = False,
        uncertainty: bool = False,
        checks: bool = False,
        report: bool = False,
        model: str | None = None,
        device: str = "auto",
        threads: int | None = None,
        precision: str = "fp32",
        registration: str = "auto",
        biasCorrection: bool = False,
        workers: int = 1,
        scheduler: str | None = None,
        retryFailed: bool = False,
        overwrite: bool = False,
        progress: Callable[[str, float], None] | None = None,
        waitForCompletion: bool = True,
    ) -> Any:
        """Translate the scans of a folder; a case that fails costs no other, a run that was stopped is gone on with.

        Nothing but the table comes into the scene: the results are files in ``output``.

        Args:
            cases: Folder whose scans are named by their contrast (``sub-01_T1w.nii.gz``, ``case/t1.nii.gz``), or a case
                list: ``.csv`` with the columns ``case``, ``T1w``, ``T2w``, ...
            output: Folder for results and table; created, or continued.
            sources: Contrasts to translate from, in order; the first one's grid is the result's.
            target: Contrast to make; where it was acquired, results are measured against it.
            attention: Make attention maps too.
            uncertainty: Make uncertainty maps too.
            checks: Look for hallucinated and vanished structures.
            report: Write a page for each case.
            model: Name of an installed model; None for the one that came with the extension.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            threads: CPU threads of each network; None for as many as the workers can share.
            precision: ``fp32`` or ``bf16``.
            registration: ``auto``, ``always`` or ``never``.
            biasCorrection: Run N4 on the sources first.
            workers: Cases at once, each in a process of its own.
            scheduler: Address of a Dask scheduler whose machines see the same files, instead of ``workers``.
            retryFailed: Begin failed cases again.
            overwrite: Make again what was made with other settings or from other files.
            progress: Told of case and stage, and of the fraction of all cases, 0..1.
            waitForCompletion: Return when it is done, while Slicer stays alive; else at once, and ``runner`` tells.

        Returns:
            A table node with one row a case: its state, why there is no result, scores; None without
            ``waitForCompletion``.

        Raises:
            ValueError: If there is no such model.
            RuntimeError: If another task is running, packages are missing, no case could be worked on, or the run was
                cancelled; what is finished is kept.
        """
        _modelNamed(model)
        parameters = {
            "cases": str(Path(cases).absolute()),
            "output": str(Path(output).absolute()),
            "sources": list(sources),
            "target": target,
            "attention": attention,
            "uncertainty": uncertainty,
            "checks": checks,
            "report": report,
            "model": model,
            **_options(device, precision, registration, biasCorrection, threads),
            "workers": workers,
            "scheduler": scheduler,
            "retry_failed": retryFailed,
            "overwrite": overwrite,
        }
        return self._run(batchTask(parameters), progress, wait=waitForCompletion)

    def evaluate(self, synthetic: Any, reference: Any, *, brainMask: Any = None, lesionMask: Any = None) -> Any:
        """Measure a synthetic volume against a real one on the same grid; returns a table node.

        Raises:
            RuntimeError: As :meth:`translate`.
        """
        return self._run(scoringTask(synthetic, reference, brainMask=brainMask, lesionMask=lesionMask), None, wait=True)

    def exportDICOM(self, synthetic: Any, output: str | Path, series: str | Path, *, maps: bool = True) -> list[str]:
        """Write a result as a derived DICOM series into the study of its source; returns the files.

        Every slice says that it is synthetic, from which model, and that it is not for diagnostic use. Slicer's own
        export would file the result as an original scan.

        Args:
            synthetic: A result that has not been changed since it was made.
            output: A new or empty folder.
            series: Folder of an acquired series of the same person, whose study the result joins.
            maps: Write the result's attention and uncertainty map too, as parametric maps.

        Raises:
            ValueError: If the node is no result of ours.
            RuntimeError: As :meth:`translate`, and if the result was changed or the series is another person's.
        """
        task = dicomTask(synthetic, Path(series).absolute(), Path(output).absolute(), maps=maps)
        files = self._run(task, None, wait=True)
        return list(files or [])

    def trust(self, synthetic: Any) -> Trust:
        """The nodes that say where a synthetic volume may be believed, in a loaded scene too."""
        return trustOf(synthetic)

    def ensurePackages(self) -> None:
        """Install what the worker needs, after asking.

        Raises:
            PackagesMissing: A RuntimeError whose message says why not.
        """
        ensurePackages(REQUIREMENTS)

    def close(self) -> None:
        """Stop whatever runs; no process and no file is left. The next call starts afresh."""
        self.runner.close()

    def _run(self, task: Task, progress: Callable[[str, float], None] | None, *, wait: bool) -> Any:
        """Run a task to its end; what it gives, None if nobody waits."""
        self.ensurePackages()
        if not wait:
            self.runner.run(task)
            return None
        end = _Ending(self.runner, task, progress)
        try:
            self.runner.run(task)
            while not end.isThere:
                slicer.app.processEvents()
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            self.runner.cancel()
            raise
        finally:
            end.disconnect()
        return end.value()


class _Ending:
    """Waits for one task's end among those of a runner."""

    def __init__(self, runner: TaskRunner, task: Task, progress: Callable[[str, float], None] | None) -> None:
        self.isThere = False
        self._task, self._progress = task, progress
        self._value: Any = None
        self._problem: str | None = None
        self._connections = [
            (runner.progressed, self._onProgress),
            (runner.succeeded, self._onSucceeded),
            (runner.failed, self._onFailed),
            (runner.cancelled, lambda task: self._onFailed(task, _("The run was cancelled; nothing was loaded."))),
        ]
        for signal, slot in self._connections:
            signal.connect(slot)

    def disconnect(self) -> None:
        for signal, slot in self._connections:
            signal.disconnect(slot)

    def value(self) -> Any:
        if self._problem is not None:
            raise RuntimeError(self._problem)
        return self._value

    def _onProgress(self, progress: JobProgress) -> None:
        if self._progress is not None:
            self._progress(progress.stage, progress.fraction)

    def _onSucceeded(self, task: Task, value: Any) -> None:
        if task is self._task:
            self._value, self.isThere = value, True

    def _onFailed(self, task: Task, message: str) -> None:
        if task is self._task:
            self._problem, self.isThere = message, True


def _modelNamed(name: str | None) -> ModelEntry | None:
    """The model, the default one for None; None if no model is installed."""
    catalog = readCatalog()
    known = {model.name for model in catalog.models}
    if name is not None and name not in known:
        raise ValueError(
            _("There is no model {name}: there are {known}.").format(name=name, known=", ".join(sorted(known)))
        )
    return catalog.find(name or "")


def _refuse(missing: list[str]) -> None:
    if missing:
        raise ValueError(" ".join(missing))


def _options(
    device: str, precision: str, registration: str, biasCorrection: bool, threads: int | None
) -> dict[str, Any]:
    """By the library's names."""
    return {
        "device": device,
        "precision": precision,
        "registration": registration,
        "bias_correction": biasCorrection,
        "threads": threads,
    }


def _idsOf(sources: Mapping[str, Any]) -> dict[str, str]:
    return {role: node.GetID() for role, node in sources.items()}


def _idOf(node: Any) -> str | None:
    return None if node is None else str(node.GetID())


def _afterEvents(step: Step) -> None:
    qt.QTimer.singleShot(0, step)


def _atOnce(step: Step) -> None:
    step()
