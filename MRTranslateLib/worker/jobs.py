"""The kinds of jobs: what each takes, what it returns, and the table that a new kind adds itself to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from MRTranslateLib.batch.work import CaseWork, run_case
from MRTranslateLib.errors import UsageError
from MRTranslateLib.progress import Progress
from MRTranslateLib.worker.batch import BatchParameters, run_batch
from MRTranslateLib.worker.describe import DescribeParameters, describe
from MRTranslateLib.worker.dicom import DicomParameters, run_dicom
from MRTranslateLib.worker.evaluate import EvaluateParameters, evaluate
from MRTranslateLib.worker.models import ModelsParameters, run_models
from MRTranslateLib.worker.robustness import RobustnessParameters, run_robustness
from MRTranslateLib.worker.translate import TranslateParameters, run_translate

Parameters = TypeVar("Parameters")


@dataclass(frozen=True)
class Kind(Generic[Parameters]):
    """A kind of job.

    Attributes:
        parameters: Type that the request's parameters must have.
        run: Does the work and returns what the client gets; anything that msgspec writes as JSON.
    """

    parameters: Any
    run: Callable[[Parameters, Progress], Any]


KINDS: Mapping[str, Kind[Any]] = {
    "translate": Kind(TranslateParameters, run_translate),
    "evaluate": Kind(EvaluateParameters, evaluate),
    "robustness": Kind(RobustnessParameters, run_robustness),
    "models": Kind(ModelsParameters, run_models),
    "describe": Kind(DescribeParameters, describe),
    "batch": Kind(BatchParameters, run_batch),
    "case": Kind(CaseWork, run_case),
    "dicom": Kind(DicomParameters, run_dicom),
}


def run_job(kinds: Mapping[str, Kind[Any]], name: str, parameters: msgspec.Raw, progress: Progress) -> msgspec.Raw:
    """Check the parameters, do the work, encode the result.

    Raises:
        UsageError: If there is no such kind or it does not take these parameters.
        MRTranslateError: As the kind says.
        CancelledError: If the client asked to stop.
    """
    if name not in kinds:
        raise UsageError(f"unknown kind of job {name!r}: this worker knows {', '.join(kinds)}; update MRTranslate")
    kind = kinds[name]
    try:
        checked = msgspec.json.decode(parameters, type=kind.parameters)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"job {name} does not take these parameters ({error}): update MRTranslate") from None
    return msgspec.Raw(msgspec.json.encode(kind.run(checked, progress)))
