"""Opens the panel of a scripted module beside real slice views, on a desktop: ``make panel``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from Testing.slicer_host.host import start_host

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Open the window and wait until it is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", nargs="?", type=Path, default=ROOT / "MRTranslate" / "MRTranslate.py")
    parser.add_argument("--load", type=Path, action="append", default=[], help="a volume or scene file to open")
    parser.add_argument("--panel-width", type=int, default=450, help="pixels")
    options = parser.parse_args(arguments)
    host = start_host()
    host.dialogs.watch(False)  # a person answers
    host.app.set_testing_enabled(False)
    from Testing.slicer_host.main_window import MainWindow

    window = MainWindow(host.load_module(options.module), options.panel_width)
    window.let_resize()
    window.resize(1280, 800)
    window.show()
    import slicer

    for path in options.load:
        slicer.util.loadNodeFromFile(str(path))
    slicer.util.resetSliceViews()
    code = int(host.app.exec())
    window.give_back()
    return code


if __name__ == "__main__":
    sys.exit(main())
