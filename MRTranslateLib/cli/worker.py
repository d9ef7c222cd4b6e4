"""``mrtranslate worker``: the process behind the panel."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_worker_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``worker`` to the command line; its handler is ``run`` in the parsed arguments."""
    parser = subparsers.add_parser(
        "worker",
        help="serve jobs as JSON lines on stdin and stdout; used by the Slicer panel",
        description="Serve jobs as JSON lines on stdin and stdout until stdin is closed; see MRTranslateLib.worker. "
        "Used by the Slicer panel.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--session-folder",
        type=Path,
        metavar="FOLDER",
        help="the client's private temporary folder, removed here if the client dies",
    )
    parser.set_defaults(run=run_worker)


def run_worker(options: argparse.Namespace) -> int:
    """Serve until the client is gone; returns the exit code.

    Raises:
        UsageError: As :func:`MRTranslateLib.worker.serve.serve`.
    """
    from MRTranslateLib.worker.serve import serve

    return serve(options.session_folder, debug=options.debug)
