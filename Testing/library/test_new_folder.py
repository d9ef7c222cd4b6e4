"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from MRTranslateLib.errors import MRTranslateError, UsageError
from MRTranslateLib.files import write_text_atomic
from MRTranslateLib.new_folder import new_folder

DYING = """
import os, signal, sys
from pathlib import Path
from MRTranslateLib.new_folder import new_folder
with new_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_when_it_is_complete(tmp_path):
    with new_folder(tmp_path / "made") as folder:
        (folder / "file").write_text("whole")
        assert not (tmp_path / "made").exists()
    assert (tmp_path / "made" / "file").read_text() == "whole"
    assert names(tmp_path) == ["made"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "made").mkdir()
    with new_folder(tmp_path / "made") as folder:
        (folder / "file").touch()
    assert names(tmp_path / "made") == ["file"]


def test_nothing_is_left_when_the_body_raises(tmp_path):
    def fill():
        with new_folder(tmp_path / "made") as folder:
            (folder / "file").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fill()
    assert names(tmp_path) == []


def test_an_error_of_the_body_is_its_own(tmp_path):
    def fill():
        with new_folder(tmp_path / "made"):
            (tmp_path / "missing input").read_text()

    with pytest.raises(FileNotFoundError, match="missing input"):
        fill()


def test_a_folder_that_holds_something_is_kept(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "theirs").touch()
    with pytest.raises(UsageError, match="holds files and is kept"), new_folder(tmp_path / "made"):
        pass
    assert names(tmp_path / "made") == ["theirs"]


def test_what_appeared_meanwhile_is_kept(tmp_path):
    def fill():
        with new_folder(tmp_path / "made"):
            (tmp_path / "made").mkdir()
            (tmp_path / "made" / "theirs").touch()

    with pytest.raises(MRTranslateError, match="cannot write"):
        fill()
    assert names(tmp_path) == ["made"]
    assert names(tmp_path / "made") == ["theirs"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("next_write", ["folder", "file"])
def test_what_a_killed_process_left_the_next_write_removes(tmp_path, next_write):
    dead = subprocess.run([sys.executable, "-c", DYING, str(tmp_path / "made")], check=False)
    assert dead.returncode == -signal.SIGKILL
    assert [name for name in names(tmp_path) if name.startswith(".mrtranslate-")] == names(tmp_path) != []
    if next_write == "folder":
        with new_folder(tmp_path / "made") as folder:
            (folder / "file").touch()
        assert names(tmp_path) == ["made"]
    else:
        write_text_atomic(tmp_path / "note", "text")
        assert names(tmp_path) == ["note"]
