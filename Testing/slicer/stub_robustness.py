"""A real worker and library whose generator copies its sources. Run as a program, never imported.

With ``MRTRANSLATE_STUB_SLICES=N`` the first process is killed by the system after N slices, as when memory runs out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from MRTranslateLib.inference import load  # noqa: E402
from MRTranslateLib.worker.serve import serve  # noqa: E402
from Testing.library.robustness_examples import MeanGenerator  # noqa: E402

if __name__ == "__main__":
    session = Path(sys.argv[2])
    limit = os.environ.get("MRTRANSLATE_STUB_SLICES")
    is_first = not (session / "started").exists()
    (session / "started").touch()
    generator = MeanGenerator(dies_after=int(limit) if limit and is_first else None)
    load.load_generator = lambda bundle: generator
    sys.exit(serve(session))
