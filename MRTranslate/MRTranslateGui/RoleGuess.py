"""Which contrast is a volume? Read from its name, its DICOM tags and its intensities; never from its position.

Imports neither qt nor slicer, so that a table of series names from many scanners can test it anywhere.
A wrong guess is worse than none: where the evidence is doubtful the role stays empty and the reason says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ROLES = ("T1w", "T1wGd", "T2w", "PDw", "FLAIR")
"""The contrasts of MRTranslateLib in its channel order; a test compares the two."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NO_CONTRAST_IMAGE = _words(
    "adc dwi dti trace tracew ep2d epi bold fmri rest asl pcasl pasl perf perfusion dsc dce cbv rcbv cbf mtt ttp"
    " tmax swi swan qsm phase pha mra mrv tof pc mip minip angio seg segmentation mask label labels labelmap roi"
    " atlas localizer localiser scout survey loc calibration asset map t1map t2map t1rho t2map spectro csi svs"
    " synthetic t2s t2star star medic merge hemo ciss fiesta trufi bssfp difference diff stir"
)
"""Words of series that are none of our contrasts, whatever else the name says."""
T1_WORDS = _words("t1 t1w t1n mprage bravo spgr fspgr irspgr efgre3d tfl3d tfl3d1 vibe ir-fspgr mp2rage")
T2_WORDS = _words("t2 t2w")
PD_WORDS = _words("pd pdw protondensity rho")
FLAIR_WORDS = _words("flair t2f darkfluid tirm")
GADOLINIUM_WORDS = _words(
    "gd gad gado gadolinium gadovist gadavist dotarem multihance magnevist prohance clariscan vueway ce cm km mdc"
    " post postgd postgad postcontrast contrast enhanced inj iv t1c t1ce t1gd t1km t1post t1wgd t1wce plusc"
)
NATIVE_WORDS = _words("pre precontrast native nativ noncontrast ohne sans without senza non no wo unenhanced")
GRADIENT_ECHO_WORDS = _words("gre fl2d ffe gradient gr")
"""With T2 these mean T2*, which is another contrast."""
_T1_GADOLINIUM = _words("t1c t1ce t1gd t1km t1post t1wgd t1wce")

_SPLITS = (
    (re.compile(r"\bt2\s?\*"), "t2star"),
    (re.compile(r"\bt2[ _-]star\b"), "t2star"),
    (re.compile(r"dark[ _-]?fluid|fluid[ _-]?attenuated"), " darkfluid "),
    (re.compile(r"proton[ _-]?density"), " protondensity "),
    (re.compile(r"mp[ _-]?rage"), " mprage "),
    (re.compile(r"w\s*/\s*o\b"), " without "),
    (re.compile(r"(?<![a-z0-9])[+]\s?(c|gd|km|gad|gado)\b|\bc\s?[+]|[+]$|[+](?=[ _-])|\bw/\s?c\b"), " plusc "),
    (re.compile(r"\b(t[12]|pd)[ _-]?(weighted|wi|gew)\b"), r" \1w "),
)


@dataclass(frozen=True, kw_only=True)
class VolumeFacts:
    """What is known of one volume.

    Attributes:
        nodeID: By which the caller knows it.
        texts: Name of the node, series description, protocol name; whatever people wrote.
        modality: DICOM modality, empty if unknown.
        echoTimeMs: DICOM echo time, None if unknown; the other times alike.
        repetitionTimeMs: See ``echoTimeMs``.
        inversionTimeMs: See ``echoTimeMs``.
        scanningSequence: DICOM scanning sequence, for example ``SE\\IR`` or ``GR``.
        contrastAgent: DICOM contrast agent, empty if none is named.
        synthetic: Made by us; never a source.
        likely: Contrasts that the intensities allow; None if they were not looked at.
    """

    nodeID: str
    texts: tuple[str, ...]
    modality: str = ""
    echoTimeMs: float | None = None
    repetitionTimeMs: float | None = None
    inversionTimeMs: float | None = None
    scanningSequence: str = ""
    contrastAgent: str = ""
    synthetic: bool = False
    likely: frozenset[str] | None = None


@dataclass(frozen=True)
class RoleGuesses:
    """Node IDs by role, and the roles for which several volumes compete (these are left empty)."""

    chosen: Mapping[str, str]
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def guessRoles(volumes: Iterable[VolumeFacts]) -> RoleGuesses:
    """One volume per role; a role that several volumes would fill is left to the user."""
    candidates: dict[str, list[str]] = {}
    for facts in volumes:
        role = guessRole(facts)
        if role is not None:
            candidates.setdefault(role, []).append(facts.nodeID)
    return RoleGuesses(
        {role: nodes[0] for role, nodes in candidates.items() if len(nodes) == 1},
        {role: tuple(sorted(nodes)) for role, nodes in candidates.items() if len(nodes) > 1},
    )


def guessRole(facts: VolumeFacts) -> str | None:
    """The role of one volume, None where the evidence is missing or contradicts itself."""
    if facts.synthetic or facts.modality not in ("", "MR"):
        return None
    words = frozenset().union(*(wordsOf(text) for text in facts.texts))
    if words & NO_CONTRAST_IMAGE or (words & T2_WORDS and words & GRADIENT_ECHO_WORDS):
        return None
    role = _fromWords(words, facts) or _fromTimes(facts)
    if role == "T1w" and _hasGadolinium(words, facts):
        role = "T1wGd"
    if role is not None or facts.likely is None:
        return role
    return next(iter(facts.likely)) if len(facts.likely) == 1 else None


def doubtOf(facts: VolumeFacts, role: str) -> bool:
    """Whether the intensities speak against ``role``."""
    return facts.likely is not None and role not in facts.likely


def wordsOf(text: str) -> frozenset[str]:
    """Lower-case words of a series name; spellings of one thing become one word.

    Example:
        >>> sorted(wordsOf("Ax_T2*_Dark-Fluid"))
        ['ax', 'darkfluid', 't2star']
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z0-9])", " ", text).lower()  # AxialFlair, sT1W, T1wGd
    text = text.removesuffix(".gz").removesuffix(".nii")
    for pattern, word in _SPLITS:
        text = pattern.sub(word, text)
    words = set(re.split(r"[^a-z0-9]+", text)) - {""}
    for word in tuple(words):
        if match := re.fullmatch(
            r"(t[12]w?|pdw?|flair)(\d*d|ax|axi|axial|tra|cor|sag|tse|fse|se|tfe|space|cube|vista)", word
        ):
            words |= set(match.groups())
    return frozenset(words)


def _fromWords(words: frozenset[str], facts: VolumeFacts) -> str | None:
    t1 = bool(words & (T1_WORDS | _T1_GADOLINIUM))
    t2, pd, flair = bool(words & T2_WORDS), bool(words & PD_WORDS), bool(words & FLAIR_WORDS)
    if {"mp2rage", "inv1"} <= words or {"mp2rage", "inv2"} <= words:
        return None
    if t1:  # a T1 FLAIR is T1-weighted: the inversion nulls fluid, the echo is short
        return None if t2 or pd else "T1w"
    if flair:
        return "FLAIR"
    if t2 and pd:  # a dual echo: only the echo time tells which one this is
        return None if facts.echoTimeMs is None else "PDw" if facts.echoTimeMs < 45 else "T2w"
    return "T2w" if t2 else "PDw" if pd else None


def _fromTimes(facts: VolumeFacts) -> str | None:
    """Weighting by repetition, echo and inversion time, with wide gaps between the classes."""
    echo, repetition, inversion = facts.echoTimeMs, facts.repetitionTimeMs, facts.inversionTimeMs or 0.0
    if facts.modality != "MR" or echo is None or repetition is None or "EP" in facts.scanningSequence:
        return None
    if "GR" in facts.scanningSequence and echo > 12:
        return None  # T2*
    if repetition > 4000 and echo > 70 and inversion > 1500:
        return "FLAIR"
    if echo < 30 and (repetition < 1000 or (repetition < 3500 and 300 < inversion < 1300)):
        return "T1w"
    if repetition > 2000 and inversion == 0:
        return "T2w" if echo > 70 else "PDw" if echo < 35 else None
    return None


def _hasGadolinium(words: frozenset[str], facts: VolumeFacts) -> bool:
    if words & NATIVE_WORDS:
        return False
    return bool(words & GADOLINIUM_WORDS) or facts.contrastAgent.strip().lower() not in ("", "none", "no", "0")
