"""What the command line says while it works and when it ends: a bar, JSON lines, or nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from tqdm import tqdm

from MRTranslateLib.errors import MRTranslateError
from MRTranslateLib.progress import Progress

ProgressStyle = Literal["bar", "json", "none"]


def say_event(event: str, **values: Any) -> None:
    """One JSON line on stdout."""
    print(json.dumps({"event": event, **values}), flush=True)


def say_error(error: MRTranslateError, *, as_json: bool) -> None:
    """One sentence on stderr; with JSON lines also an ``error`` event."""
    if as_json:
        say_event("error", message=str(error), exit_code=error.exit_code)
    print(f"mrtranslate: {error}", file=sys.stderr)


def say_warnings(warnings: tuple[str, ...], *, as_json: bool) -> None:
    """Each warning as a line on stderr, or as a ``warning`` event."""
    for text in warnings:
        if as_json:
            say_event("warning", message=text)
        else:
            print(f"warning: {text}", file=sys.stderr)


@contextmanager
def shown_progress(style: ProgressStyle) -> Iterator[Progress]:
    """The :class:`Progress` to hand to a run, shown in a style; a bar is only drawn on a terminal."""
    if style == "json":
        yield Progress(lambda stage, fraction: say_event("progress", stage=stage, fraction=round(fraction, 4)))
    elif style == "bar" and sys.stderr.isatty():
        with tqdm(
            total=100, bar_format="{desc:<10} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}", leave=False
        ) as bar:

            def advance(stage: str, fraction: float) -> None:
                bar.set_description_str(stage, refresh=False)
                bar.update(100 * fraction - bar.n)

            yield Progress(advance)
    else:
        yield Progress()
