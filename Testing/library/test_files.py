from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from MRTranslateLib import files
from MRTranslateLib.errors import MRTranslateError, UsageError
from MRTranslateLib.files import (
    atomic_file,
    atomic_files,
    full_extension,
    refuse_unfit_output,
    sha256_of,
    shown,
    write_text_atomic,
)

ROOT = Path(__file__).resolve().parents[2]


def test_sha256_is_the_published_one_of_abc(tmp_path):
    # FIPS 180-2, appendix B.1
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_nothing_stands_under_the_final_name_before_the_end(tmp_path):
    final = tmp_path / "out.nii.gz"
    with atomic_file(final) as temporary:
        temporary.write_bytes(b"half")
        assert not final.exists()
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz")
        assert temporary.name.startswith(".")
    assert final.read_bytes() == b"half"
    assert os.listdir(tmp_path) == ["out.nii.gz"]


def write_half_and_raise(path: Path, error: BaseException, *, overwrite: bool = False) -> None:
    with atomic_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing_behind(tmp_path, error):
    with pytest.raises(error):
        write_half_and_raise(tmp_path / "out.json", error())
    assert os.listdir(tmp_path) == []


def test_an_exception_keeps_the_file_that_was_to_be_replaced(tmp_path):
    (tmp_path / "out").write_text("old")
    with pytest.raises(RuntimeError):
        write_half_and_raise(tmp_path / "out", RuntimeError(), overwrite=True)
    assert (tmp_path / "out").read_text() == "old"


def test_an_existing_file_is_kept_unless_overwriting_is_allowed(tmp_path):
    write_text_atomic(tmp_path / "out.json", "old")
    with pytest.raises(UsageError, match=r"out\.json exists and is kept: .*--overwrite"):
        write_text_atomic(tmp_path / "out.json", "new")
    assert (tmp_path / "out.json").read_text() == "old"
    write_text_atomic(tmp_path / "out.json", "new", overwrite=True)
    assert (tmp_path / "out.json").read_text() == "new"


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    def race() -> None:
        with atomic_file(tmp_path / "out") as temporary:
            temporary.write_text("mine")
            (tmp_path / "out").write_text("theirs")

    with pytest.raises(UsageError, match="exists and is kept"):
        race()
    assert (tmp_path / "out").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["out"]


def test_unfit_targets_are_refused_before_any_work(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").touch()
    for name, message in [
        ("folder", "is a folder"),
        ("missing/out", "its folder does not exist"),
        ("pipe", "not a regular file"),
        ("dangling", "leads nowhere"),
        ("file/out", "cannot write"),
        ("x" * 300, "name too long"),
        ("nul\0", "null"),
    ]:
        with pytest.raises(UsageError, match=message) as caught, atomic_file(tmp_path / name, overwrite=True):
            pytest.fail("the body must not run")
        assert "\n" not in str(caught.value)
        with pytest.raises(UsageError, match=message):
            refuse_unfit_output(tmp_path / name, overwrite=True)


def test_a_device_is_never_replaced():
    with pytest.raises(UsageError, match="not a regular file"), atomic_file("/dev/null", overwrite=True):
        pytest.fail("the body must not run")


def test_a_folder_that_takes_no_files_is_refused(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")  # root, who runs CI, ignores the mode of folders

    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.raises(UsageError, match=r"takes no files \(permission denied\)"), atomic_file(tmp_path / "out"):
        pytest.fail("the body must not run")


def test_an_output_that_could_not_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "out").touch()
    refuse_unfit_output(tmp_path / "new")
    refuse_unfit_output(tmp_path / "out", overwrite=True)
    with pytest.raises(UsageError, match="exists and is kept"):
        refuse_unfit_output(tmp_path / "out")
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    with pytest.raises(UsageError, match="takes no files"):
        refuse_unfit_output(tmp_path / "new")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", refuse)
    with pytest.raises(MRTranslateError, match=r"cannot finish writing .*out: no space left on device"):
        write_text_atomic(tmp_path / "out", "text")
    assert os.listdir(tmp_path) == []


def test_new_files_have_the_usual_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write_text_atomic(tmp_path / "out", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_text_is_utf8_with_plain_line_ends(tmp_path):
    write_text_atomic(tmp_path / "out", "µ\n")
    assert (tmp_path / "out").read_bytes() == b"\xc2\xb5\n"


KILLED = """
import sys, time
from MRTranslateLib.files import atomic_file
with atomic_file(sys.argv[1]) as temporary:
    with open(temporary, "wb") as file:
        file.write(b"half"); file.flush(); print("writing", flush=True); time.sleep(60)
"""


def test_a_killed_run_leaves_no_output_and_the_next_write_removes_its_stray(tmp_path):
    final = tmp_path / "out.nii.gz"
    run = subprocess.Popen([sys.executable, "-c", KILLED, str(final)], stdout=subprocess.PIPE, cwd=ROOT)
    assert run.stdout is not None
    assert run.stdout.readline().strip() == b"writing"
    write_text_atomic(tmp_path / "while-alive", "text")
    (stray,) = (name for name in os.listdir(tmp_path) if name.startswith("."))
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert not final.exists()
    assert stray in os.listdir(tmp_path)
    write_text_atomic(tmp_path / "other", "text")
    assert sorted(os.listdir(tmp_path)) == ["other", "while-alive"]


def test_only_strays_of_dead_processes_of_this_machine_are_removed(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    random = "0123456789abcdef"
    kept = [
        f".mrtranslate-{'0' * 12}-{gone.pid}-{random}.nii",  # another machine on a shared disk
        f".mrtranslate-{files._machine()}-{os.getpid()}-{random}.nii",  # alive
        f".mrtranslate-{files._machine()}-{gone.pid}.nii",  # not our form
        f"mrtranslate-{files._machine()}-{gone.pid}-{random}.nii",
    ]
    for name in [*kept, f".mrtranslate-{files._machine()}-{gone.pid}-{random}.nii"]:
        (tmp_path / name).touch()
    write_text_atomic(tmp_path / "out", "text")
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "out"])


@pytest.fixture
def second_rename_fails(monkeypatch):
    """The disk runs full between two renames."""
    replace, calls = os.replace, []

    def failing(source, final):
        calls.append(final)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        replace(source, final)

    monkeypatch.setattr(os, "replace", failing)


def write_two(folder, text, *, overwrite=False):
    with atomic_files({folder / "a": overwrite, folder / "b": overwrite}) as temporaries:
        for path in temporaries.values():
            path.write_text(text)


def test_several_files_appear_together(tmp_path):
    write_two(tmp_path, "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "new"}


def test_of_several_files_none_appears_where_one_cannot(tmp_path, second_rename_fails):
    with pytest.raises(MRTranslateError, match=r"cannot finish writing .*b: no space left"):
        write_two(tmp_path, "new")
    assert os.listdir(tmp_path) == []


def test_former_files_come_back_where_one_cannot_be_replaced(tmp_path, second_rename_fails):
    for name in ("a", "b"):
        (tmp_path / name).write_text("old")
    with pytest.raises(MRTranslateError, match="cannot finish writing"):
        write_two(tmp_path, "new", overwrite=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "b": "old"}


def test_replaced_files_leave_no_copy_behind(tmp_path):
    for text in ("old", "new"):
        write_two(tmp_path, text, overwrite=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "new"}


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.nii.gz", ".nii.gz"), ("a.b.NRRD", ".nrrd"), ("a", ""), (".nii", ""), ("a.v1.2.mha", ".mha"), ("a.gz", ".gz")],
)
def test_full_extension(name, extension):
    assert full_extension(name) == extension


def test_shown_is_one_short_printable_line():
    for name in ["a\nb", "\x1b[31m", "\udcff", "x" * 5000, "脑.nii"]:
        text = shown(name)
        assert text.isprintable()
        assert len(text) <= 210
        text.encode("utf-8")
    assert shown("脑.nii") == "脑.nii"
