"""Two generators behind one adapter: each route is translated by the one that is better on it."""

import dataclasses

import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import Generator, SourceSlices
from MRTranslateLib.networks.route_table import RouteTable
from MRTranslateLib.networks.specialised import SpecialisedGenerator
from Testing.library.level_examples import MODEL

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
ROUTES = (((T1W,), T2W), ((T2W, FLAIR), T1W))


class Constant(Generator):
    """Says one value everywhere and counts how often it is asked."""

    num_neighbours, size_multiple = 1, 4

    def __init__(self, value):
        super().__init__()
        self.value, self.calls = value, []

    def train_pred(self, slices, target_code, truth=None):
        self.calls.append("train_pred")
        return torch.full((len(slices.height), 5, 4, 4), self.value)

    def sample(self, slices, target_code):
        self.calls.append("sample")
        return torch.full((len(slices.height), 5, 4, 4), self.value)


def code(*contrasts):
    row = torch.zeros(5)
    row[[contrast.channel for contrast in contrasts]] = 1
    return row


def slices_of(*sources):
    count = len(sources)
    return SourceSlices(
        torch.zeros(count, 5, 1, 4, 4), torch.stack([code(*each) for each in sources]), torch.zeros(count)
    )


@pytest.fixture
def both():
    return SpecialisedGenerator(Constant(1.0), Constant(2.0), ROUTES)


@pytest.mark.parametrize(
    ("sources", "target", "by_specialist"),
    [
        ((T1W,), T2W, True),
        ((FLAIR, T2W), T1W, True),
        ((T1W,), FLAIR, False),
        ((T1W, FLAIR), T2W, False),
        ((T2W,), T1W, False),
    ],
)
def test_a_route_is_translated_by_whom_it_belongs_to_and_by_nobody_else(both, sources, target, by_specialist):
    result = both.sample(slices_of(sources), code(target)[None])
    assert float(result[0, target.channel].mean()) == (2.0 if by_specialist else 1.0)
    assert (both.specialist.calls, both.general.calls) == ((["sample"], []) if by_specialist else ([], ["sample"]))


def test_slices_of_several_routes_may_lie_in_one_batch(both):
    result = both.sample(slices_of((T1W,), (T1W, FLAIR)), torch.stack([code(T2W), code(T2W)]))
    assert result[:, T2W.channel].mean(dim=(1, 2)).tolist() == [2.0, 1.0]


def test_several_targets_of_one_slice_may_belong_to_both(both):
    result = both.sample(slices_of((T1W,)), code(T2W, FLAIR)[None])
    assert (float(result[0, T2W.channel].mean()), float(result[0, FLAIR.channel].mean())) == (2.0, 1.0)


def test_a_prediction_for_training_is_joined_in_the_same_way(both):
    both.train_pred(slices_of((T1W,)), code(T2W)[None])
    assert both.specialist.calls == ["train_pred"]


def test_levels_are_those_of_the_general_generator():
    general = Constant(1.0)
    general.levels = (MODEL,)
    assert SpecialisedGenerator(general, Constant(2.0), ROUTES).levels == (MODEL,)


def test_sizes_fit_both():
    special = Constant(2.0)
    special.size_multiple = 6
    assert SpecialisedGenerator(Constant(1.0), special, ROUTES).size_multiple == 12


def test_generators_of_different_depth_are_refused_with_both_numbers():
    special = Constant(2.0)
    special.num_neighbours = 5
    with pytest.raises(ValueError, match="specialist wants 5 neighbouring slices, the general generator 1"):
        SpecialisedGenerator(Constant(1.0), special, ROUTES)


def test_without_a_list_every_wanted_route_is_listed():
    wanted = torch.stack([code(T2W), code(T1W, FLAIR)])
    slices = slices_of((T1W,), (T2W,))
    assert torch.equal(RouteTable(None)(slices.availability, wanted), wanted > 0)


def test_an_empty_list_lists_nothing():
    slices = dataclasses.replace(slices_of((T1W,)))
    assert not RouteTable(())(slices.availability, code(T2W)[None]).any()
