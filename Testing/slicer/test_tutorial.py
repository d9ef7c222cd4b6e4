"""The tutorial: its pictures are there and small, and what it tells to press is what the panel shows."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "Resources" / "Tutorial" / "README.md"
TEXT = TUTORIAL.read_text(encoding="utf-8")
PICTURES = sorted((ROOT / "Resources" / "Screenshots").glob("*.png"))
NOT_IN_THE_PANEL = {"PyTorch", "MRTranslate", "Cancel", "Stop reading"}
"""What it tells to press elsewhere, and what buttons become."""


def shown_in_the_panel():
    tree = ElementTree.parse(ROOT / "MRTranslate" / "Resources" / "UI" / "MRTranslate.ui")
    return {(text.text or "").strip() for text in tree.iterfind(".//property[@name='text']/string")}


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT))
def test_what_it_links_to_exists(link):
    assert (TUTORIAL.parent / link).resolve().is_file()


def test_the_words_it_tells_to_press_are_on_the_panel():
    bold = re.findall(r"\*\*([A-Z][\w ]{2,40})\*\*(?=[ :,.]| after)", TEXT)
    words = {word for word in bold if len(word.split()) <= 4} - NOT_IN_THE_PANEL
    assert {"Load sample", "Guess from names", "Compare side by side", "Score against the reference"} <= words
    assert words <= shown_in_the_panel()


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_pictures_are_small(picture):
    assert picture.stat().st_size < 250_000
