"""A worker that computes nothing: tests say what it answers and when. No torch, no process."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from MRTranslateGui.Signal import Signal
from MRTranslateGui.WorkerFailure import Failure, FailureKind
from MRTranslateGui.WorkerProcess import Job, JobProgress, State
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.volume import Volume
from Testing.slicer.robustness_records import write_run
from Testing.slicer.trust_records import trust_records


class FakeWorker:
    """Signals and methods of WorkerProcess; ``answer`` ends the job that was submitted last."""

    def __init__(self) -> None:
        self.stateChanged, self.progressed, self.finished = Signal(), Signal(), Signal()
        self.cancelled, self.failed, self.logged = Signal(), Signal(), Signal()
        self.jobs: list[Job] = []
        self.folders: list[Path] = []
        self.isShutDown = False
        self._numRunning = 0

    @property
    def job(self) -> Job:
        return self.jobs[-1]

    def newFolder(self) -> Path:
        self.folders.append(Path(tempfile.mkdtemp(prefix="mrtranslate-test-")))
        return self.folders[-1]

    def submit(self, job: Job) -> int:
        self.jobs.append(job)
        self._numRunning += 1
        self.stateChanged.emit(State.RUNNING)
        return len(self.jobs)

    def cancel(self) -> None:
        if self._numRunning:
            self._numRunning = 0
            self.cancelled.emit(len(self.jobs))

    def shutdown(self) -> None:
        self.isShutDown, self._numRunning = True, 0

    def report(self, stage: str, fraction: float, remaining: float | None = None) -> None:
        self.progressed.emit(len(self.jobs), JobProgress(stage, fraction, remaining))

    def answer(self, result: Any) -> None:
        self._numRunning = 0
        self.finished.emit(len(self.jobs), result)

    def fail(self, message: str, kind: FailureKind = FailureKind.JOB) -> None:
        self._numRunning = 0
        self.failed.emit(Failure(kind, message, len(self.jobs), 1))

    def answerRobustness(self) -> None:
        """Write what the library would, and say where."""
        self.answer(write_run(self.job.parameters))

    def answerTranslation(self, *, shift_mm: float = 0.0, warnings: tuple[str, ...] = ()) -> None:
        """Write what the library would: the first source's voxels as int16 on its grid, and a sidecar."""
        parameters = self.job.parameters
        first = read_volume(next(iter(parameters["sources"].values())))
        affine = first.affine.copy()
        affine[0, 3] += shift_mm
        values = np.round(1000 * first.array / first.array.max()).astype(np.int16)
        write_volume(parameters["output"], Volume(values, affine))
        if "attention" in parameters:
            write_volume(parameters["attention"], Volume((values / 1000).astype(np.float32), affine))
        if "uncertainty" in parameters:
            write_volume(parameters["uncertainty"], Volume((values // 4).astype(np.int16), affine))
        sidecar = Path(parameters["output"]).with_suffix(".json")
        sidecar.write_text(json.dumps({**PROVENANCE, **trust_records(parameters, affine)}), encoding="utf-8")
        self.answer(
            {
                "output": parameters["output"],
                "sidecar": str(sidecar),
                "warnings": list(warnings),
                "fallbacks": [],
                "seconds": {"translate": 1.0},
            }
        )


PROVENANCE = {
    "model": {"name": "brain-united", "version": "0.1.0", "weights_sha256": "0" * 64},
    "sources": [{"contrast": "T1w", "percentile_value": 400.0}],
    "warnings": ['quotes " and umlauts \u00e4; colons: semicolons;'],
}
