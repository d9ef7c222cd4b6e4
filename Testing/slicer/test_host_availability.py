"""Where the host cannot run, it says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from Testing.slicer_host import availability

ROOT = Path(__file__).parents[2]


def test_a_missing_wheel_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "REQUIRED", {"sys": "here", "no_such_module": "no-such-wheel"})
    assert availability.missing_reason() == ("the Slicer host needs no-such-wheel: python -m pip install no-such-wheel")


def test_the_package_can_be_imported_without_loading_qt_or_slicer() -> None:
    code = "import Testing.slicer_host, sys; assert not {'PySide6', 'slicer', 'vtk'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
