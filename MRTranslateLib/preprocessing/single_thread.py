"""ITK on one thread, for results that are the same bits on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import SimpleITK as sitk


@contextmanager
def single_thread() -> Iterator[None]:
    """Run ITK on one thread, then restore the number of before.

    Sums over threads differ in their last bits with the number of threads, and optimisers amplify that. Setting it on
    a registration method alone does not reach its metric, so the process-wide default is set.
    """
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
