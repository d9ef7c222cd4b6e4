"""The worker behind the panel, with a real process at the other end, and everything that can befall it."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / "Testing" / "library" / "stub_worker.py"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups")


@pytest.fixture
def qt(slicer_host, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "MRTranslate"))  # as Slicer does with the module's own folder
    import qt

    return qt


class Desk:
    """A WorkerProcess and everything it told, in order."""

    def __init__(self, qt, folder: Path, arguments=(str(STUB),), interpreter=sys.executable, **patience):
        from MRTranslateGui.WorkerProcess import Patience, WorkerProcess

        self.qt = qt
        self.worker = WorkerProcess(
            interpreter=lambda: str(interpreter),
            arguments=arguments,
            patience=Patience(**patience),
            temporaryParent=folder,
        )
        self.heard: list[tuple] = []
        self.states: list[str] = []
        self.worker.stateChanged.connect(lambda state: self.states.append(state.value))
        for name in ("progressed", "finished", "cancelled", "failed"):
            getattr(self.worker, name).connect(lambda *values, name=name: self.heard.append((name, *values)))

    def spin(self, until, seconds: float = 20.0):
        """Run the event loop until something is true."""
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, f"waited in vain; heard {self.heard}, log {list(self.worker.log)[-5:]}"
            self.qt.QCoreApplication.processEvents(self.qt.QEventLoop.AllEvents, 50)
            time.sleep(0.01)

    def spinFor(self, seconds: float):
        end = time.monotonic() + seconds
        self.spin(lambda: time.monotonic() > end)

    def submit(self, kind: str, folder: Path | None = None, **parameters) -> int:
        from MRTranslateGui.WorkerProcess import Job

        return self.worker.submit(Job(kind, parameters, folder))

    def waitForState(self, *values: str, seconds: float = 20.0):
        self.spin(lambda: self.worker.state.value in values, seconds)

    def run(self, kind: str, folder: Path | None = None, **parameters):
        """The last word on a job."""
        self.submit(kind, folder, **parameters)
        self.waitForState("idle", "failed")
        return self.heard[-1]

    def pid(self) -> int:
        return self.run("environment")[2]["pid"]


@pytest.fixture
def desk(qt, tmp_path):
    desks = []

    def make(**options) -> Desk:
        desks.append(Desk(qt, tmp_path, **options))
        return desks[-1]

    yield make
    for made in desks:
        made.worker.shutdown()


def isGone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def failureOf(heard: tuple):
    name, failure = heard
    assert name == "failed", heard
    return failure


def assertUsable(desk: Desk):
    """The next click works."""
    assert desk.run("steps", steps=1, seconds=0)[::2] == ("finished", {"steps": 1, "seconds": 0})


# --- the normal case ----------------------------------------------------------------------------------------------


def test_a_job_goes_through_its_states_and_returns_its_result(desk):
    here = desk()
    number = here.submit("steps", steps=2, seconds=0.05, text="grüße")
    here.waitForState("idle")
    assert here.states == ["starting", "running", "importing", "idle"]
    assert here.heard[-1] == ("finished", number, {"steps": 2, "seconds": 0.05, "text": "grüße"})
    assert [(heard[2].stage, heard[2].fraction) for heard in here.heard[:-1]] == [("early", 0.0), ("late", 0.5)]


def test_the_second_job_finds_the_same_warm_process(desk):
    here = desk()
    assert here.pid() == here.pid()


def test_the_worker_can_be_started_ahead(desk):
    here = desk()
    here.worker.start()
    assert here.worker.state.value == "starting"
    here.waitForState("idle")
    assert here.states == ["starting", "idle"]
    here.submit("steps", steps=1, seconds=0)
    assert here.states[-1] == "running"
    here.waitForState("idle")


def test_one_job_at_a_time(desk):
    here = desk()
    number = here.submit("steps", steps=1, seconds=0.1)
    with pytest.raises(RuntimeError, match=f"job {number} is under way"):
        here.submit("steps", steps=1, seconds=0)


def test_parameters_that_are_no_json_are_refused_and_leave_the_worker_free(desk):
    here = desk()
    with pytest.raises(TypeError):
        here.submit("steps", path=Path("scan.nii"))
    assertUsable(here)


def test_the_worker_finds_the_library_and_puts_its_files_into_the_private_folder(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["first", "second"]))
    found = desk().run("environment")[2]
    assert found["python_path"].split(os.pathsep) == [str(ROOT), "first", "second"]
    assert Path(found["temporary"]).parent == tmp_path


def test_slicers_own_python_is_taken_through_its_launcher(desk):
    import slicer

    from MRTranslateGui.WorkerEnvironment import pythonInterpreter

    assert Path(pythonInterpreter()).parent == Path(slicer.app.slicerHome, "bin")
    here = desk(interpreter=pythonInterpreter())
    pid = here.pid()
    here.worker.shutdown()
    here.spin(lambda: isGone(pid), 1)


# --- files --------------------------------------------------------------------------------------------------------


def test_the_files_of_a_job_live_until_its_result_was_taken_over(desk):
    here = desk()
    folder = here.worker.newFolder()
    (folder / "scan.nii").write_bytes(b"patient")
    if os.name == "posix":
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    seen = []
    here.worker.finished.connect(lambda *_: seen.append((here.worker.state.value, (folder / "scan.nii").exists())))
    here.run("steps", folder, steps=1, seconds=0)
    assert seen == [("importing", True)]
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["fail", "die"])
def test_the_files_of_a_failed_job_are_removed(desk, kind):
    here = desk()
    folder = here.worker.newFolder()
    here.run(kind, folder, error="InputError", text="bad", code=3)
    assert not folder.exists()


def test_shutdown_in_the_middle_of_a_job_leaves_neither_process_nor_files(desk, tmp_path):
    here = desk()
    pid = here.pid()
    folder = here.worker.newFolder()
    here.submit("write", folder, output=str(folder / "half.nii"))
    here.spin(lambda: here.heard[-1][0] == "progressed")
    began = time.monotonic()
    here.worker.shutdown()
    assert time.monotonic() - began < 1
    assert not psutil.pid_exists(pid)  # gone when the call returns, and reaped: Slicer may end next
    assert list(tmp_path.iterdir()) == []
    assertUsable(here)


def test_folders_that_a_crashed_slicer_left_are_removed_at_the_next_start(desk, tmp_path):
    from MRTranslateLib.worker.session import SESSION_PREFIX, SETTLED_SECONDS

    left = tmp_path / f"{SESSION_PREFIX}left"
    left.mkdir()
    (left / "scan.nii").write_bytes(b"patient")
    past = time.time() - SETTLED_SECONDS - 1
    os.utime(left, (past, past))
    here = desk()
    here.worker.newFolder()
    assert not left.exists()


def test_what_a_slot_raises_while_importing_leaves_the_worker_usable(desk, slicer_host):
    here = desk()
    folder = here.worker.newFolder()

    def fail(*_):
        here.worker.finished.disconnect(fail)
        raise ValueError("the scene is gone")

    here.worker.finished.connect(fail)
    here.run("steps", folder, steps=1, seconds=0)
    slicer_host.problems.expect("the scene is gone")
    assert not folder.exists()
    assertUsable(here)


# --- cancelling ---------------------------------------------------------------------------------------------------


def test_a_job_that_listens_is_cancelled_and_the_worker_stays_warm(desk, tmp_path):
    here = desk()
    pid = here.pid()
    number = here.submit("write", output=str(tmp_path / "half.nii"))
    here.spin(lambda: here.heard[-1][0] == "progressed")
    here.worker.cancel()
    assert here.worker.state.value == "cancelling"
    here.waitForState("idle", seconds=1)
    assert here.heard[-1] == ("cancelled", number)
    assert here.pid() == pid


@posix
@pytest.mark.parametrize("launched", [False, True], ids=["direct", "launcher"])
def test_a_job_that_does_not_listen_is_killed_with_its_offspring_within_a_second(desk, tmp_path, launched):
    from MRTranslateGui.WorkerEnvironment import pythonInterpreter

    here = desk(interpreter=pythonInterpreter() if launched else sys.executable)
    pid = here.pid()
    here.submit("offspring", file=str(tmp_path / "child"), away=False)
    here.spin(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    child = int((tmp_path / "child").read_text())
    began = time.monotonic()
    here.worker.cancel()
    here.waitForState("idle")
    assert time.monotonic() - began < 1
    assert here.heard[-1][0] == "cancelled"
    here.spin(lambda: isGone(pid) and isGone(child), 1)
    assertUsable(here)


@pytest.mark.parametrize(("own", "is_warm"), [(None, False), (5000, True)], ids=["as any job", "its own patience"])
def test_a_job_that_needs_a_second_to_stop_is_killed_unless_it_may_take_that_long(desk, own, is_warm):
    from MRTranslateGui.WorkerProcess import Job

    here = desk()
    pid = here.pid()
    number = here.worker.submit(Job("steps", {"steps": 9, "seconds": 1.0}, cancelMilliseconds=own))  # listens between
    here.spin(lambda: here.heard[-1][0] == "progressed")
    here.worker.cancel()
    here.waitForState("idle", seconds=4)
    assert here.heard[-1] == ("cancelled", number)
    assert (here.pid() == pid) == is_warm


def test_a_job_can_be_cancelled_while_the_worker_starts(desk):
    here = desk()
    number = here.submit("steps", steps=1, seconds=0)
    here.worker.cancel()
    assert here.states == ["starting", "idle"]
    assert here.heard == [("cancelled", number)]
    assertUsable(here)
    assert len(here.heard) == 2 or here.heard[1][0] == "progressed"  # nothing more from the first worker


def test_a_cancelled_job_that_ends_well_all_the_same_is_cancelled(desk):
    here = desk()
    here.pid()
    number = here.submit("steps", steps=1, seconds=0.2)
    here.spin(lambda: here.heard[-1][0] == "progressed")
    here.worker.cancel()
    here.waitForState("idle")
    assert here.heard[-1] == ("cancelled", number)


def test_twenty_starts_and_cancels_leave_no_process_and_no_files(desk, tmp_path):
    me = psutil.Process()
    before = {child.pid for child in me.children(recursive=True)}
    here = desk()
    for turn in range(20):
        here.submit("compute", here.worker.newFolder(), seconds=60)
        if turn % 2:
            here.waitForState("running")
        here.worker.cancel()
        here.waitForState("idle", seconds=2)
    here.worker.shutdown()
    here.spin(lambda: {child.pid for child in me.children(recursive=True)} <= before, 2)
    assert list(tmp_path.iterdir()) == []
    assert [heard for heard in here.heard if heard[0] == "failed"] == []


# --- what goes wrong ----------------------------------------------------------------------------------------------


def test_a_failed_job_says_why_in_the_librarys_words_and_the_worker_stays_warm(desk):
    here = desk()
    pid = here.pid()
    failure = failureOf(here.run("fail", error="InputError", text="scan.nii holds no image: export it again"))
    assert (failure.kind.value, failure.exitCode) == ("job", 3)
    assert failure.message == "scan.nii holds no image: export it again"
    assert here.worker.state.value == "failed"
    assert here.pid() == pid


def test_a_missing_interpreter_is_named(desk, tmp_path):
    here = desk(interpreter=tmp_path / "no" / "PythonSlicer")
    failure = failureOf(here.run("steps", steps=1, seconds=0))
    assert failure.kind.value == "not started"
    assert str(tmp_path / "no" / "PythonSlicer") in failure.message


def test_a_missing_package_is_named(desk):
    here = desk(arguments=("-c", "import no_such_package"))
    failure = failureOf(here.run("steps", steps=1, seconds=0))
    assert failure.kind.value == "missing package"
    assert "no_such_package" in failure.message


def test_a_worker_that_ends_before_it_is_ready_is_quoted(desk):
    here = desk(arguments=("-c", "import sys; sys.exit('the disk is on fire')"))
    failure = failureOf(here.run("steps", steps=1, seconds=0))
    assert failure.kind.value == "ended at start"
    assert failure.message.endswith("(code 1): the disk is on fire")


def test_a_worker_that_never_answers_is_given_up(desk):
    here = desk(arguments=("-c", "import time; time.sleep(60)"), startSeconds=2)
    failure = failureOf(here.run("steps", steps=1, seconds=0))
    assert failure.kind.value == "silent at start"


HELLO = (
    "import json, os, sys, time\n"
    "hello = dict(type='hello', protocol_version={protocol}, library_version='{library}', pid=os.getpid(),"
    " process_group=None)\n"
    "print(json.dumps(hello), flush=True)\n"
)


@pytest.mark.parametrize(("protocol", "library"), [(999, None), (None, "0.0.0")])
def test_a_worker_of_another_version_is_refused_with_both_versions(desk, protocol, library):
    import MRTranslateLib
    from MRTranslateLib.worker import PROTOCOL_VERSION

    found = library or MRTranslateLib.__version__, protocol or PROTOCOL_VERSION
    code = HELLO.format(library=found[0], protocol=found[1]) + "time.sleep(60)"
    failure = failureOf(desk(arguments=("-c", code)).run("steps", steps=1, seconds=0))
    assert failure.kind.value == "wrong version"
    assert f"{found[0]}/{found[1]}" in failure.message
    assert f"{MRTranslateLib.__version__}/{PROTOCOL_VERSION}" in failure.message


GARBAGE = [
    "print('Loading checkpoint shards', flush=True)",
    "sys.stdout.buffer.write(bytes(range(128, 256)) + b'\\n'); sys.stdout.flush()",
    "print('[1, 2]', flush=True)",
    'print(\'{"type": "finished"}\', flush=True)',
    'print(\'{"type": "progress", "job": 1, "stage": "x", "fraction": "many", "remaining_seconds": 0}\', flush=True)',
    'print(\'{"type": "dance"}\', flush=True)',
    "print(json.dumps(hello), flush=True)",
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_on_stdout_ends_the_job_and_is_quoted(desk, garbage):
    import MRTranslateLib
    from MRTranslateLib.worker import PROTOCOL_VERSION

    code = HELLO.format(library=MRTranslateLib.__version__, protocol=PROTOCOL_VERSION)
    here = desk(arguments=("-c", f"{code}sys.stdin.readline(); {garbage}; time.sleep(60)"))
    failure = failureOf(here.run("steps", steps=1, seconds=0))
    assert failure.kind.value == "garbled"
    assert here.worker.state.value == "failed"


@posix
@pytest.mark.parametrize(
    ("parameters", "kind", "words", "launched"),
    [
        ({"segfault": True}, "crashed", "SIGSEGV", False),
        ({"segfault": True}, "crashed", "SIGSEGV", True),
        ({"signal": "SIGABRT"}, "crashed", "SIGABRT", False),
        ({"signal": "SIGKILL"}, "out of memory", "memory ran out", False),
        ({"signal": "SIGKILL"}, "out of memory", "memory ran out", True),
        ({"signal": "SIGUSR1"}, "killed", "SIGUSR1", False),
        ({"code": 7}, "ended", "code 7", False),
    ],
)
def test_a_worker_that_dies_is_told_by_how_it_died(desk, parameters, kind, words, launched):
    from MRTranslateGui.WorkerEnvironment import pythonInterpreter

    here = desk(interpreter=pythonInterpreter() if launched else sys.executable)
    failure = failureOf(here.run("die", **parameters))
    assert failure.kind.value == kind
    assert words in failure.message
    assertUsable(here)


@posix
def test_behind_slicers_launcher_the_fault_is_read_from_the_log(qt):
    from MRTranslateGui.WorkerFailure import Ending, ended

    abnormal = "error: [/opt/Slicer/bin/./python-real] exit abnormally - Report the problem."
    fatal = "Fatal Python error: Segmentation fault"
    assert ended(Ending(1, False), 9500.0, [fatal, abnormal]).kind.value == "crashed"
    killed = ended(Ending(1, False), 9500.0, ["torch says hello", abnormal])
    assert killed.kind.value == "out of memory"
    assert "9.5 GB" in killed.message
    assert ended(Ending(1, False), 9500.0, [fatal]).kind.value == "ended"


@posix
def test_a_worker_that_hangs_is_noticed_by_its_silence_and_killed(desk):
    here = desk(silenceSeconds=3)
    pid = here.pid()
    failure = failureOf(here.run("die", signal="SIGSTOP"))
    assert failure.kind.value == "hung"
    here.spin(lambda: isGone(pid), 1)
    assertUsable(here)


def test_a_long_computation_is_no_hang(desk):
    here = desk(silenceSeconds=3)
    assert here.run("compute", seconds=4.5)[0] == "finished"


@posix
def test_an_idle_worker_that_dies_is_no_failure_and_is_replaced(desk):
    here = desk()
    pid = here.pid()
    os.kill(pid, signal.SIGKILL)
    here.spin(lambda: any("idle worker ended" in line for line in here.worker.log))
    assert here.worker.state.value == "idle"
    assert here.pid() != pid


# --- the panel stays quick ----------------------------------------------------------------------------------------


def test_the_log_is_bounded_and_a_flood_reaches_the_panel_as_a_trickle(desk):
    from MRTranslateGui.WorkerConnection import LOG_INTERVAL_MS, MAX_LOG_LINES_AT_ONCE
    from MRTranslateGui.WorkerProcess import MAX_LOG_LINES

    code = "import sys\nfor i in range(200000): print('line', i, file=sys.stderr)\nsys.exit(3)"
    here = desk(arguments=("-c", code))
    told = []
    here.worker.logged.connect(told.append)
    begun = time.monotonic()
    failureOf(here.run("steps", steps=1, seconds=0))
    intervals = 1000 * (time.monotonic() - begun) / LOG_INTERVAL_MS + 1  # one more: what is told at the end
    assert any("lines left out" in line for line in told)
    assert len(told) <= intervals * (MAX_LOG_LINES_AT_ONCE + 1)
    assert len(here.worker.log) <= MAX_LOG_LINES
    assert any("199999" in line for line in here.worker.log)


def test_what_a_worker_logged_just_before_it_is_given_up_is_not_lost(desk, monkeypatch):
    monkeypatch.setattr("MRTranslateGui.WorkerConnection.LOG_INTERVAL_MS", 60_000)
    code = (
        "import sys, time\nprint('why', file=sys.stderr, flush=True)\ntime.sleep(0.5)\nprint('?', flush=True)\ninput()"
    )
    here = desk(arguments=("-c", code))
    assert failureOf(here.run("steps", steps=1, seconds=0)).kind.value == "garbled"
    assert "why" in here.worker.log


def longestBlock(here: Desk, act) -> float:
    """Longest time in seconds in which ``act`` kept the event loop from turning; other programs' share left out."""
    from Testing.slicer_host.stalls import Stalls

    with Stalls() as stalls:
        here.spinFor(0.02)
        act()
        here.spinFor(0.02)
    return stalls.longest_s


def test_the_measure_of_blocking_sees_blocking(desk):
    assert longestBlock(desk(), lambda: time.sleep(0.15)) > 0.14


def test_the_event_loop_is_never_blocked_for_100_ms(desk):
    here = desk()
    folder = here.worker.newFolder()
    (folder / "scan.nii").write_bytes(bytes(20_000_000))

    def clickThrough():
        here.run("steps", folder, steps=20, seconds=0.01)  # start, import, removal of files
        here.submit("compute", seconds=60)
        here.spinFor(0.1)
        here.worker.cancel()  # and kill
        here.waitForState("idle")
        here.run("die", code=7)  # start again, and fail

    assert longestBlock(here, clickThrough) < 0.1
