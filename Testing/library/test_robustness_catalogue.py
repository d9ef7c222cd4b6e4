"""The catalogue that panels show is the bank that computes, and needs nothing installed."""

import subprocess
import sys

from MRTranslateLib.robustness.catalogue import CATALOGUE, DEFAULT_PERTURBATIONS
from MRTranslateLib.robustness.perturbations.bank import PERTURBATIONS


def test_names_titles_and_levels_are_those_of_the_bank():
    bank = [(kind.name, kind.title, *(artefact.label for artefact in kind.levels)) for kind in PERTURBATIONS.values()]
    assert [(kind.name, kind.title, *kind.levels) for kind in CATALOGUE] == bank


def test_the_default_kinds_exist():
    assert set(DEFAULT_PERTURBATIONS) <= {kind.name for kind in CATALOGUE}


def test_it_is_imported_without_any_package():
    code = (
        "import sys; import MRTranslateLib.robustness.catalogue;"
        "assert not {'torch', 'msgspec', 'numpy', 'SimpleITK'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
