"""One person's anatomy with another's brightness."""

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from training.data.cache import CachedScan
from training.data.intensity_style import IntensityStyles

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


class WholeWay:
    """Chance that goes all the way to the first partner."""

    def choice(self, values):
        return values[0]

    def random(self):
        return 1.0


def scan(name, gammas, *, seed=0, lesion=False):
    """The same tissue ``x`` for one seed, shown as ``255 x^gamma`` per contrast."""
    tissue = np.random.default_rng(seed).uniform(0.2, 0.9, (6, 20, 20))
    brain = np.ones(tissue.shape, bool)
    brain[:, :2] = False
    labels = np.zeros(tissue.shape, np.uint8)
    if lesion:
        labels[2:4, 5:15, 5:15] = 1
    images = {
        contrast: (np.where(labels, 255, 255 * tissue**gamma) * brain).astype(np.uint8)
        for contrast, gamma in gammas.items()
    }
    return CachedScan(name, images, brain, labels, lesion)


def moved(scans, person=0):
    tables = IntensityStyles(scans).draw(person, WholeWay())
    return {contrast: tables[contrast][scans[person].images[contrast]] for contrast in tables}


def test_every_contrast_takes_the_partners_brightness():
    own, other = scan("a", {T1W: 1.0, T2W: 1.0}), scan("b", {T1W: 0.5, T2W: 2.0}, seed=1)
    as_other = scan("a", {T1W: 0.5, T2W: 2.0})
    for contrast, image in moved([own, other]).items():
        np.testing.assert_allclose(image.astype(int), as_other.images[contrast], atol=4)


def test_tissue_goes_to_tissue_whether_or_not_there_is_a_lesion():
    own, other = scan("a", {FLAIR: 1.0}, lesion=True), scan("b", {FLAIR: 0.5})
    image = moved([own, other])[FLAIR]
    tissue = own.brain & (own.lesion == 0)
    np.testing.assert_allclose(image[tissue].astype(int), other.images[FLAIR][tissue], atol=4)


def test_what_is_brighter_than_tissue_stays_brighter():
    own, other = scan("a", {FLAIR: 0.5}, lesion=True), scan("b", {FLAIR: 2.0})
    image = moved([own, other])[FLAIR]
    assert image[own.lesion > 0].min() > image[own.lesion == 0].max()


def test_what_is_empty_stays_empty_and_nothing_else_becomes_it():
    own, other = scan("a", {T1W: 1.0}), scan("b", {T1W: 3.0}, seed=1)
    image = moved([own, other])[T1W]
    np.testing.assert_array_equal(image > 0, own.images[T1W] > 0)


def test_order_of_brightness_is_kept():
    rng = np.random.default_rng(0)
    styles = IntensityStyles([scan("a", {T1W: 1.0}), scan("b", {T1W: 0.3}), scan("c", {T1W: 3.0})])
    for _ in range(20):
        assert (np.diff(styles.draw(0, rng)[T1W].astype(int)) >= 0).all()


def test_the_way_is_drawn_between_none_and_the_whole():
    rng = np.random.default_rng(0)
    styles = IntensityStyles([scan("a", {T1W: 1.0}), scan("b", {T1W: 0.3})])
    middles = [int(styles.draw(0, rng)[T1W][100]) for _ in range(200)]
    whole = int(styles.draw(0, WholeWay())[T1W][100])
    assert min(middles) == pytest.approx(100, abs=2)
    assert max(middles) == pytest.approx(whole, abs=2)


def test_only_who_has_all_contrasts_is_a_partner():
    scans = [scan("a", {T1W: 1.0, FLAIR: 1.0}), scan("b", {T1W: 0.5})]
    assert IntensityStyles(scans).draw(0, WholeWay()) == {}
    assert IntensityStyles(scans).draw(1, WholeWay()).keys() == {T1W}


def test_an_image_of_few_grey_levels_is_no_obstacle():
    own = scan("a", {T1W: 1.0})
    own.images[T1W][own.images[T1W] > 0] = 120
    assert (np.diff(IntensityStyles([own, scan("b", {T1W: 0.3})]).draw(0, WholeWay())[T1W].astype(int)) >= 0).all()
