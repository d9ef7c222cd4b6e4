"""Parses, runs, and turns what goes wrong into one sentence and an exit code (DESIGN section 4)."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

import MRTranslateLib
from MRTranslateLib.cli.batch import add_batch_parser
from MRTranslateLib.cli.demo import add_demo_parser
from MRTranslateLib.cli.dicom import add_dicom_parser
from MRTranslateLib.cli.evaluate import add_evaluate_parser
from MRTranslateLib.cli.models import add_models_parser
from MRTranslateLib.cli.report import say_error
from MRTranslateLib.cli.rerun import add_rerun_parser
from MRTranslateLib.cli.review import add_review_parser
from MRTranslateLib.cli.robustness import add_robustness_parser
from MRTranslateLib.cli.translate import add_translate_parser
from MRTranslateLib.cli.worker import add_worker_parser
from MRTranslateLib.errors import CancelledError, MRTranslateError
from MRTranslateLib.failures import explain

EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused input, 4 model missing, damaged or unfit, 130 cancelled. "
    "Research use only; not for diagnosis."
)


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Without the program's name; None for those of the process.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    # A job scheduler's polite stop ends a run as cleanly as Ctrl-C does.
    former = signal.signal(signal.SIGTERM, _interrupt)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output (head, less) has gone: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail(options, CancelledError("cancelled; nothing was written"))
    except Exception as error:
        explained = explain(error)
        if options.debug and explained is not error:
            raise
        return _fail(options, explained)
    finally:
        signal.signal(signal.SIGTERM, former)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mrtranslate", description="Translate brain-MRI contrasts.", epilog=EPILOG, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"MRTranslate {MRTranslateLib.__version__}")
    parser.add_argument("--debug", action="store_true", help="show a traceback when something goes wrong")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add: Callable[[argparse._SubParsersAction[argparse.ArgumentParser]], None]
    for add in (
        add_translate_parser,
        add_evaluate_parser,
        add_batch_parser,
        add_robustness_parser,
        add_models_parser,
        add_review_parser,
        add_dicom_parser,
        add_demo_parser,
        add_rerun_parser,
        add_worker_parser,
    ):
        add(commands)
    return parser


def _fail(options: argparse.Namespace, error: MRTranslateError) -> int:
    if options.debug and not isinstance(error, CancelledError):
        import traceback

        traceback.print_exc()
    say_error(error, as_json=getattr(options, "progress", None) == "json")
    return error.exit_code


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
