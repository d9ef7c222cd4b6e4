"""Unpacking a gzip file a few megabytes at a time, so that the event loop gets its turn in between."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from .TaskRunner import Step

TURN_BYTES = 4 << 20
"""Unpacked in one turn: some 20 ms."""
_GZIP_WINDOW = 31


class GzipInTurns:
    """One file; run the steps one by one, then ask for the content."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._decoder = zlib.decompressobj(_GZIP_WINDOW)
        self._packed = b""
        self._parts: list[bytes] = []

    def steps(self) -> Iterator[Step]:
        """Everything that is to be done, each for one turn.

        Raises:
            OSError: If the file is not there.
        """
        yield self._read
        for _turn in range(_unpackedBytes(self.path) // TURN_BYTES + 1):
            yield self._unpack

    def content(self) -> bytes:
        """The unpacked bytes.

        Raises:
            ValueError: If the file was cut short.
        """
        if not self._decoder.eof:
            raise ValueError(f"{self.path.name} is cut short")
        return b"".join(self._parts)

    def forget(self) -> None:
        """Hold nothing any longer."""
        self._parts, self._packed = [], b""

    def _read(self) -> None:
        self._packed = self.path.read_bytes()

    def _unpack(self) -> None:
        try:
            self._parts.append(self._decoder.decompress(self._packed, TURN_BYTES))
        except zlib.error as error:
            raise ValueError(f"{self.path.name} is damaged: {error}") from None
        self._packed = self._decoder.unconsumed_tail


def _unpackedBytes(path: Path) -> int:
    """What the file's last four bytes say, which is the size up to 4 GB."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 4, 0))
        return int.from_bytes(file.read(4), "little")
