"""The messages between the worker and its client, one JSON object a line, told apart by ``type``."""

from __future__ import annotations

import msgspec

from MRTranslateLib.errors import UsageError


class Submit(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="submit", forbid_unknown_fields=True):
    """Client: do this next. Jobs run one at a time, in the order they come.

    Attributes:
        job: Number that the answers will bear; the client chooses it and never twice.
        kind: ``translate``, ``evaluate``, ``models``, ``describe``, ...
        parameters: What that kind takes; see :mod:`MRTranslateLib.worker.jobs`.
    """

    job: int
    kind: str
    parameters: msgspec.Raw = msgspec.Raw(b"{}")


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cancel", forbid_unknown_fields=True):
    """Client: stop this job at its next step, or before it begins; a job that is over is let be."""

    job: int


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="hello"):
    """Worker, first of all: who speaks.

    Attributes:
        protocol_version: See ``PROTOCOL_VERSION``.
        library_version: Of MRTranslateLib.
        pid: Process id of the worker itself, which is not the one started where a launcher lies between.
        process_group: Process group that holds the worker and whatever it starts, and nothing else; None where the
            system has no such groups or the worker got none of its own.
    """

    protocol_version: int
    library_version: str
    pid: int
    process_group: int | None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="heartbeat"):
    """Worker, every second from a thread of its own: still there.

    Attributes:
        job: The running job, None when idle.
        phase: Its latest stage, ``starting`` before the first, ``idle`` without a job.
        seconds: Since the job began; 0 when idle.
        memory_mb: Resident memory of the worker.
    """

    job: int | None
    phase: str
    seconds: float
    memory_mb: float


class ProgressReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="progress"):
    """Worker: how far a job is.

    Attributes:
        job: Which.
        stage: ``read``, ``register``, ``translate``, ...
        fraction: Of the whole job, 0..1.
        remaining_seconds: Estimated; None while nothing can be said.
    """

    job: int
    stage: str
    fraction: float
    remaining_seconds: float | None


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="finished"):
    """Worker: a job is done.

    Attributes:
        job: Which.
        result: What its kind returns.
        seconds: From its start to its end in the worker.
    """

    job: int
    result: msgspec.Raw
    seconds: float


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="failed"):
    """Worker: a job came to nothing, or a line made no sense.

    Attributes:
        job: Which; None when the line did not say.
        message: One sentence for the user.
        exit_code: Class of the failure, as the command line's exit codes; 130 is cancelled.
    """

    job: int | None
    message: str
    exit_code: int


Request = Submit | Cancel
Answer = Hello | Heartbeat | ProgressReport | Finished | Failed

_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


def decode_request(line: bytes) -> Request:
    """Read one line from the client.

    Raises:
        UsageError: If it is no message of this protocol.
    """
    try:
        return _requests.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the worker cannot read the line {line[:100]!r} ({error}): send one message a line") from None


def encode_answer(answer: Answer) -> bytes:
    """A message as its line, line feed included."""
    return msgspec.json.encode(answer) + b"\n"
