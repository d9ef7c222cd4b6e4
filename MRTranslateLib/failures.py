"""Any exception as the one sentence with an exit code that users see; shared by the command line and the worker."""

from __future__ import annotations

from MRTranslateLib.errors import MRTranslateError

OUT_OF_MEMORY = "memory ran out; close other programs or give smaller volumes"
_ALLOCATION_FAILED = ("DefaultCPUAllocator", "out of memory", "Failed to allocate memory", "bad_alloc")
"""What torch, ITK and the C++ runtime say where Python would raise MemoryError."""


def explain(error: BaseException) -> MRTranslateError:
    """The error to show for whatever was raised: itself where it is one of ours, else a sentence on what it means."""
    if isinstance(error, MRTranslateError):
        return error
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in text for sign in _ALLOCATION_FAILED)
    ):
        return MRTranslateError(OUT_OF_MEMORY)
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return MRTranslateError(f"the Python package {package} is missing: install MRTranslate's packages again")
    what = f"unexpected {type(error).__name__}: {text[:300]}"
    return MRTranslateError(f"{what}; this is a defect, please report it with the output of --debug")
