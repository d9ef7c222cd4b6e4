"""``mrtranslate``: the way in. It imports next to nothing, so that Ctrl-C is heard from the first moment on."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from MRTranslateLib.errors import CancelledError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Without the program's name; None for those of the process.

    Returns:
        The exit code.
    """
    try:
        from MRTranslateLib.cli.commands import run_command

        return run_command(arguments)
    except KeyboardInterrupt:  # while it was still importing; a command that runs says so itself
        print("mrtranslate: cancelled; nothing was written", file=sys.stderr)
        return CancelledError.exit_code
