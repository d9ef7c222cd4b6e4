"""What the module's tests share: the module's folder on the path, as Slicer has it, and the host."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

MODULE_FOLDER = Path(__file__).parents[2] / "MRTranslate"
sys.path.append(str(MODULE_FOLDER))
collect_ignore = [
    "fake_worker.py",
    "robustness_records.py",
    "small_scans.py",
    "stub_robustness.py",
    "stub_translation.py",
]

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


@pytest.fixture
def turn(slicer_host):  # noqa: F811
    """Let the event loop run until nothing of ours is waiting."""

    def run(times=60):
        for _ in range(times):
            slicer_host.app.processEvents()
            time.sleep(0.001)

    return run


@pytest.fixture
def scans(widget):
    """A T1w and a T2w of one person, chosen as inputs."""
    from Testing.slicer.small_scans import volume

    nodes = {"T1w": volume("sub-01 T1w"), "T2w": volume("sub-01 T2w", 200)}
    widget.ui.guessButton.click()
    return nodes


@pytest.fixture
def apply(widget, worker, turn):
    """Click Apply and let the worker answer; returns the panel's output volume."""

    def run():
        widget.ui.applyButton.click()
        turn()
        worker.answerTranslation()
        turn()
        return widget._parameters.outputVolume

    return run


@pytest.fixture
def result(scans, apply):
    """The FLAIR that was made of them."""
    return apply()
