"""What the worker costs beyond the library: T1w to T2w of a 240 x 240 x 155 volume, twice, through one warm worker.

    python Testing/benchmark_worker.py [--threads N] [--precision fp32]

The client writes the source uncompressed, submits, waits and reads the result, as the panel does. Prints for each job
the wall time, the library's own time (the stages in the result), and the difference; and the worker's peak memory.
The second job's difference is to stay below 1.5 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.phantoms import make_phantom
from MRTranslateLib.volume import Volume
from MRTranslateLib.worker.session import SessionFolder

TARGET_SECONDS = 1.5


def next_answer(worker: subprocess.Popen[bytes], *types: str) -> dict[str, Any]:
    """The next message of one of these types."""
    assert worker.stdout is not None
    for line in worker.stdout:
        message: dict[str, Any] = json.loads(line)
        if message["type"] in types:
            return message
    raise SystemExit("the worker ended; nothing was measured")


def run_job(
    worker: subprocess.Popen[bytes], session: SessionFolder, number: int, volume: Volume, options: dict[str, Any]
) -> tuple[float, float, float]:
    """Seconds of a job as the client sees it, as the worker sees it, and in the library's own stages."""
    assert worker.stdin is not None
    started = time.perf_counter()
    folder = session.new_job_folder()
    write_volume(folder / "source.nii", volume)
    parameters = {
        "sources": {"T1w": str(folder / "source.nii")},
        "target": "T2w",
        "output": str(folder / "result.nii"),
        **options,
    }
    submit = {"type": "submit", "job": number, "kind": "translate", "parameters": parameters}
    worker.stdin.write(json.dumps(submit).encode() + b"\n")
    worker.stdin.flush()
    answer = next_answer(worker, "finished", "failed")
    if answer["type"] == "failed":
        raise SystemExit(f"the job failed, nothing was measured: {answer['message']}")
    read_volume(Path(answer["result"]["output"]))
    wall = time.perf_counter() - started
    return wall, answer["seconds"], sum(answer["result"]["seconds"].values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    options = vars(parser.parse_args())
    volume = make_phantom(1, contrasts=[Contrast.T1W]).volumes[Contrast.T1W]
    session = SessionFolder()
    began = time.perf_counter()
    command = [sys.executable, "-m", "MRTranslateLib", "worker", "--session-folder", str(session.path)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        next_answer(worker, "hello")
        print(f"volume {' x '.join(map(str, volume.shape))}, {os.cpu_count()} processors, {options}")
        print(f"start to greeting: {time.perf_counter() - began:.2f} s")
        for number in (1, 2):
            wall, inside, library = run_job(worker, session, number, volume, options)
            print(
                f"job {number}: {wall:.2f} s, in the worker {inside:.2f} s, in the library's stages {library:.2f} s, "
                f"beyond them {wall - library:.2f} s"
            )
        print(f"beyond the library in the second job: {wall - library:.2f} s, target below {TARGET_SECONDS} s")
    finally:
        worker.stdin.close()  # type: ignore[union-attr]
        _, _, usage = os.wait4(worker.pid, 0)
        session.remove()
    print(f"peak memory of the worker: {usage.ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
