"""What the module's tests share: the module's folder on the path, as Slicer has it, and the host."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

MODULE_FOLDER = Path(__file__).parents[2] / "MRTranslate"
sys.path.append(str(MODULE_FOLDER))
collect_ignore = ["fake_worker.py", "robustness_records.py", "stub_robustness.py", "stub_translation.py"]

from Testing.slicer_host.fixture import slicer_host  # noqa: E402, F401


@pytest.fixture
def worker(slicer_host, monkeypatch):  # noqa: F811
    """The panel's worker, played by a stand-in that answers when it is told to."""
    from MRTranslateGui import Console
    from Testing.slicer.fake_worker import FakeWorker

    made = FakeWorker()
    monkeypatch.setattr(Console, "WorkerProcess", lambda: made)
    return made


@pytest.fixture
def widget(slicer_host, worker):  # noqa: F811
    """The module's panel with that worker."""
    return slicer_host.load_module(MODULE_FOLDER / "MRTranslate.py")
