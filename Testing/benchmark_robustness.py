"""Time and memory of a robustness run: six types at five levels, against one translation of the same volume.

    python Testing/benchmark_robustness.py [--spacing MM] [--levels 1-5] [--perturbations A,B] [--threads N] [--volumes]

The volume is a generated T1w head of 240 x 240 x 155 mm, translated to T2w by the shipped model; ``--spacing 1`` is
240 x 240 x 155 voxels. Prints wall time of one translation and of the run, from process start to report written; the
time in the network and their ratio, whose limit is 40; and the peak resident memory of the run, whose limit is 2 GB.
Two minutes at 4 mm; at 1 mm as long as some forty translations.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import write_volume
from MRTranslateLib.phantoms import brain_grid, make_phantom

MAX_TIMES, MAX_MB = 40.0, 2048.0


def run_once(command: str, arguments: list[str]) -> tuple[float, float]:
    """Wall seconds and peak MB of one process of the command line; ends if it fails."""
    started = time.perf_counter()
    whole = [sys.executable, "-m", "MRTranslateLib", command, *arguments]
    process = os.posix_spawn(sys.executable, whole, os.environ)
    _, status, usage = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{command} failed; nothing was measured")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--spacing", type=float, default=1.0, metavar="MM", help="of the volume (default: %(default)s)")
    parser.add_argument("--levels", default="1-5")
    parser.add_argument("--perturbations", default="", metavar="A,B", help="default: the six of the command line")
    parser.add_argument("--threads", default="")
    parser.add_argument("--volumes", action="store_true", help="keep the volume of every cell")
    options = parser.parse_args()
    given = {name: getattr(options, name) for name in ("levels", "perturbations") if getattr(options, name)}
    chosen = [text for name, value in given.items() for text in (f"--{name}", value)]
    threads = ["--threads", options.threads] if options.threads else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grid = brain_grid(spacing_mm=(options.spacing,) * 3)
        volume = make_phantom(1, grid=grid, contrasts=[Contrast.T1W]).volumes[Contrast.T1W]
        write_volume(folder / "t1.nii.gz", volume)
        common = ["--source", f"T1w={folder / 't1.nii.gz'}", "--target", "T2w", *threads]
        lone, lone_mb = run_once("translate", [*common, "--output", str(folder / "t2.nii.gz")])
        translation = json.loads((folder / "t2.json").read_text(encoding="utf-8"))["seconds"]["translate"]
        kept = ["--volumes"] if options.volumes else []
        wall, peak_mb = run_once("robustness", [*common, "--output", str(folder / "run"), *chosen, *kept])
        report = json.loads((folder / "run" / "robustness.json").read_text(encoding="utf-8"))
    cells = [report["unperturbed"], *report["cells"]]
    network = sum(cell["network_seconds"] for cell in cells)
    print(f"volume {' x '.join(map(str, volume.shape))}, {os.cpu_count()} processors, {len(cells) - 1} cells")
    print(f"one translation: {lone:.1f} s, in the network {translation:.1f} s, peak memory {lone_mb:.0f} MB")
    print(f"run: {wall:.1f} s, in the network {network:.1f} s, all cells {sum(c['seconds'] for c in cells):.1f} s")
    print(f"run over one translation's network time: {wall / translation:.1f}, limit {MAX_TIMES:g}")
    print(f"peak memory of the run: {peak_mb:.0f} MB, limit {MAX_MB:g} MB")


if __name__ == "__main__":
    main()
