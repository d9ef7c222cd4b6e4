"""What tests of all rooms share."""

from __future__ import annotations

import os
from pathlib import Path

# Several test processes share the cores: with a thread for each core in each of them, torch and scikit-learn wait more
# than they work. Before either is imported; code that says how many threads it wants is not touched by it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The open data set beside the project; skips where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not (folder / "participants.tsv").is_file():
        pytest.skip(f"the open data set is not at {folder.name}/ beside the project")
    return folder
