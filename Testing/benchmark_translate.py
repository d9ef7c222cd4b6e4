"""Time and memory of the main job: T1w to T2w of a 240 x 240 x 155 volume, from process start to file written.

    python Testing/benchmark_translate.py [--repeats 3] [--threads N] [--precision fp32]

Prints the median wall time, the peak resident memory of the process, and where the time goes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import write_volume
from MRTranslateLib.phantoms import make_phantom


def run_once(source: Path, output: Path, options: list[str]) -> tuple[float, float]:
    """Seconds and peak MB of one process; raises if it fails."""
    command = [sys.executable, "-m", "MRTranslateLib", "translate", "--source", f"T1w={source}", "--target", "T2w"]
    started = time.perf_counter()
    process = os.posix_spawn(sys.executable, [*command, "--output", str(output), "--overwrite", *options], os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("the translation failed; nothing was measured")
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "t1.nii.gz"), Path(folder, "t2.nii.gz")
        volume = make_phantom(1, contrasts=[Contrast.T1W]).volumes[Contrast.T1W]
        write_volume(source, volume)
        runs = [run_once(source, output, options) for _ in range(arguments.repeats)]
        sidecar = json.loads(output.with_name("t2.json").read_text())
    print(f"volume {' x '.join(map(str, volume.shape))}, {os.cpu_count()} processors, {sidecar['parameters']}")
    print(f"process start to file written: median {statistics.median(s for s, _ in runs):.1f} s of {len(runs)} runs")
    print(f"peak memory: {max(mb for _, mb in runs):.0f} MB")
    print("stages of the last run:", {name: round(s, 2) for name, s in sidecar["seconds"].items()})


if __name__ == "__main__":
    main()
