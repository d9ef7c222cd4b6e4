"""What is still missing before Apply can run, as sentences for its tooltip. Imports neither qt nor slicer's scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slicer.i18n import tr as _

from .ModelCatalog import ModelEntry


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user has chosen so far; nodes by ID.

    Attributes:
        sources: Node ID by role, chosen roles only.
        target: Target contrast, empty if none is chosen.
        model: The chosen model, None if there is none.
        lowResolution: Node ID of an acquired low-resolution target, None without.
        brainMask: Node ID, None without.
        lesionMask: Node ID, None without.
        reference: Node ID of a real target for scoring, None without.
        outputs: Node IDs of volume and maps that will be overwritten; new nodes are not among them.
        acquiredOutputs: Names of those outputs that hold an image which we did not make.
        replacedResults: Names of those outputs that hold a result.
        attention: Whether an attention map is asked for.
        uncertainty: Whether an uncertainty map is asked for.
        problems: Sentences about nodes that cannot be used as they are (no image, warped by a transform, ...).
    """

    sources: Mapping[str, str]
    target: str
    model: ModelEntry | None
    lowResolution: str | None = None
    brainMask: str | None = None
    lesionMask: str | None = None
    reference: str | None = None
    outputs: Sequence[str] = ()
    acquiredOutputs: Sequence[str] = ()
    replacedResults: Sequence[str] = ()
    attention: bool = False
    uncertainty: bool = False
    problems: Sequence[str] = field(default=())


def whatIsMissing(request: Request) -> list[str]:
    """Everything that keeps the request from running, one sentence each; empty if it can run."""
    missing = list(request.problems)
    if request.model is None:
        missing.append(_("No model is installed: install one under Advanced."))
    if not request.sources:
        missing.append(_("Choose at least one acquired scan under Inputs."))
    missing += _repeated(request)
    if request.model is not None and request.sources:
        missing += _routeProblems(request, request.model)
    if {*request.outputs} & {*request.sources.values(), request.lowResolution, request.reference}:
        missing.append(_("The output would overwrite an input: choose another output volume."))
    elif request.acquiredOutputs:
        missing.append(
            _("The output {name} holds an image that is not synthetic: choose Create new on Apply.").format(
                name=", ".join(request.acquiredOutputs)
            )
        )
    if len({*request.outputs}) < len(request.outputs):
        missing.append(_("Two outputs would be written into the same volume: choose another one for each."))
    return missing


def readyText(request: Request) -> str:
    """What Apply will do, for its tooltip when nothing is missing."""
    text = _("Make a synthetic {target} from {sources}.").format(
        target=request.target, sources=", ".join(request.sources)
    )
    if request.replacedResults:
        text += " " + _("It takes the place of {names}.").format(names=", ".join(request.replacedResults))
    return text


def _repeated(request: Request) -> list[str]:
    roles: dict[str, list[str]] = {}
    for role, node in request.sources.items():
        roles.setdefault(node, []).append(role)
    sentences = [
        _("The same volume is chosen as {roles}: choose each scan once.").format(
            roles=_("{first} and {second}").format(first=", ".join(several[:-1]), second=several[-1])
        )
        for several in roles.values()
        if len(several) > 1
    ]
    if request.reference is not None and request.reference in roles:
        sentences.append(_("The reference is also a source: a reference is a real scan of the target contrast."))
    if request.lowResolution is not None and request.lowResolution in {*roles, request.reference}:
        sentences.append(
            _("The low-resolution target is also a source or the reference: choose another scan or leave it empty.")
        )
    return sentences


def _routeProblems(request: Request, model: ModelEntry) -> list[str]:
    unknown = [role for role in request.sources if role not in model.sources]
    if unknown:
        return [
            _("The model {model} does not take {roles}: leave it empty or choose another model.").format(
                model=model.name, roles=", ".join(unknown)
            )
        ]
    if not model.targetsFor(request.sources):
        return [_("The model {model} offers no contrast that is not already given.").format(model=model.name)]
    if not request.target:
        return [_("Choose the target contrast.")]
    missing = []
    if request.target in request.sources:
        missing.append(
            _("{target} is both source and target: leave it out of the inputs or choose another target.").format(
                target=request.target
            )
        )
    elif not model.offers(request.sources, request.target):
        missing.append(
            _("The model {model} does not make {target}: choose another target.").format(
                model=model.name, target=request.target
            )
        )
    if request.lowResolution is not None and not model.usesLowResolution:
        missing.append(
            _("The model {model} cannot use a low-resolution target: leave it empty.").format(model=model.name)
        )
    if request.attention and not model.makesAttention:
        missing.append(_("The model {model} makes no attention map: untick it.").format(model=model.name))
    return missing + _uncertaintyProblems(request, model)


def _uncertaintyProblems(request: Request, model: ModelEntry) -> list[str]:
    if not request.uncertainty or not request.target:
        return []
    if request.lowResolution is None:
        isCalibrated = model.isCalibratedFor(request.target)
        text = _("The model {model} was not calibrated against errors in {target}: untick the uncertainty map.")
    else:
        isCalibrated = model.isCalibratedWithLowResolution(request.target)
        text = _(
            "The model {model} was not calibrated against errors in {target} with a low-resolution target: untick the "
            "uncertainty map or leave that target empty."
        )
    return [] if isCalibrated else [text.format(model=model.name, target=request.target)]
