"""Gives a model bundle a run's super-resolution branch; what it translates by itself stays as it was."""

from __future__ import annotations

from pathlib import Path

from MRTranslateLib.errors import UsageError
from MRTranslateLib.models.bundle import Bundle
from training.bundle_component import write_with_component
from training.checkpoint import Checkpoint
from training.export import shipped_super_resolver, super_resolution_card, training_run_of
from training.super_resolution_quality import SUPER_RESOLUTION_COMMAND, SUPER_RESOLUTION_PROTOCOL


def add_super_resolution(
    bundle: Bundle,
    checkpoint: Checkpoint,
    folder: Path,
    *,
    version: str,
    command: str,
    hardware: str,
    replace: bool = False,
) -> Bundle:
    """Write a bundle again with a branch; see :func:`write_bundle` for errors.

    What the card says the former branch was worth is left out: it has to be measured anew.

    Args:
        bundle: What is added to; a branch that it has is replaced.
        checkpoint: Of the run that trained the branch.
        folder: Of the new bundle, named like the old one; it may be the old one's.
        version: Of the new bundle.
        command: That trained the branch.
        hardware: In words, that it was trained on.
        replace: Take the place of a bundle that lies there.

    Raises:
        UsageError: If the run has trained no branch.
    """
    resolver = shipped_super_resolver(checkpoint)
    if resolver is None:
        raise UsageError(f"the run of {checkpoint.config.name} has trained no super-resolution branch: choose another")
    run = training_run_of(checkpoint, command=command, hardware=hardware)
    return write_with_component(
        bundle,
        "super_resolution",
        super_resolution_card(checkpoint, resolver, run),
        resolver,
        folder,
        replace=replace,
        version=version,
        systems_trained=tuple(dict.fromkeys((*bundle.card.systems_trained, "C"))),
        super_resolution_quality=(),
        super_resolution_protocol=SUPER_RESOLUTION_PROTOCOL,
        super_resolution_command=SUPER_RESOLUTION_COMMAND,
        low_resolution_uncertainty=(),
    )
