"""What the help of a command promises is what the program does."""

import pytest

from MRTranslateLib.cli.main import main
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import WRITABLE_EXTENSIONS
from MRTranslateLib.models.store import ModelStore


@pytest.fixture
def told(capsys):
    """The help of one option, on one line."""

    def call(command, option):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        words = " ".join(capsys.readouterr().out.split())
        start = words.index(f" {option} ", words.index("options:"))
        return words[start : words.find(" --", start + 3)]

    return call


@pytest.mark.parametrize("extension", WRITABLE_EXTENSIONS)
def test_translate_lists_every_format_it_writes(told, extension):
    assert f" {extension}" in told("translate", "--output")


@pytest.mark.parametrize("command", ["translate", "robustness"])
def test_targets_that_no_shipped_model_makes_are_set_apart(told, command):
    offered, apart = told(command, "--target").split("; ", 1)
    shipped = {target for model in ModelStore().list() if model.shipped for target in model.card.targets}
    assert {contrast for contrast in Contrast if f" {contrast}," in f"{offered},"} == shipped
    assert all(contrast in apart for contrast in set(Contrast) - shipped)
    assert "models list" in apart


def test_the_lesion_mask_names_all_that_use_it(told):
    text = told("translate", "--lesion-mask")
    assert all(word in text for word in ("attention", "uncertainty", "report"))


def test_evaluate_says_when_a_brain_mask_is_needed(told):
    assert "skull" in told("evaluate", "--brain-mask")
