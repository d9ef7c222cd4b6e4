from __future__ import annotations

import pytest

from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.errors import UsageError


def test_channels_are_in_the_order_that_weights_were_trained_in():
    names = ["T1w", "T1wGd", "T2w", "PDw", "FLAIR"]
    assert [(contrast.value, contrast.channel) for contrast in Contrast] == list(zip(names, range(5), strict=True))


@pytest.mark.parametrize("contrast", Contrast)
@pytest.mark.parametrize("change", [str, str.lower, str.upper, lambda name: f" {name}\n"])
def test_a_name_is_read_in_any_case_and_with_blanks_around(contrast, change):
    assert parse_contrast(change(contrast.value)) is contrast


@pytest.mark.parametrize("text", ["", "T1", "T1w-Gd", "flair2", "T1wT2w"])
def test_an_unknown_name_is_refused_with_itself_and_the_known_ones(text):
    with pytest.raises(UsageError) as caught:
        parse_contrast(text)
    assert str(caught.value) == f"unknown contrast {text!r}: use one of T1w, T1wGd, T2w, PDw, FLAIR"


def test_a_bids_file_of_contrast_enhanced_t1w_is_named_by_its_agent():
    assert Contrast.T1W_GD.bids_suffix == "ce-gadolinium_T1w"


@pytest.mark.parametrize("contrast", [Contrast.T1W, Contrast.T2W, Contrast.PDW, Contrast.FLAIR])
def test_the_other_contrasts_are_their_own_bids_suffix(contrast):
    assert contrast.bids_suffix == contrast.value


def test_a_contrast_in_a_sentence_is_its_name():
    assert f"{Contrast.T1W_GD}" == "T1wGd"
