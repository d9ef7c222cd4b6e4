"""What the module's tests share: the module's folder on the path, as Slicer has it, and the host."""

from __future__ import annotations

import sys
from pathlib import Path

MODULE_FOLDER = Path(__file__).parents[2] / "MRTranslate"
sys.path.append(str(MODULE_FOLDER))
collect_ignore = ["fake_worker.py", "robustness_records.py", "stub_robustness.py", "stub_translation.py"]

from Testing.slicer_host.fixture import slicer_host  # noqa: E402, F401
