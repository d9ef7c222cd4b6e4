"""MRTranslate's library: brain-MRI contrast translation without Slicer, and without torch until a network runs.

``translate(sources, target, ...)`` is the main job; see :func:`MRTranslateLib.inference.translate.translate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import CancelledError, InputError, ModelError, MRTranslateError, UsageError

if TYPE_CHECKING:
    from MRTranslateLib.batch.run import BatchResult, batch_run
    from MRTranslateLib.inference.result import TranslationResult
    from MRTranslateLib.inference.translate import translate
    from MRTranslateLib.io import read_volume, write_volume
    from MRTranslateLib.rerun import rerun
    from MRTranslateLib.robustness.plan import RobustnessPlan
    from MRTranslateLib.robustness.run import robustness_run
    from MRTranslateLib.volume import Volume

__version__ = "0.1.0"
__all__ = [
    "BatchResult",
    "CancelledError",
    "Contrast",
    "InputError",
    "MRTranslateError",
    "ModelError",
    "RobustnessPlan",
    "TranslationResult",
    "UsageError",
    "Volume",
    "batch_run",
    "read_volume",
    "rerun",
    "robustness_run",
    "translate",
    "write_volume",
]

_LAZY = {
    "BatchResult": "MRTranslateLib.batch.run",
    "batch_run": "MRTranslateLib.batch.run",
    "TranslationResult": "MRTranslateLib.inference.result",
    "translate": "MRTranslateLib.inference.translate",
    "read_volume": "MRTranslateLib.io",
    "write_volume": "MRTranslateLib.io",
    "rerun": "MRTranslateLib.rerun",
    "RobustnessPlan": "MRTranslateLib.robustness.plan",
    "robustness_run": "MRTranslateLib.robustness.run",
    "Volume": "MRTranslateLib.volume",
}
"""Names whose modules bring SimpleITK and scipy: imported on first use, so that Slicer starts fast."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
