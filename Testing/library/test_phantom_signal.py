"""Signal equations against values worked out by hand, and the contrasts radiologists expect of them."""

from __future__ import annotations

from math import log

import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.phantoms.signal import (
    GADOLINIUM_MMOL_L,
    RELAXATION_3T,
    RELAXIVITY_PER_S_PER_MMOL_L,
    SEQUENCES,
    PulseSequence,
    Relaxation,
    Tissue,
    inversion_recovery,
    null_inversion_time_ms,
    spin_echo,
    tissue_signal,
    with_gadolinium,
)

HALF_LIFE_1000_MS = 1000 * log(2)  # after this time, exp(-t / 1000 ms) = 1/2
HALF_LIFE_100_MS = 100 * log(2)
TISSUE = Relaxation(t1_ms=1000, t2_ms=100, proton_density=0.8)


def signals(contrast: Contrast) -> dict[Tissue, float]:
    return {
        tissue: tissue_signal(relaxation, SEQUENCES[contrast], GADOLINIUM_MMOL_L.get(tissue, 0.0))
        for tissue, relaxation in RELAXATION_3T.items()
    }


def test_spin_echo_after_one_half_life_of_each_kind_is_a_quarter_of_the_proton_density():
    assert spin_echo(TISSUE, HALF_LIFE_1000_MS, HALF_LIFE_100_MS) == pytest.approx(0.8 / 4)


def test_spin_echo_after_two_half_lives_of_recovery_has_three_quarters():
    assert spin_echo(TISSUE, 2 * HALF_LIFE_1000_MS, 0) == pytest.approx(0.8 * 3 / 4)


def test_inversion_recovery_adds_up_as_by_hand():
    # TI of two half-lives, TR of four: 1 - 2/4 + 1/16 = 9/16; TE of one: 1/2.
    signal = inversion_recovery(TISSUE, 4 * HALF_LIFE_1000_MS, HALF_LIFE_100_MS, 2 * HALF_LIFE_1000_MS)
    assert signal == pytest.approx(0.8 * 9 / 16 / 2)


def test_inversion_recovery_is_a_magnitude():
    # At TI = 0 and TR of one half-life: 1 - 2 + 1/2 = -1/2.
    assert inversion_recovery(TISSUE, HALF_LIFE_1000_MS, 0, 0) == pytest.approx(0.8 / 2)


def test_a_tissue_gives_no_signal_at_its_null_time():
    null_ms = null_inversion_time_ms(TISSUE, 3000)
    assert inversion_recovery(TISSUE, 3000, 0, null_ms) == pytest.approx(0, abs=1e-12)


def test_null_time_after_full_recovery_is_one_half_life():
    assert null_inversion_time_ms(TISSUE, 1e6) == pytest.approx(693.147, abs=1e-3)


def test_gadolinium_that_adds_one_per_second_halves_a_t1_of_one_second():
    shortened = with_gadolinium(TISSUE, 1 / RELAXIVITY_PER_S_PER_MMOL_L)
    assert shortened.t1_ms == pytest.approx(500)
    assert (shortened.t2_ms, shortened.proton_density) == (100, 0.8)


def test_gadolinium_counts_only_after_an_injection():
    before, after = PulseSequence(500, 10), PulseSequence(500, 10, gadolinium=True)
    assert tissue_signal(TISSUE, before, 1.0) == tissue_signal(TISSUE, before) == tissue_signal(TISSUE, after)
    assert tissue_signal(TISSUE, after, 1.0) > 1.5 * tissue_signal(TISSUE, after)


def test_enhancing_tumour_loses_as_much_t1_as_was_measured():
    # Noeth et al. 2020: 838 +- 210 ms between before and after.
    tumour = RELAXATION_3T[Tissue.ENHANCING_TUMOUR]
    lost_ms = tumour.t1_ms - with_gadolinium(tumour, GADOLINIUM_MMOL_L[Tissue.ENHANCING_TUMOUR]).t1_ms
    assert 838 - 210 < lost_ms < 838 + 210


def test_every_tissue_and_contrast_has_its_numbers():
    assert set(RELAXATION_3T) == set(Tissue)
    assert set(SEQUENCES) == set(Contrast)


WM, GM, DEEP, CSF = Tissue.WHITE_MATTER, Tissue.GREY_MATTER, Tissue.DEEP_GREY_MATTER, Tissue.CSF


@pytest.mark.parametrize(
    ("contrast", "from_bright_to_dark"),
    [
        (Contrast.T1W, [Tissue.FAT, WM, DEEP, GM, CSF, Tissue.BONE]),
        (Contrast.T1W_GD, [Tissue.ENHANCING_TUMOUR, WM, GM, Tissue.NECROSIS, CSF]),
        (Contrast.T2W, [CSF, Tissue.NECROSIS, Tissue.OEDEMA, GM, DEEP, WM, Tissue.BONE]),
        (Contrast.PDW, [GM, WM, Tissue.BONE]),
        (Contrast.FLAIR, [Tissue.OEDEMA, GM, DEEP, WM, CSF]),
        (Contrast.FLAIR, [Tissue.MS_LESION, GM, WM, CSF]),
    ],
)
def test_tissues_are_in_the_order_a_radiologist_expects(contrast, from_bright_to_dark):
    signal = signals(contrast)
    assert sorted(from_bright_to_dark, key=signal.__getitem__, reverse=True) == from_bright_to_dark


def test_flair_nulls_csf():
    assert signals(Contrast.FLAIR)[CSF] < 0.01 * signals(Contrast.FLAIR)[WM]


def test_an_impossible_relaxation_time_is_refused_with_its_value():
    with pytest.raises(ValueError, match=r"positive.*t1_ms=-5"):
        Relaxation(t1_ms=-5, t2_ms=50, proton_density=1)
