"""A run over many cases in processes of their own, on this machine and on a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from MRTranslateLib import CancelledError, MRTranslateError, batch_run, read_volume, write_volume
from MRTranslateLib.batch.local_workers import LocalWorkers, threads_each
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.device import default_threads
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.progress import Progress
from MRTranslateLib.worker.client import WorkerClient, WorkerDiedError, WorkerMissingError

ROOT = Path(__file__).resolve().parents[2]
STUB = (sys.executable, str(ROOT / "Testing" / "library" / "stub_worker.py"))
posix = pytest.mark.skipif(os.name != "posix", reason="signals")


# --- one worker ---------------------------------------------------------------------------------------------------


@pytest.fixture
def client():
    made = []

    def start(command=STUB) -> WorkerClient:
        made.append(WorkerClient(command))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_a_job_gives_its_result_and_tells_its_progress(client):
    told = []
    progress = Progress(lambda stage, fraction: told.append((stage, fraction)))
    result = client().run("steps", {"steps": 2, "seconds": 0.01}, progress)
    assert msgspec.json.decode(result) == {"steps": 2, "seconds": 0.01}
    assert told == [("early", 0.0), ("late", 0.5)]


def test_the_same_process_does_the_next_job(client):
    worker = client()
    pids = [msgspec.json.decode(worker.run("environment", {}, Progress()))["pid"] for _ in range(2)]
    assert pids[0] == pids[1]


def test_a_failed_job_bears_its_sentence_and_class_and_the_worker_lives_on(client):
    worker = client()
    pid = msgspec.json.decode(worker.run("environment", {}, Progress()))["pid"]
    with pytest.raises(MRTranslateError, match="no such brain") as caught:
        worker.run("fail", {"error": "InputError", "text": "no such brain"}, Progress())
    assert caught.value.exit_code == 3
    assert msgspec.json.decode(worker.run("environment", {}, Progress()))["pid"] == pid


@posix
def test_a_worker_that_falls_silent_is_given_up(client, monkeypatch):
    monkeypatch.setattr("MRTranslateLib.worker.client.SILENCE_SECONDS", 2.0)
    worker = client()
    with pytest.raises(WorkerDiedError):
        worker.run("die", {"signal": "SIGSTOP"}, Progress())
    assert worker.run("steps", {"steps": 1, "seconds": 0}, Progress())


@posix
def test_cancelling_is_heard_while_a_worker_is_silent(client):
    worker, progress = client(), Progress()
    threading.Timer(0.5, progress.cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        worker.run("die", {"signal": "SIGSTOP"}, progress)
    assert time.monotonic() - began < 10


def test_a_program_that_keeps_the_worker_s_output_open_holds_nobody_up(client):
    child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])"
    worker = client((sys.executable, "-c", f"{child}; sys.exit(5)"))
    began = time.monotonic()
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr("MRTranslateLib.worker.client.START_SECONDS", 2.0)
        with pytest.raises(WorkerMissingError, match="exit code 5"):
            worker.run("steps", {}, Progress())
    assert time.monotonic() - began < 15


def test_a_replacement_that_cannot_start_now_costs_one_job_and_not_all(client, tmp_path):
    switch = tmp_path / "refuse"
    code = f"import os, runpy, sys; os.path.exists({str(switch)!r}) and sys.exit(9); sys.argv = [{STUB[1]!r}]; "
    worker = client((sys.executable, "-c", f"{code}runpy.run_path({STUB[1]!r}, run_name='__main__')"))
    with pytest.raises(WorkerDiedError):
        worker.run("die", {"code": 3}, Progress())
    switch.touch()
    with pytest.raises(WorkerDiedError, match="exit code 9"):
        worker.run("steps", {"steps": 1, "seconds": 0}, Progress())
    switch.unlink()
    assert worker.run("steps", {"steps": 1, "seconds": 0}, Progress())


@posix
def test_a_worker_that_dies_says_how_and_is_replaced(client):
    worker = client()
    with pytest.raises(WorkerDiedError, match=r"signal 9"):
        worker.run("die", {"signal": "SIGKILL"}, Progress())
    assert worker.run("steps", {"steps": 1, "seconds": 0}, Progress())


def test_the_last_words_of_a_worker_are_told(client):
    code = "import sys; print('no such module', file=sys.stderr); sys.exit(5)"
    with pytest.raises(WorkerMissingError, match=r"did not start \(exit code 5; its last words: no such module\)"):
        client((sys.executable, "-c", code)).run("steps", {}, Progress())


def test_a_program_that_is_not_there_is_named(client):
    with pytest.raises(WorkerMissingError, match=r"cannot start no-such-program"):
        client(("no-such-program",)).run("steps", {}, Progress())


def test_a_worker_of_another_version_is_not_used(client):
    code = 'print(\'{"type":"hello","protocol_version":0,"library_version":"9","pid":1,"process_group":null}\')'
    with pytest.raises(WorkerMissingError, match=r"runs another MRTranslate \(9\)"):
        client((sys.executable, "-c", code)).run("steps", {}, Progress())


def test_cancelling_ends_a_long_job_within_seconds_and_the_process_with_it(client):
    worker, progress = client(), Progress()
    pid = msgspec.json.decode(worker.run("environment", {}, Progress()))["pid"]
    threading.Timer(0.2, progress.cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        worker.run("compute", {"seconds": 60}, progress)
    assert time.monotonic() - began < 10
    assert not psutil.pid_exists(pid)


def test_closing_from_another_thread_ends_a_long_job(client):
    worker = client()
    worker.run("steps", {"steps": 1, "seconds": 0}, Progress())  # it has started
    threading.Timer(0.5, worker.close).start()
    with pytest.raises(CancelledError):
        worker.run("compute", {"seconds": 60}, Progress())


# --- several ------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, coarse_bundle, monkeypatch):
    """Run a batch of these cases on stub workers, which do what a case's name says."""
    monkeypatch.setattr("MRTranslateLib.batch.run.LocalWorkers", lambda number: LocalWorkers(number, command=STUB))
    (tmp_path / "scan.nii").write_bytes(b"")

    def call(*case_ids: str, **options):
        cases = tmp_path / "cases.csv"
        cases.write_text("case,T1w\n" + "".join(f"{name},scan.nii\n" for name in case_ids))
        return batch_run(
            cases, tmp_path / "out", sources=["T1w"], target="FLAIR", model=coarse_bundle.folder, **options
        )

    return call


def states(result) -> dict[str, str]:
    return {row.case_id: row.state for row in result.rows}


@posix
def test_a_case_that_takes_its_process_down_costs_no_other(run):
    result = run("one", "two-dies", "three", "four-fails", "five")
    assert states(result) == {
        "one": "done",
        "two-dies": "failed",
        "three": "done",
        "four-fails": "failed",
        "five": "done",
    }
    assert "the process that worked on it ended (signal 9" in result.rows[1].reason
    assert result.rows[3].reason == "this case is no good"
    assert result.rows[3].failure.exit_code == 3


@posix
def test_a_case_that_took_its_process_down_is_not_begun_again_unasked(run):
    run("two-dies")
    (row,) = run("two-dies").rows
    assert (row.state, row.is_new) == ("failed", False)


def test_the_process_of_a_worker_is_used_for_many_cases(run):
    pids = {row.outcome.warnings for row in run(*"abcdef").rows}
    assert len(pids) == 1


def test_several_workers_share_the_cases(run, tmp_path):
    result = run(*"abcdef", workers=3)
    assert set(states(result).values()) == {"done"}
    assert 2 <= len({row.outcome.warnings for row in result.rows}) <= 3


def test_rows_are_in_the_order_of_the_list_whoever_ends_first(run):
    assert list(states(run(*"fbdace", workers=3))) == [*"fbdace"]


def test_cancelling_ends_all_workers_and_keeps_what_is_finished(run, tmp_path):
    progress = Progress()
    begun = time.monotonic()
    with pytest.raises(CancelledError):
        run("a", "b-waits", "c-waits", workers=2, progress=progress, on_case=lambda row: progress.cancelled.set())
    assert time.monotonic() - begun < 20
    assert not [child for child in psutil.Process().children() if "stub_worker" in " ".join(child.cmdline())]
    rows = (tmp_path / "out" / "cases.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["a", "done"], ["b-waits", "pending"], ["c-waits", "pending"]]


def test_workers_are_told_their_share_of_the_threads(run, monkeypatch):
    monkeypatch.setattr("MRTranslateLib.batch.local_workers.default_threads", lambda: 8)
    assert [run("a", workers=2).rows[0].outcome.warnings[1], run("b", workers=1).rows[0].outcome.warnings[1]] == [
        "threads 4",
        "threads None",
    ]


def test_workers_together_take_no_more_threads_than_one_alone():
    assert threads_each(1) == default_threads()
    assert all(1 <= number * threads_each(number) <= max(default_threads(), number) for number in range(1, 9))


# --- for real -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(coarse_unet) -> Path:
    return coarse_unet.folder


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    for seed, name in enumerate("ab"):
        write_volume(
            folder / f"{name}_T1w.nii.gz", make_phantom(seed, grid=brain_grid((4, 4, 4))).volumes[Contrast.T1W]
        )
    return folder


@pytest.fixture(scope="module")
def expected(scans, model, tmp_path_factory):
    """What an undisturbed run in this process makes, by case."""
    folder = tmp_path_factory.mktemp("expected")
    batch_run(scans, folder, sources=["T1w"], target="FLAIR", model=model, workers=0, threads=1)
    return {name: read_volume(folder / name / f"{name}_desc-synthetic_FLAIR.nii.gz").array for name in "ab"}


def assert_same(folder: Path, expected):
    for name, array in expected.items():
        made = read_volume(folder / name / f"{name}_desc-synthetic_FLAIR.nii.gz").array
        assert (made == array).all()


def command(scans: Path, output: Path, model: Path) -> list[str]:
    words = ["-m", "MRTranslateLib", "batch", scans, output, "--sources", "T1w", "--target", "FLAIR", "--model", model]
    return [sys.executable, *map(str, words), "--threads", "1"]


def test_results_are_the_same_in_a_process_of_their_own(scans, model, expected, tmp_path):
    batch_run(scans, tmp_path, sources=["T1w"], target="FLAIR", model=model, workers=2, threads=1)
    assert_same(tmp_path, expected)


@posix
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "Ctrl-C"])
def test_a_run_that_was_ended_goes_on_to_the_same_results(scans, model, expected, tmp_path, how):
    process = subprocess.Popen(
        command(scans, tmp_path, model), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*/*.nii.gz")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command goes on from there" in errors
    assert workers
    assert not psutil.wait_procs(workers, timeout=10)[1]
    again = subprocess.run(command(scans, tmp_path, model), cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 of 2 cases have a result" in again.stdout
    assert_same(tmp_path, expected)
    assert not [path for path in tmp_path.rglob(".mrtranslate-*") if path.name != ".mrtranslate-batch-lock"]


def test_the_panel_s_worker_runs_a_batch_and_answers_with_its_table(scans, model, expected, tmp_path, client):
    told = []
    worker = client((sys.executable, "-m", "MRTranslateLib", "worker"))
    parameters = {"cases": str(scans), "output": str(tmp_path), "sources": ["T1w"], "target": "FLAIR"}
    answer = worker.run(
        "batch", parameters | {"model": str(model), "threads": 1}, Progress(lambda stage, _done: told.append(stage))
    )
    outcome = msgspec.json.decode(answer)
    assert [row[:2] for row in outcome["rows"]] == [["a", "done"], ["b", "done"]]
    assert Path(outcome["table"]) == tmp_path / "cases.csv"
    assert {"a: translate", "b: write", "2/2"} <= {*told}
    assert_same(tmp_path, expected)


# --- a cluster ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scheduler():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_makes_the_same_results(scans, model, expected, tmp_path, scheduler):
    result = batch_run(scans, tmp_path, sources=["T1w"], target="FLAIR", model=model, threads=1, scheduler=scheduler)
    assert states(result) == dict.fromkeys("ab", "done")
    assert_same(tmp_path, expected)


def test_a_failure_on_a_cluster_comes_back_with_its_reason(scans, model, tmp_path, scheduler):
    (tmp_path / "cases.csv").write_text("case,T1w\na,nowhere.nii\n")
    (row,) = batch_run(
        tmp_path / "cases.csv", tmp_path / "out", sources=["T1w"], target="FLAIR", model=model, scheduler=scheduler
    ).rows
    assert row.state == "failed"
    assert "nowhere.nii" in row.reason


def test_a_scheduler_that_does_not_answer_is_named(scans, model, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("MRTranslateLib.batch.cluster.CONNECT_SECONDS", 0.5)
    with pytest.raises(MRTranslateError, match=r"the scheduler at tcp://127\.0\.0\.1:9 does not answer"):
        batch_run(scans, tmp_path, sources=["T1w"], target="FLAIR", model=model, scheduler="tcp://127.0.0.1:9")
