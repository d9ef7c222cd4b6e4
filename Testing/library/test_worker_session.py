import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from MRTranslateLib.worker.session import (
    SESSION_PREFIX,
    SETTLED_SECONDS,
    SessionFolder,
    remove_abandoned,
    remove_if_abandoned,
)

ROOT = Path(__file__).resolve().parents[2]
MAKE_AND_DIE = (
    "import os, signal, sys; from pathlib import Path; from MRTranslateLib.worker.session import SessionFolder\n"
    "folder = SessionFolder(Path(sys.argv[1]))\n"
    "(folder.new_job_folder() / 'scan.nii').write_bytes(b'patient')\n"
    "os._exit(0)"
)


def make_old(folder: Path):
    past = time.time() - SETTLED_SECONDS - 1
    os.utime(folder, (past, past))


@pytest.fixture
def abandoned(tmp_path) -> Path:
    subprocess.run([sys.executable, "-c", MAKE_AND_DIE, str(tmp_path)], check=True, cwd=ROOT)
    (folder,) = tmp_path.iterdir()
    assert next(folder.rglob("scan.nii"))
    return folder


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_only_the_user_may_enter(tmp_path):
    session = SessionFolder(tmp_path)
    assert stat.S_IMODE(session.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(session.new_job_folder().stat().st_mode) == 0o700
    session.remove()


def test_removing_takes_everything_along(tmp_path):
    session = SessionFolder(tmp_path)
    (session.new_job_folder() / "scan.nii").write_bytes(b"patient")
    session.remove()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_dead_sessions_are_removed(abandoned, tmp_path):
    make_old(abandoned)
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_just_made_is_let_be_for_its_owner_may_not_have_locked_it_yet(abandoned, tmp_path):
    remove_abandoned(tmp_path)
    assert abandoned.is_dir()


def test_the_folder_of_a_living_session_stays_however_old(tmp_path):
    session = SessionFolder(tmp_path)
    make_old(session.path)
    remove_abandoned(tmp_path)
    assert session.path.is_dir()
    assert not remove_if_abandoned(session.path)
    session.remove()


def test_other_folders_are_none_of_our_business(tmp_path):
    other = tmp_path / "mrtranslate-results"
    other.mkdir()
    make_old(other)
    remove_abandoned(tmp_path)
    assert other.is_dir()
    with pytest.raises(ValueError, match="mrtranslate-results"):
        remove_if_abandoned(other)


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_that_bears_our_name_leads_nowhere(tmp_path):
    other = tmp_path / "precious"
    other.mkdir()
    link = tmp_path / f"{SESSION_PREFIX}link"
    link.symlink_to(other)
    assert not remove_if_abandoned(link)
    assert link.is_symlink()
    assert other.is_dir()


def test_a_temporary_folder_that_does_not_exist_is_no_error(tmp_path):
    remove_abandoned(tmp_path / "none")
