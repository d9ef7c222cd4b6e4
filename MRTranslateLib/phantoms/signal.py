"""What a tissue looks like in a pulse sequence: spin echo, inversion recovery, and gadolinium, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp, log
from types import MappingProxyType

from MRTranslateLib.contrast import Contrast


class Tissue(StrEnum):
    """What a phantom is made of; air is what is left."""

    WHITE_MATTER = "white matter"
    GREY_MATTER = "grey matter"
    DEEP_GREY_MATTER = "deep grey matter"
    CSF = "cerebrospinal fluid"
    BLOOD = "blood"
    OEDEMA = "oedema"
    NECROSIS = "necrosis"
    ENHANCING_TUMOUR = "enhancing tumour"
    MS_LESION = "multiple sclerosis lesion"
    FAT = "fat"
    MUSCLE = "muscle"
    SKIN = "skin"
    MARROW = "marrow"
    BONE = "cortical bone"


@dataclass(frozen=True)
class Relaxation:
    """Magnetic properties of a tissue.

    Attributes:
        t1_ms: Longitudinal relaxation time.
        t2_ms: Transverse relaxation time.
        proton_density: Visible protons relative to water, 0..1.
    """

    t1_ms: float
    t2_ms: float
    proton_density: float

    def __post_init__(self) -> None:
        if not (self.t1_ms > 0 and self.t2_ms > 0 and 0 <= self.proton_density <= 1):
            raise ValueError(f"relaxation times must be positive and proton density in 0..1, got {self}")


RELAXATION_3T: Mapping[Tissue, Relaxation] = MappingProxyType(
    {
        # T1, T2: Wansapura et al., J Magn Reson Imaging 9 (1999) 531. PD: water content, Whittall et al., Magn Reson
        # Med 37 (1997) 34.
        Tissue.WHITE_MATTER: Relaxation(832, 79.2, 0.71),
        Tissue.GREY_MATTER: Relaxation(1331, 110, 0.83),
        # Iron shortens both times; set between the two above, in the order Whittall et al. report.
        Tissue.DEEP_GREY_MATTER: Relaxation(1150, 85, 0.80),
        # T1: Lin et al., Proc ISMRM 9 (2001) 1391. T2: free water in vivo, order of 2 s.
        Tissue.CSF: Relaxation(4163, 1650, 1.0),
        # Stanisz et al., Magn Reson Med 54 (2005) 507, as is muscle. PD of blood: what flow leaves of its signal.
        Tissue.BLOOD: Relaxation(1932, 275, 0.35),
        # T1 of solid glioma, 1444 +- 254 ms, and of white matter beside it, 1261 +- 359 ms: de Blank et al., Pediatr
        # Neurosurg 54 (2019) 310. T2 of gliomas and of the oedema around them, 100-200 ms: Just, Thelen, Radiology 169
        # (1988) 779. Necrosis lies between tumour and fluid.
        Tissue.OEDEMA: Relaxation(1400, 160, 0.83),
        Tissue.NECROSIS: Relaxation(2300, 260, 0.92),
        Tissue.ENHANCING_TUMOUR: Relaxation(1444, 125, 0.83),
        # Prolonged as in the MS lesion of BrainWeb (T1 x 1.5, T2 x 3 white matter at 1.5 T; here T2 x 2): Kwan, Evans,
        # Pike, IEEE Trans Med Imaging 18 (1999) 1085.
        Tissue.MS_LESION: Relaxation(1300, 155, 0.82),
        # T1, T2 of subcutaneous fat and of marrow: de Bazelaire et al., Radiology 230 (2004) 652. PD: plausible.
        Tissue.FAT: Relaxation(382, 68, 0.85),
        Tissue.MARROW: Relaxation(586, 49, 0.70),
        Tissue.MUSCLE: Relaxation(1412, 50, 0.79),
        Tissue.SKIN: Relaxation(1100, 35, 0.65),
        # Cortical bone has a T2 under a millisecond: it is black in all of these sequences.
        Tissue.BONE: Relaxation(250, 0.5, 0.20),
    }
)
"""Relaxation times at 3 T, with their sources in the code; scatter between publications is 10-20 %."""

RELAXIVITY_PER_S_PER_MMOL_L = 3.7
"""r1 of gadopentetate in plasma at 3 T and 37 C: Rohrer et al., Invest Radiol 40 (2005) 715."""

GADOLINIUM_MMOL_L: Mapping[Tissue, float] = MappingProxyType(
    {Tissue.ENHANCING_TUMOUR: 0.35, Tissue.BLOOD: 1.0, Tissue.MUSCLE: 0.05, Tissue.SKIN: 0.1}
)
"""Concentration minutes after a single dose; a healthy blood-brain barrier lets nothing through.

0.35 mmol/L shortens the T1 of enhancing tumour by about 940 ms; 838 +- 210 ms were measured in glioblastomas (Noeth et
al., NMR Biomed 33 (2020) e4242).
"""


@dataclass(frozen=True)
class PulseSequence:
    """Timing of a spin-echo sequence.

    Attributes:
        repetition_time_ms: TR.
        echo_time_ms: TE.
        inversion_time_ms: TI of a preceding inversion; None for a plain spin echo.
        gadolinium: Whether it follows an injection of contrast agent.
    """

    repetition_time_ms: float
    echo_time_ms: float
    inversion_time_ms: float | None = None
    gadolinium: bool = False


SEQUENCES: Mapping[Contrast, PulseSequence] = MappingProxyType(
    {
        Contrast.T1W: PulseSequence(2000, 9, inversion_time_ms=950),
        Contrast.T1W_GD: PulseSequence(2000, 9, inversion_time_ms=950, gadolinium=True),
        Contrast.T2W: PulseSequence(4500, 95),
        Contrast.PDW: PulseSequence(3000, 18),
        Contrast.FLAIR: PulseSequence(9000, 115, inversion_time_ms=2432),  # nulls CSF with a T1 of 4163 ms
    }
)
"""Typical timing per contrast at 3 T, in ms.

T1w is inversion-prepared, as protocols at 3 T have it, since a plain spin echo shows little between grey and white
matter there.
"""


def spin_echo(relaxation: Relaxation, repetition_time_ms: float, echo_time_ms: float) -> float:
    """Spin-echo signal ``PD (1 - exp(-TR/T1)) exp(-TE/T2)``, 0..1."""
    recovered = 1 - exp(-repetition_time_ms / relaxation.t1_ms)
    return relaxation.proton_density * recovered * exp(-echo_time_ms / relaxation.t2_ms)


def inversion_recovery(
    relaxation: Relaxation, repetition_time_ms: float, echo_time_ms: float, inversion_time_ms: float
) -> float:
    """Magnitude of the inversion-recovery signal ``PD (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2)``, 0..1."""
    recovered = 1 - 2 * exp(-inversion_time_ms / relaxation.t1_ms) + exp(-repetition_time_ms / relaxation.t1_ms)
    return relaxation.proton_density * abs(recovered) * exp(-echo_time_ms / relaxation.t2_ms)


def null_inversion_time_ms(relaxation: Relaxation, repetition_time_ms: float) -> float:
    """Inversion time at which a tissue gives no signal: ``T1 (ln 2 - ln(1 + exp(-TR/T1)))``."""
    return relaxation.t1_ms * (log(2) - log(1 + exp(-repetition_time_ms / relaxation.t1_ms)))


def with_gadolinium(relaxation: Relaxation, concentration_mmol_l: float) -> Relaxation:
    """The tissue with contrast agent in it: ``1/T1' = 1/T1 + r1 C``."""
    rate_per_ms = 1 / relaxation.t1_ms + RELAXIVITY_PER_S_PER_MMOL_L * concentration_mmol_l / 1000
    return replace(relaxation, t1_ms=1 / rate_per_ms)


def tissue_signal(relaxation: Relaxation, sequence: PulseSequence, concentration_mmol_l: float = 0.0) -> float:
    """Signal of a tissue in a sequence, 0..1; the concentration counts only after an injection."""
    if sequence.gadolinium:
        relaxation = with_gadolinium(relaxation, concentration_mmol_l)
    times = sequence.repetition_time_ms, sequence.echo_time_ms
    if sequence.inversion_time_ms is None:
        return spin_echo(relaxation, *times)
    return inversion_recovery(relaxation, *times, sequence.inversion_time_ms)
