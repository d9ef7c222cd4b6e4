"""Makes what is needed next in background threads, while the caller works on what it has.

Threads, not processes: copying slices lets go of Python's lock, and nothing has to be sent from one to the other. Not
``concurrent.futures``: a Ctrl-C that comes while work is handed over can leave one of its locks held, so that the
program never ends (seen once in 40 tries); ``SimpleQueue`` has no such moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeAlias, TypeVar

Key = TypeVar("Key", bound=Hashable)
Made = TypeVar("Made")
Answer: TypeAlias = "SimpleQueue[tuple[Made] | BaseException]"
"""Gets one entry, what was made or the error."""


class Prefetcher(Generic[Key, Made]):
    """A context in which things are made ahead, each by its key; no thread is left when it ends, however it ends.

    Args:
        make: Makes what belongs to a key, and nothing else may decide what: it is called in any order, by several
            threads at once.
        num_threads: How many, 1 or more.
    """

    def __init__(self, make: Callable[[Key], Made], num_threads: int) -> None:
        self._make = make
        self._jobs: SimpleQueue[tuple[Key, Answer[Made]] | None] = SimpleQueue()
        self._coming: dict[Key, Answer[Made]] = {}
        self._ended = False
        # Daemons only for a Ctrl-C that leaves no time to wait for them.
        self._threads = [
            threading.Thread(target=self._work, name=f"prefetch-{index}", daemon=True) for index in range(num_threads)
        ]

    def begin(self, keys: Iterable[Key]) -> None:
        """Begin to make what will be asked for; what has begun is not begun again."""
        for key in keys:
            if key not in self._coming:
                answer: Answer[Made] = SimpleQueue()
                self._jobs.put((key, answer))
                self._coming[key] = answer

    def take(self, key: Key) -> Made:
        """What belongs to a key, once: made ahead where it was begun, made now otherwise.

        Raises:
            BaseException: What ``make`` raised for this key, as it was.
        """
        answer = self._coming.pop(key, None)
        if answer is None:
            return self._make(key)
        made = answer.get()
        if isinstance(made, BaseException):
            raise made
        return made[0]

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            key, answer = job
            if self._ended:
                continue
            try:
                answer.put((self._make(key),))
            except BaseException as error:
                answer.put(error)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what has not begun and wait for the rest, a few milliseconds."""
        self._ended = True
        self._coming.clear()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
