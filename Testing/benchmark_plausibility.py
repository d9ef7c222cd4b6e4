"""How many planted and erased lesions do the plausibility checks find, and at how many false alarms?

    python Testing/benchmark_plausibility.py [--first-seed 402] [--seeds 12] [--routes 2] [--verbose]

Phantoms of 2 mm, in turn with glioma and multiple sclerosis, by several routes. "Synthetic" is the true target contrast
with blur, noise, another gain and level, uneven brightness and a loss of fine contrast. Per phantom and route:

* clean: as it is; every finding is a false alarm;
* planted: a blob of 1 to 10 ml, bright or dark by 0.15 to 0.35 of the 99.5th percentile, in the synthetic image alone;
* erased: a lesion of 1 to 10 ml in the white matter of the sources alone;
* glioma erased: the glioma of the synthetic image replaced by the same person's healthy brain.

Seeds below 402 were looked at while the method and its thresholds were chosen, those from 402 on were not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path[:1] = [str(Path(__file__).resolve().parents[1])]

from MRTranslateLib.contrast import Contrast  # noqa: E402
from MRTranslateLib.phantoms.lesion import Pathology  # noqa: E402
from MRTranslateLib.plausibility.discrepancies import find_discrepancies  # noqa: E402
from MRTranslateLib.plausibility.report import Finding, Kind  # noqa: E402
from Testing.library.plausibility_examples import (  # noqa: E402
    Case,
    clean_case,
    erase_lesion,
    erase_pathology,
    is_found_by,
    plant,
    scan_phantom,
)

T1W, T1W_GD, T2W, FLAIR = Contrast.T1W, Contrast.T1W_GD, Contrast.T2W, Contrast.FLAIR
ROUTES = (
    ((T1W, T2W), FLAIR),
    ((FLAIR,), T2W),
    ((T1W,), FLAIR),
    ((T1W, T2W, FLAIR), T1W_GD),
    ((T2W,), T1W),
    ((T1W, FLAIR), T2W),
)
MIN_ML, MAX_ML, MIN_CONTRAST, MAX_CONTRAST = 1.0, 10.0, 0.15, 0.35


def cases(seed: int, num_routes: int) -> Iterator[tuple[str, str, Case, Kind | None]]:
    """Route, what was done to it, the case, and what should be found."""
    pathology: Pathology = "glioma" if seed % 2 else "multiple sclerosis"
    scans, rng = scan_phantom(seed, pathology), np.random.default_rng(seed)
    healthy = scan_phantom(seed, "none") if pathology == "glioma" else None
    for number in range(num_routes):
        sources, target = ROUTES[(seed // 2 + number * 3 + seed % 2) % len(ROUTES)]
        route = f"{'+'.join(sources)}>{target}"
        clean = clean_case(scans, sources, target, rng)
        yield route, "clean", clean, None
        contrast = float(rng.choice([-1, 1]) * rng.uniform(MIN_CONTRAST, MAX_CONTRAST))
        yield route, "planted", plant(clean, scans, rng, rng.uniform(MIN_ML, MAX_ML), contrast), "hallucination"
        yield route, "erased", erase_lesion(clean, scans, rng, rng.uniform(MIN_ML, MAX_ML)), "erasure"
        if healthy is not None:
            yield route, "glioma erased", erase_pathology(clean, scans, healthy, rng), "erasure"


def describe(case: Case, findings: tuple[Finding, ...]) -> str:
    truth = "" if case.truth is None else f"truth {case.volume_ml:.1f} ml at {np.round(case.center_mm).tolist()}; "
    return truth + "; ".join(
        f"{f.kind} {f.sign} {f.contrast or ''} {f.volume_ml} ml at {f.center_ras_mm} score {f.score}" for f in findings
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first-seed", type=int, default=402)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--routes", type=int, default=2, help="per seed")
    parser.add_argument("--verbose", action="store_true", help="say what was missed and what was found in clean cases")
    options = parser.parse_args()
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    distances, ratios, seconds = [], [], []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for route, done, case, wanted in cases(seed, options.routes):
            started = time.process_time()
            findings = find_discrepancies(case.synthetic, case.target, case.sources, case.brain, case.affine)
            seconds.append(time.process_time() - started)
            hits = [finding for finding in findings if finding.kind == wanted and is_found_by(case, finding)]
            count = counts[done]
            count[0] += 1
            count[1] += bool(hits)
            count[2] += len(findings) - len(hits)
            if hits and done == "planted":
                distances.append(float(np.linalg.norm(case.center_mm - hits[0].center_ras_mm)))
                ratios.append(hits[0].volume_ml / case.volume_ml)
            if options.verbose and ((wanted and not hits) or (not wanted and findings)):
                print(f"{seed} {route} {done}: {describe(case, findings)}", flush=True)
    for done, (total, found, other) in counts.items():
        recall = "" if done == "clean" else f"found {found} ({found / total:.0%}), "
        print(f"{done}: {total} cases, {recall}{other / total:.2f} false alarms per case")
    if distances:
        print(
            f"planted: centre off by {np.median(distances):.1f} mm (median), {max(distances):.1f} (largest);", end=" "
        )
        print(f"volume times {np.median(ratios):.2f} (median), {min(ratios):.2f} to {max(ratios):.2f}")
    print(f"{np.median(seconds):.1f} s of processor time per case (median)")


if __name__ == "__main__":
    main()
