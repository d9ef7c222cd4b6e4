"""How weights were trained."""

from __future__ import annotations

from typing import Annotated

import msgspec

from MRTranslateLib.models.part import Count, Part, Sentence


class TrainingRun(Part, frozen=True, kw_only=True):
    """How to train the weights again.

    Attributes:
        config: Text of the configuration file, complete.
        command: The command that read it.
        commit: Commit of this repository.
        seed: Seed of all chance in training.
        num_steps: Optimiser steps.
        hours: Wall-clock time.
        hardware: In words, for example ``1 NVIDIA H200``.
        torch_version: For example ``2.13.0+cpu``.
        data_fingerprint: Hash over names and contents of the training scans.
    """

    config: Sentence
    command: Sentence
    commit: Sentence
    seed: int
    num_steps: Count
    hours: Annotated[float, msgspec.Meta(ge=0)]
    hardware: Sentence
    torch_version: Sentence
    data_fingerprint: Sentence
