"""The worker: a process that translates on request and stays warm between requests; JSON lines on stdin and stdout.

    client                                     worker (``mrtranslate worker``)
                                           <-  hello: versions, process id; the client compares and goes on or kills
    submit: job, kind, parameters          ->
                                           <-  progress: job, stage, fraction, remaining seconds
    cancel: job                            ->
                                           <-  finished: job, result    or    failed: job, sentence, exit code
                                           <-  heartbeat, every second, whatever else goes on
    (closes stdin)                         ->  (ends within a second, in the middle of a job too)

One message a line; shapes in :mod:`MRTranslateLib.worker.protocol`. stdout carries messages and nothing else: what
libraries print goes to stderr, which is a log for people. This file and ``session`` need the standard library only, so
that Slicer can import them before any package is installed.
"""

from __future__ import annotations

PROTOCOL_VERSION = 1
"""Raised by one whenever a message changes its meaning; both sides must have the same."""
HEARTBEAT_SECONDS = 1.0
