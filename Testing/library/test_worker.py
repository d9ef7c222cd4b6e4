"""The worker as its client sees it: a real process, real pipes."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import msgspec
import psutil
import pytest

import MRTranslateLib
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import write_volume
from MRTranslateLib.metrics.files import evaluate_files
from MRTranslateLib.models.bundle import Bundle, load_tensors, write_bundle
from MRTranslateLib.networks.local_discriminator import build_local_discriminator
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.worker import PROTOCOL_VERSION
from MRTranslateLib.worker.session import SESSION_PREFIX, SessionFolder
from Testing.library.model_examples import example_components, zip_example

ROOT = Path(__file__).resolve().parents[2]
STUB = Path(__file__).with_name("stub_worker.py")
PATIENCE_SECONDS = 20
posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups")


class Client:
    """Speaks to a worker; every message that comes is kept with its time."""

    def __init__(self, *arguments: str | Path, command: tuple[str, ...] = (str(STUB),)):
        self.process = subprocess.Popen(
            [sys.executable, *command, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.log = b""
        self.heartbeats: list[tuple[float, dict]] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)  # a line that is no message ends this thread and fails the test by its silence
            if message["type"] == "heartbeat":
                self.heartbeats.append((time.monotonic(), message))
            else:
                self.lines.put(message)

    def _read_log(self):
        for line in self.process.stderr:
            self.log += line

    def say(self, line: bytes | dict):
        data = line if isinstance(line, bytes) else json.dumps(line).encode()
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def submit(self, job: int, kind: str, **parameters):
        self.say({"type": "submit", "job": job, "kind": kind, "parameters": parameters})

    def next(self, *types: str) -> dict:
        """The next message, or the next of these types."""
        while True:
            message = self.lines.get(timeout=PATIENCE_SECONDS)
            if not types or message["type"] in types:
                return message

    def end(self, job: int) -> dict:
        """How a job ended."""
        while (message := self.next("finished", "failed"))["job"] != job:
            pass
        return message

    def seconds_to_exit(self, patience: float = 10.0) -> float:
        began = time.monotonic()
        self.process.wait(patience)
        return time.monotonic() - began

    def close(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()


@pytest.fixture
def start():
    clients = []

    def start(*arguments, **options) -> Client:
        clients.append(Client(*arguments, **options))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def worker():
    """One worker for all tests that leave it alive: that it stays usable is part of each."""
    client = Client()
    client.next("hello")
    yield client
    client.close()


numbers = iter(range(1, 10_000))


def wait_until(condition, seconds: float = 5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# --- talking ------------------------------------------------------------------------------------------------------


def test_the_command_line_worker_greets_with_its_versions_and_process(start):
    client = start(command=("-m", "MRTranslateLib", "worker"))
    hello = client.next()
    assert hello == {
        "type": "hello",
        "protocol_version": PROTOCOL_VERSION,
        "library_version": MRTranslateLib.__version__,
        "pid": client.process.pid,
        "process_group": client.process.pid if os.name == "posix" else None,
    }


def test_it_greets_without_having_loaded_torch_or_simpleitk():
    code = (
        "import sys; from MRTranslateLib.worker import serve\n"
        "assert not {'torch', 'SimpleITK'} & set(sys.modules), 'slow to start'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_slicer_can_import_protocol_number_and_session_folder_before_any_package_is_installed():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('msgspec', 'psutil', 'numpy', 'tqdm')))\n"
        "from MRTranslateLib.worker import PROTOCOL_VERSION; from MRTranslateLib.worker.session import SessionFolder"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_job_returns_its_result_and_its_time(worker):
    job = next(numbers)
    worker.submit(job, "steps", steps=3, seconds=0.02, text="grüße")
    answer = worker.end(job)
    assert answer["result"] == {"steps": 3, "seconds": 0.02, "text": "grüße"}
    assert 0.06 <= answer["seconds"] < 2


def test_progress_names_stage_fraction_and_later_the_remaining_time(worker):
    job = next(numbers)
    worker.submit(job, "steps", steps=8, seconds=0.2)
    reports = []
    while (message := worker.next())["type"] == "progress":
        reports.append(message)
    assert [report["fraction"] for report in reports] == [step / 8 for step in range(8)]
    assert {report["stage"] for report in reports} == {"early", "late"}
    assert reports[0]["remaining_seconds"] is None
    assert reports[-1]["remaining_seconds"] == pytest.approx(0.2, abs=0.15)


def test_progress_is_not_told_more_often_than_ten_times_a_second(worker):
    job = next(numbers)
    worker.submit(job, "steps", steps=500, seconds=0.001)
    count = 0
    while worker.next()["type"] == "progress":
        count += 1
    assert 2 <= count <= 12  # of 500; "early" and "late" begin at once


def test_jobs_run_in_the_order_they_come(worker):
    jobs = [next(numbers) for _ in range(3)]
    for job in jobs:
        worker.submit(job, "steps", steps=1, seconds=0.01)
    assert [worker.next("finished")["job"] for _ in jobs] == jobs


def test_what_anybody_prints_goes_to_the_log_and_not_between_the_messages(worker):
    job = next(numbers)
    worker.submit(job, "chatter")
    assert worker.end(job)["result"] == ""  # input() and the like see the end of file, not our lines
    wait_until(lambda: b"echoed by a child" in worker.log)
    for text in (b"printed", b"written", b"put by C"):
        assert text in worker.log


# --- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        ("MRTranslateError", 1, "the disk is full"),
        ("UsageError", 2, "the disk is full"),
        ("InputError", 3, "the disk is full"),
        ("ModelError", 4, "the disk is full"),
        ("CancelledError", 130, "the disk is full"),
        ("MemoryError", 1, "memory ran out; close other programs or give smaller volumes"),
        ("SystemExit", 1, "unexpected SystemExit: the disk is full; this is a defect, please report it"),
        ("KeyError", 1, "unexpected KeyError: 'the disk is full'; this is a defect, please report it"),
    ],
)
def test_a_failed_job_is_one_sentence_with_its_exit_code_and_no_traceback(worker, error, exit_code, message):
    job, log = next(numbers), len(worker.log)
    worker.submit(job, "fail", error=error, text="the disk is full")
    answer = worker.end(job)
    assert (answer["type"], answer["exit_code"]) == ("failed", exit_code)
    assert answer["message"].startswith(message)
    assert b"Traceback" not in worker.log[log:]


def test_an_allocation_that_torch_could_not_make_is_told_as_memory(worker):
    job = next(numbers)
    worker.submit(
        job, "fail", error="RuntimeError", text="[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: ..."
    )
    assert worker.end(job)["message"].startswith("memory ran out")


def test_debug_writes_the_traceback_to_the_log(start):
    client = start("--debug")
    client.submit(1, "fail", error="InputError", text="bad scan")
    assert client.end(1)["message"] == "bad scan"
    wait_until(lambda: b"Traceback" in client.log)


@pytest.mark.parametrize(
    "line", [b"hello?", b"\xff\xfe\x00", b"[]", b'{"type":"submit"}', b'{"type":"dance","job":1}', b"{" * 5000]
)
def test_a_line_that_is_no_request_is_answered_and_survived(worker, line):
    worker.say(line)
    answer = worker.next("failed")
    assert (answer["job"], answer["exit_code"]) == (None, 2)
    assert "one message a line" in answer["message"]


def test_an_unknown_kind_of_job_is_refused_with_those_known(worker):
    job = next(numbers)
    worker.submit(job, "cook")
    answer = worker.end(job)
    assert answer["exit_code"] == 2
    assert "'cook'" in answer["message"]
    assert "translate, evaluate, robustness, models, describe" in answer["message"]


@pytest.mark.parametrize("parameters", [{}, {"sources": {}, "target": "T2w", "output": "o.nii", "colour": "red"}])
def test_missing_and_unknown_parameters_are_refused(worker, parameters):
    job = next(numbers)
    worker.submit(job, "translate", **parameters)
    answer = worker.end(job)
    assert answer["exit_code"] == 2
    assert answer["message"].startswith("job translate does not take these parameters")


def test_a_missing_source_fails_as_refused_input(worker, tmp_path):
    job = next(numbers)
    worker.submit(job, "translate", sources={"T1w": "none.nii"}, target="T2w", output=str(tmp_path / "o.nii"))
    answer = worker.end(job)
    assert answer["exit_code"] == 3
    assert "none.nii" in answer["message"]


# --- cancelling ---------------------------------------------------------------------------------------------------


def test_a_cancelled_job_stops_at_its_next_step(worker, tmp_path):
    job = next(numbers)
    worker.submit(job, "write", output=str(tmp_path / "half.nii"))
    worker.next("progress")
    began = time.monotonic()
    worker.say({"type": "cancel", "job": job})
    answer = worker.end(job)
    assert time.monotonic() - began < 0.5
    assert answer["exit_code"] == 130
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_waits_can_be_cancelled_before_it_begins(worker):
    first, second = next(numbers), next(numbers)
    worker.submit(first, "steps", steps=4, seconds=0.1)
    worker.submit(second, "environment")  # takes no step at which it could stop
    worker.say({"type": "cancel", "job": second})
    assert worker.end(first)["type"] == "finished"
    assert worker.end(second)["exit_code"] == 130


def test_cancelling_a_job_that_is_over_does_nothing(worker):
    job = next(numbers)
    worker.submit(job, "steps", steps=1, seconds=0)
    worker.end(job)
    worker.say({"type": "cancel", "job": job})
    after = next(numbers)
    worker.submit(after, "steps", steps=1, seconds=0)
    assert worker.next("finished", "failed") | {"seconds": 0} == {
        "type": "finished", "job": after, "result": {"steps": 1, "seconds": 0}, "seconds": 0,
    }  # fmt: skip


# --- signs of life ------------------------------------------------------------------------------------------------


def test_heartbeats_come_every_second_with_the_phase_while_c_code_computes(worker):
    worker.heartbeats.clear()
    job = next(numbers)
    worker.submit(job, "compute", seconds=2.3)
    worker.end(job)
    beats = [(at, beat) for at, beat in worker.heartbeats if beat["job"] == job]
    assert len(beats) >= 2
    assert {beat["phase"] for _, beat in beats} == {"compute"}
    assert max(later[0] - earlier[0] for earlier, later in pairwise(beats)) < 1.8
    assert all(beat["memory_mb"] > 10 for _, beat in beats)


def test_an_idle_worker_says_so(worker):
    worker.heartbeats.clear()
    wait_until(lambda: worker.heartbeats)
    assert worker.heartbeats[0][1]["phase"] == "idle"
    assert worker.heartbeats[0][1]["job"] is None


# --- the end ------------------------------------------------------------------------------------------------------


def test_an_idle_worker_ends_when_its_stdin_closes(start):
    client = start()
    client.next("hello")
    client.process.stdin.close()
    assert client.seconds_to_exit() < 1
    assert client.process.returncode == 0


@pytest.mark.parametrize("kind", ["steps", "compute"])
def test_stdin_closing_ends_the_worker_within_a_second_in_the_middle_of_a_job(start, kind):
    client = start()
    client.submit(1, kind, steps=1, seconds=60)
    client.next("progress")
    client.process.stdin.close()
    assert client.seconds_to_exit() < 1


@posix
@pytest.mark.parametrize("away", [False, True], ids=["same session", "own session"])
def test_what_a_job_started_ends_with_the_worker(start, tmp_path, away):
    client = start()
    client.submit(1, "offspring", file=str(tmp_path / "pid"), away=away)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    client.process.stdin.close()
    client.seconds_to_exit()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 1)


PARENT = """
import json, subprocess, sys, time
worker = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
submit = {"type": "submit", "job": 1, "kind": "compute", "parameters": {"seconds": 60}}
worker.stdin.write(json.dumps(submit).encode() + b"\\n"); worker.stdin.flush()
worker.stdout.readline(); worker.stdout.readline()
print(worker.pid, flush=True)
pipes = [worker.stdin.fileno(), worker.stdout.fileno()]
holder = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(8)"], pass_fds=pipes)
print(holder.pid, flush=True)
time.sleep(60)
"""


@posix
def test_the_worker_notices_a_dead_parent_although_a_third_process_holds_the_pipes():
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(STUB)], stdout=subprocess.PIPE, cwd=ROOT)
    with parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        holder = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        with contextlib.suppress(psutil.NoSuchProcess):  # reaped by whoever took the orphan in
            worker.wait(3)
        holder.kill()


def test_the_session_folder_goes_with_a_dead_owner(start, tmp_path):
    session = SessionFolder(tmp_path)
    client = start("--session-folder", session.path)
    client.submit(1, "write", output=str(session.new_job_folder() / "half.nii"))
    client.next("progress")
    session._lock.close()  # what the system does when the owner dies
    client.process.stdin.close()
    client.seconds_to_exit()
    assert list(tmp_path.iterdir()) == []


def test_the_session_folder_stays_while_its_owner_lives(start, tmp_path):
    session = SessionFolder(tmp_path)
    client = start("--session-folder", session.path)
    client.next("hello")
    client.process.stdin.close()
    assert client.seconds_to_exit() < 1
    assert session.path.is_dir()
    session.remove()


def test_a_folder_that_is_no_session_folder_is_refused_untouched(tmp_path):
    command = [sys.executable, "-m", "MRTranslateLib", "worker", "--session-folder", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert f"{tmp_path} is no session folder" in run.stderr
    assert tmp_path.is_dir()


@posix
def test_sigkill_in_the_middle_of_writing_leaves_files_in_the_clients_folder_only(start, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    session = SessionFolder(tmp_path)
    client = start("--session-folder", session.path)
    output = session.new_job_folder() / "half.nii"
    client.submit(1, "write", output=str(output))
    client.next("progress")
    client.process.send_signal(signal.SIGKILL)
    client.seconds_to_exit()
    assert not output.exists()
    assert list(elsewhere.iterdir()) == []
    session.remove()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(SESSION_PREFIX)] == []


# --- the real kinds -----------------------------------------------------------------------------------------------


def test_models_are_listed_and_verified_and_a_foreign_one_not_removed(worker):
    listed, verified, removed = next(numbers), next(numbers), next(numbers)
    worker.submit(listed, "models", action="list")
    worker.submit(verified, "models", action="verify")
    worker.submit(removed, "models", action="remove", name="nobody's")
    models = worker.end(listed)["result"]
    assert [model["name"] for model in models if model["default"]]
    assert all(model["problem"] is None for model in worker.end(verified)["result"])
    assert worker.end(removed)["exit_code"] == 4


def test_a_model_is_installed_and_removed(start, tmp_path, monkeypatch):
    monkeypatch.setenv("MRTRANSLATE_MODELS", str(tmp_path / "models"))
    client = start()
    client.submit(1, "models", action="install", source=str(zip_example(tmp_path)))
    assert client.end(1)["result"] == {"name": "tiny", "version": "1.0.0", "problem": None}
    assert (tmp_path / "models" / "tiny" / "model.json").exists()
    client.submit(2, "models", action="remove", name="tiny")
    assert client.end(2)["result"] is None
    assert not (tmp_path / "models" / "tiny").exists()


def test_the_description_names_the_cpu_with_its_memory_and_every_package(worker):
    job = next(numbers)
    worker.submit(job, "describe")
    described = worker.end(job)["result"]
    cpu = described["devices"][0]
    assert cpu["name"] == "cpu"
    assert cpu["memory_gb"] == pytest.approx(psutil.virtual_memory().total / 1e9, abs=0.1)
    assert 0 < cpu["free_memory_gb"] <= cpu["memory_gb"]
    assert described["packages"]["torch"]
    assert described["default_threads"] >= 1


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> dict[str, Path]:
    """T1w and T2w of a phantom at 3 mm, as uncompressed files."""
    folder = tmp_path_factory.mktemp("phantom")
    made = make_phantom(3, grid=brain_grid((3, 3, 3)), contrasts=[Contrast.T1W, Contrast.T2W])
    for contrast, volume in made.volumes.items():
        write_volume(folder / f"{contrast}.nii", volume)
    return {contrast: folder / f"{contrast}.nii" for contrast in made.volumes}


def test_a_translation_is_what_the_library_makes_from_the_same_files(worker, phantom, coarse_unet, tmp_path):
    request = {"sources": {"T1w": str(phantom["T1w"])}, "target": "T2w", "model": str(coarse_unet.folder), "threads": 1}
    expected = MRTranslateLib.translate(**request, output=tmp_path / "expected.nii")
    job = next(numbers)
    worker.submit(job, "translate", **request, output=str(tmp_path / "made.nii"))
    answer = worker.end(job)
    assert answer["type"] == "finished", answer
    assert (tmp_path / "made.nii").read_bytes() == (tmp_path / "expected.nii").read_bytes()
    assert answer["result"]["warnings"] == list(expected.warnings)
    assert set(answer["result"]["seconds"]) >= {"read", "prepare", "translate"}
    sidecar = json.loads(Path(answer["result"]["sidecar"]).read_text())
    assert sidecar["output"]["sha256"] == expected.provenance.output.sha256


def test_the_second_job_of_a_model_gets_the_network_that_the_first_one_loaded(worker, coarse_unet):
    jobs = [next(numbers) for _ in range(2)]
    for job in jobs:
        worker.submit(job, "same_generator", folder=str(coarse_unet.folder))
    assert [worker.end(job)["result"] for job in jobs] == [False, True]


def test_an_evaluation_returns_the_librarys_report(worker, phantom):
    job = next(numbers)
    worker.submit(job, "evaluate", synthetic=str(phantom["T2w"]), reference=str(phantom["T1w"]))
    report = worker.end(job)["result"]
    expected = evaluate_files(phantom["T2w"], phantom["T1w"])
    assert report["brain"]["psnr"] == pytest.approx(expected.brain.psnr)
    assert report["brain"]["num_voxels"] == expected.brain.num_voxels


@pytest.fixture(scope="module")
def attentive_unet(coarse_unet, tmp_path_factory) -> Bundle:
    """The same with an untrained local discriminator."""
    components = example_components()
    discriminator = build_local_discriminator(components.local_discriminator.parameters)
    card = msgspec.structs.replace(coarse_unet.card, name="attentive", components=components, files={})
    folder = tmp_path_factory.mktemp("models") / "attentive"
    weights = {"local_discriminator": discriminator.state_dict()}
    return write_bundle(folder, card, load_tensors(coarse_unet), components=weights)


def test_an_attention_map_is_made_where_the_client_asks(worker, phantom, attentive_unet, tmp_path):
    request = {"sources": {"T1w": str(phantom["T1w"])}, "target": "T2w", "model": str(attentive_unet.folder)}
    job, where = next(numbers), tmp_path / "attention.nii"
    worker.submit(job, "translate", **request, threads=1, output=str(tmp_path / "made.nii"), attention=str(where))
    answer = worker.end(job)
    assert answer["type"] == "finished", answer
    assert answer["result"]["attention"] == str(where)
    assert where.stat().st_size > (tmp_path / "made.nii").stat().st_size  # float32 beside int16
    sidecar = json.loads(Path(answer["result"]["sidecar"]).read_text())
    assert sidecar["attention"]["report"]["regions"][0]["name"] == "brain"


def test_an_attention_map_of_a_model_without_one_is_refused_with_4(worker, phantom, coarse_unet, tmp_path):
    request = {"sources": {"T1w": str(phantom["T1w"])}, "target": "T2w", "model": str(coarse_unet.folder)}
    job = next(numbers)
    worker.submit(job, "translate", **request, output=str(tmp_path / "a.nii"), attention=str(tmp_path / "b.nii"))
    answer = worker.end(job)
    assert (answer["type"], answer["exit_code"]) == ("failed", 4)
    assert "comes without a local discriminator" in answer["message"]
    assert list(tmp_path.iterdir()) == []
