"""Edges of translation and sources: closed forms on ramps, and that a shift costs something."""

import pytest
import torch

from training.losses.edge_alignment import NOISE_PER_VOXEL, edge_misalignment

SLOPE = 0.05
EVERYWHERE, ACQUIRED = torch.ones(1, 1, 16, 16), torch.ones(1, 1)


def ramp(along):
    values = SLOPE * torch.arange(16.0)
    return (values[:, None] if along == "rows" else values[None, :]).expand(1, 1, 16, 16)


def blob(row=16.0):
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    return torch.exp(-((rows - row).square() + (columns - 16).square()) / 50)[None, None]


def test_parallel_ramps_of_any_direction_and_steepness_cost_what_the_noise_level_leaves():
    def share(slope):
        return slope**2 / (slope**2 + NOISE_PER_VOXEL**2)

    found = edge_misalignment(1 - 2 * ramp("rows"), ramp("rows"), ACQUIRED, EVERYWHERE)
    assert found.item() == pytest.approx(1 - share(SLOPE) * share(2 * SLOPE), abs=1e-5)


def test_perpendicular_ramps_cost_everything():
    assert edge_misalignment(ramp("columns"), ramp("rows"), ACQUIRED, EVERYWHERE).item() == pytest.approx(1, abs=1e-5)


def test_a_shifted_translation_costs_more_the_further_it_lies_off():
    brain = torch.ones(1, 1, 32, 32)
    costs = [edge_misalignment(1 - blob(16.0 + shift), blob(), ACQUIRED, brain).item() for shift in (0, 1, 2, 4)]
    assert costs == sorted(costs)
    assert costs[-1] > costs[0] + 0.05


def test_its_gradient_leads_a_shifted_translation_back():
    shift = torch.tensor(2.0, requires_grad=True)
    edge_misalignment(blob(16 + shift), blob(), ACQUIRED, torch.ones(1, 1, 32, 32)).backward()
    assert shift.grad > 0


def test_missing_sources_and_what_touches_the_rim_do_not_count():
    sources = torch.cat([ramp("rows"), ramp("columns")], dim=1)
    brain = EVERYWHERE.clone()
    brain[..., 8:] = 0
    wild = ramp("rows").clone()
    wild[..., 8:] = 9.0
    alone = edge_misalignment(ramp("rows"), ramp("rows"), ACQUIRED, brain)
    found = edge_misalignment(wild, sources, torch.tensor([[1.0, 0.0]]), brain)
    assert found.item() == pytest.approx(alone.item(), abs=1e-6)


def test_an_empty_brain_costs_nothing():
    assert edge_misalignment(ramp("rows"), ramp("rows"), ACQUIRED, 0 * EVERYWHERE).item() == 0
