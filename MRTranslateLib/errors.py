"""What can go wrong in the world (files, models, memory), each with the exit code of DESIGN section 4.

A message is one sentence that names the file, the value and the remedy: it is shown to users as it stands.
A caller's programming mistake raises ``ValueError`` or ``TypeError`` instead.
"""

from __future__ import annotations

from typing import ClassVar


class MRTranslateError(Exception):
    """Something outside the program stopped the work; exit code 1 unless a subclass says otherwise."""

    exit_code: ClassVar[int] = 1


class UsageError(MRTranslateError):
    """The request itself makes no sense (unknown contrast, missing option, output exists)."""

    exit_code: ClassVar[int] = 2


class InputError(MRTranslateError):
    """A volume cannot be read or is unsuitable."""

    exit_code: ClassVar[int] = 3


class ModelError(MRTranslateError):
    """A model is missing, damaged, foreign, or does not offer the requested route."""

    exit_code: ClassVar[int] = 4


class CancelledError(MRTranslateError):
    """The user stopped the run; nothing was written."""

    exit_code: ClassVar[int] = 130
