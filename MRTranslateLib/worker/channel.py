"""The worker's two pipes, out of reach of everything that reads stdin or prints."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

from MRTranslateLib.worker.protocol import Answer, encode_answer


class Channel:
    """Lines in from the client, messages out to it; any thread may send."""

    def __init__(self, read_descriptor: int, write_descriptor: int) -> None:
        self._reader = os.fdopen(read_descriptor, "rb")
        self._write_descriptor = write_descriptor
        self._lock = threading.Lock()

    @classmethod
    def take_standard_streams(cls) -> Channel:
        """Keep the process's stdin and stdout for messages alone.

        From here on descriptor 1 is stderr, so that a ``printf`` of a C library lands in the log and not between two
        messages, and descriptor 0 is empty, so that nothing else takes our lines. On Windows this also keeps libraries
        loaded later from touching a pipe that a thread is reading, which would block them.
        """
        sys.stdout.flush()
        private_in, private_out = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        return cls(private_in, private_out)

    def lines(self) -> Iterator[bytes]:
        """Lines as they come, without their line feed, blank ones left out; ends when the client closes its side."""
        while line := self._reader.readline():
            if text := line.strip():
                yield text

    def send(self, answer: Answer) -> bool:
        """Send a message whole; False when the client is gone, which the end of :meth:`lines` says too."""
        data = encode_answer(answer)
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._write_descriptor, data) :]
            except OSError:
                return False
        return True
