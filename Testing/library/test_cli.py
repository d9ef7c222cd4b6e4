"""The command line as a user meets it: exit codes, one sentence, nothing left behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from MRTranslateLib.cli.main import main
from MRTranslateLib.io import write_volume
from MRTranslateLib.phantoms import brain_grid, make_phantom

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """T1w, T2w and FLAIR of a small phantom."""
    folder = tmp_path_factory.mktemp("scans")
    phantom = make_phantom(2, grid=brain_grid((3, 3, 3)))
    for contrast, volume in phantom.volumes.items():
        write_volume(folder / f"{contrast}.nii.gz", volume)
    return folder


@pytest.fixture
def translate(files, tmp_path, copy_generator, copy_bundle, capsys):
    """Run ``translate`` in this process; returns exit code, stdout, stderr."""

    def call(*arguments, sources=("T1w",), target="FLAIR", output=tmp_path / "out.nii.gz"):
        given = [word for name in sources for word in ("--source", f"{name}={files / name}.nii.gz")]
        code = main(
            [
                "translate",
                *given,
                "--target",
                target,
                "--output",
                str(output),
                "--model",
                str(copy_bundle.folder),
                *arguments,
            ]
        )
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_translation_ends_with_zero_and_says_where_and_that_it_is_synthetic(translate, tmp_path):
    code, out, _ = translate()
    assert code == 0
    assert "SYNTHETIC FLAIR written to" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.nii.gz"]


def test_json_progress_is_one_object_a_line_ending_with_the_result(translate, tmp_path):
    code, out, _ = translate("--progress", "json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {event["event"] for event in events} >= {"progress", "result"}
    assert events[-1]["output"] == str(tmp_path / "out.nii.gz")


def test_json_errors_are_events_too(translate):
    code, out, err = translate("--progress", "json", target="T1w")
    assert code == 2
    assert json.loads(out.splitlines()[-1])["exit_code"] == 2
    assert "T1w is both source and target" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--source", "T9w=x.nii.gz"], 2, "unknown contrast 'T9w'"),
        (["--source", "T2w"], 2, "is not CONTRAST=FILE"),
        (["--source", "T1w=other.nii.gz"], 2, "given twice"),
        (["--source", "T2w=nowhere.nii.gz"], 3, "nowhere.nii.gz"),
        (["--model", "no-such-model"], 4, "there is no model no-such-model"),
        (["--device", "cuda:99"], 2, "CUDA devices"),
        (["--device", "gpu"], 2, "unknown device"),
        (["--threads", "0"], 2, "0 threads"),
        (["--brain-mask", "nowhere.nii"], 3, "nowhere.nii"),
        (["--target", "PDw"], 4, "PDw"),
        (["--output", "out.xyz"], 2, "out.xyz"),
        (["--output", "no/such/folder/out.nii.gz"], 2, "no/such/folder"),
        (["--report", "page.txt"], 2, "ends in .html or .json"),
        (["--report", "no/such/folder/page.html"], 2, "no/such/folder"),
    ],
)
def test_each_mistake_has_its_exit_code_and_one_sentence(translate, arguments, code, words):
    got, _, err = translate(*arguments)
    assert got == code
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_an_option_that_does_not_exist_is_wrong_usage(translate):
    with pytest.raises(SystemExit) as stop:
        translate("--no-such-option")
    assert stop.value.code == 2


def test_an_unexpected_defect_is_one_sentence_that_asks_for_a_report(translate, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("MRTranslateLib.inference.load.load_generator", broken)
    code, _, err = translate()
    assert code == 1
    assert "ZeroDivisionError" in err
    assert "Traceback" not in err


def test_rerun_finds_the_same_result(translate, tmp_path, monkeypatch, copy_bundle, capsys):
    # rerun looks a model up by name: the copying model is installed for this test
    monkeypatch.setenv("MRTRANSLATE_MODELS", str(copy_bundle.folder.parent))
    translate(sources=("T1w", "T2w"))
    assert main(["rerun", str(tmp_path / "out.json")]) == 0
    assert "identical" in capsys.readouterr().out


def test_rerun_notices_a_source_that_has_changed(translate, files, tmp_path, monkeypatch, copy_bundle, capsys):
    monkeypatch.setenv("MRTRANSLATE_MODELS", str(copy_bundle.folder.parent))
    source = tmp_path / "mine.nii.gz"
    source.write_bytes((files / "T2w.nii.gz").read_bytes())
    translate("--source", f"T2w={source}")
    source.write_bytes((files / "PDw.nii.gz").read_bytes())
    assert main(["rerun", str(tmp_path / "out.json")]) == 3
    assert "has changed since the run" in capsys.readouterr().err


def test_rerun_says_when_the_result_differs(translate, tmp_path, monkeypatch, copy_generator, copy_bundle, capsys):
    monkeypatch.setenv("MRTRANSLATE_MODELS", str(copy_bundle.folder.parent))
    translate()
    copy_generator.weight.data *= 0.9
    assert main(["rerun", str(tmp_path / "out.json")]) == 1
    assert "different" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 1}', "not json"])
def test_a_file_that_is_no_sidecar_is_refused(tmp_path, text, capsys):
    (tmp_path / "x.json").write_text(text)
    assert main(["rerun", str(tmp_path / "x.json")]) == 3
    assert "is no sidecar" in capsys.readouterr().err


SLOW_COPY = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits that it is ignored
sys.path.insert(0, {root!r})
from Testing.library.conftest import CopyGenerator
import MRTranslateLib.inference.load as load
class Slow(CopyGenerator):
    def train_pred(self, slices, code):
        print("slice", flush=True)
        time.sleep(0.02)
        return super().train_pred(slices, code)
load.load_generator = lambda bundle: Slow()
from MRTranslateLib.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def slow_process(files, tmp_path, copy_bundle):
    """A real process that translates slowly into ``tmp_path / "results"``."""
    (tmp_path / "results").mkdir()

    def start():
        arguments = ["translate", "--source", f"T1w={files}/T1w.nii.gz", "--target", "FLAIR"]
        arguments += ["--output", str(tmp_path / "results" / "out.nii.gz"), "--model", str(copy_bundle.folder)]
        return subprocess.Popen(
            [sys.executable, "-c", SLOW_COPY.format(root=str(ROOT)), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    return start


INTERRUPTED_IMPORT = """
import builtins, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {root!r})
real = builtins.__import__
def late(name, *rest):
    if name == "msgspec":  # the first of the packages that take long
        signal.raise_signal(signal.SIGINT)
    return real(name, *rest)
builtins.__import__ = late
from MRTranslateLib.cli.main import main
sys.exit(main(["models", "list"]))
"""


def test_ctrl_c_while_the_program_is_still_starting_is_no_traceback():
    command = [sys.executable, "-c", INTERRUPTED_IMPORT.format(root=str(ROOT))]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert process.returncode == 130
    assert process.stderr == "mrtranslate: cancelled; nothing was written\n"


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_polite_stop_end_with_130_and_leave_nothing(slow_process, tmp_path, signal_number):
    process = slow_process()
    assert process.stdout.readline() == "slice\n"
    process.send_signal(signal_number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.strip() == "mrtranslate: cancelled; nothing was written"
    assert list((tmp_path / "results").iterdir()) == []


KILLED_AT_A_FILE_OPERATION = """
import os, signal, sys
sys.path.insert(0, {root!r})
from Testing.library.conftest import CopyGenerator
import MRTranslateLib.inference.load as load
load.load_generator = lambda bundle: CopyGenerator()
left = int(sys.argv.pop(1))
def deadly(operation):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return operation(*arguments, **options)
    return call
os.replace, os.fsync = deadly(os.replace), deadly(os.fsync)
from MRTranslateLib.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_sigkill_at_any_file_operation_leaves_no_partial_result_and_the_next_run_works(files, tmp_path, coarse_bundle):
    script = KILLED_AT_A_FILE_OPERATION.format(root=str(ROOT))
    arguments = ["translate", "--source", f"T1w={files}/T1w.nii.gz", "--target", "FLAIR"]
    arguments += ["--output", str(tmp_path / "out.nii.gz"), "--model", str(coarse_bundle.folder)]
    for survived in range(20):
        command = [sys.executable, "-c", script, str(survived), *arguments]
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        visible = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))
        if process.returncode == 0:
            assert visible == ["out.json", "out.nii.gz"]
            break
        assert process.returncode == -signal.SIGKILL, process.stderr
        # Every run before this one was killed too, and did not stand in the way of this one.
        assert "out.nii.gz" not in visible or visible == ["out.json", "out.nii.gz"]
        for path in tmp_path.glob("out.nii.gz"):
            path.unlink()
    else:
        pytest.fail("no run came to its end")
    assert survived >= 4  # image and sidecar are synced and renamed, each
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []
