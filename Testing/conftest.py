"""What tests of all rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The open data set beside the project; skips where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not (folder / "participants.tsv").is_file():
        pytest.skip(f"the open data set is not at {folder.name}/ beside the project")
    return folder
