"""A real worker whose jobs do what a test needs: wait, chatter, crash, fail. Run as a program, never imported."""

from __future__ import annotations

import builtins
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from MRTranslateLib import errors  # noqa: E402
from MRTranslateLib.files import atomic_file  # noqa: E402
from MRTranslateLib.worker.jobs import KINDS, Kind  # noqa: E402
from MRTranslateLib.worker.serve import serve  # noqa: E402


def steps(parameters, progress):
    """Steps of ``seconds`` each; returns what it was told."""
    for step in range(parameters["steps"]):
        progress.step("early" if step < parameters["steps"] / 2 else "late", step / parameters["steps"])
        time.sleep(parameters["seconds"])
    return parameters


def chatter(parameters, progress):
    """Everything that would spoil a pipe: print, raw descriptor 1, a C library's buffered output, input."""
    print("printed", flush=True)
    os.write(1, b"written\n")
    libc = ctypes.CDLL(None)
    libc.puts(b"put by C")
    libc.fflush(None)
    subprocess.run(["echo", "echoed by a child"], check=True)
    return sys.stdin.readline()


def compute(parameters, progress):
    """One long call into C that looks at nothing, as a network's layer is."""
    progress.step("compute", 0.5)
    values = np.random.default_rng(0).normal(size=(400, 400))
    deadline = time.monotonic() + parameters["seconds"]
    while time.monotonic() < deadline:
        values = values @ values
        values /= np.abs(values).max()


def fail(parameters, progress):
    """Raise what the parameters name, one of our errors or one of Python's."""
    error = getattr(errors, parameters["error"], None) or getattr(builtins, parameters["error"])
    raise error(parameters["text"])


def die(parameters, progress):
    """End the process at once, by a signal or with an exit code; with ``segfault`` for real."""
    progress.step("dying", 0.5)
    if parameters.get("segfault"):
        ctypes.string_at(0)
    if "signal" in parameters:
        os.kill(os.getpid(), getattr(signal, parameters["signal"]))
        time.sleep(60)
    os._exit(parameters["code"])


def offspring(parameters, progress):
    """Start a child that would live for a minute, say its process id by a file, and wait with it."""
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=parameters["away"]
    )
    Path(parameters["file"]).write_text(str(child.pid))
    time.sleep(60)


def write(parameters, progress):
    """Begin a file as the library does, and take long over it."""
    with atomic_file(parameters["output"]) as temporary:
        temporary.write_bytes(b"half")
        progress.step("write", 0.5)
        while True:
            progress.step("write", 0.5)
            time.sleep(parameters.get("pause", 0.05))


def case(parameters, progress):
    """A case of a batch that does what its name says: dies, fails, waits, or writes its files."""
    progress.step("translate", 0.5)
    if "dies" in parameters["case_id"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if "fails" in parameters["case_id"]:
        raise errors.InputError("this case is no good")
    while "waits" in parameters["case_id"]:
        progress.step("translate", 0.5)
        time.sleep(0.05)
    output = Path(parameters["translation"]["output"])
    output.write_bytes(b"synthetic")
    output.with_name(output.name.replace(".nii.gz", ".json")).write_bytes(b"{}")
    warnings = [f"process {os.getpid()}", f"threads {parameters['translation']['threads']}"]
    return {"warnings": warnings, "seconds": 0.1}


def environment(parameters, progress):
    """Where this process finds things."""
    return {"temporary": os.environ.get("TMPDIR"), "python_path": os.environ.get("PYTHONPATH"), "pid": os.getpid()}


_generators: list[Any] = []


def same_generator(parameters, progress):
    """Load a model as ``translate`` does; whether that is the very object of the job before."""
    from MRTranslateLib.inference.load import load_generator
    from MRTranslateLib.models.bundle import open_bundle

    _generators.append(load_generator(open_bundle(parameters["folder"])))
    return len(_generators) > 1 and _generators[-1] is _generators[-2]


STUBS = {
    function.__name__: Kind(Any, function)
    for function in (steps, chatter, compute, fail, die, offspring, write, case, environment, same_generator)
}

if __name__ == "__main__":
    folder = Path(sys.argv[2]) if sys.argv[1:2] == ["--session-folder"] else None
    sys.exit(serve(folder, debug="--debug" in sys.argv, kinds={**KINDS, **STUBS}))
