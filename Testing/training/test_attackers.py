"""The black-box attackers: what they may know, what they find, and that a seed repeats it."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

import MRTranslateLib.robustness.attack
import training.attackers
from MRTranslateLib.robustness.attack.base import Attacker, Budget, Search, error_score
from MRTranslateLib.robustness.attack.bounds import Bounds, attackable, psnr_db, ssim
from MRTranslateLib.robustness.attack.score_search import ScoreSearch, cosine_field
from Testing.training.attack_examples import SIZE, ForbiddenNetwork, TexturedNetwork, slices
from training.attackers.perturbation_generator import PerturbationGenerator, PerturbationGeneratorConfig
from training.attackers.worst_of_k import ENTROPY_FLOOR, WorstOfK, attack_names

LINF = 8 / 255
BUDGET = Budget(num_queries=17, bounds=Bounds(LINF), max_level=3.0)
ONE_MM = (1.0, 1.0, 1.0)


def small_generator(in_channels: int = 2, **options) -> PerturbationGenerator:
    torch.manual_seed(0)
    return PerturbationGenerator(
        PerturbationGeneratorConfig(in_channels, 1, widths=(4, 8), substitute_widths=(4, 8), **options)
    )


def all_attackers(in_channels: int = 2) -> dict[str, Attacker]:
    return {
        "worst of K": WorstOfK(attack_names(1), ONE_MM),
        "NES": ScoreSearch(),
        "SPSA": ScoreSearch(directions="rademacher"),
        "generator": small_generator(in_channels),
    }


def error_of(network, images, brain):
    with torch.no_grad():
        target = network(images).clone()
    return error_score(network, target, brain)


@pytest.mark.parametrize("name", all_attackers())
@pytest.mark.parametrize("neighbours", [False, True])
def test_every_attack_keeps_all_limits_and_never_helps(name, neighbours):
    images, brain = slices()
    images = images[:, :, None].repeat(1, 1, 3, 1, 1) if neighbours else images
    network = TexturedNetwork(6 if neighbours else 2)
    bounds = Bounds(LINF)
    attacker = all_attackers(images.flatten(1, -3).shape[1])[name]
    score = error_of(network, images, brain)
    found = attacker.attack(images, brain, score, BUDGET, seed=0)
    inside = attackable(images, brain)
    assert found.images.shape == images.shape
    assert not found.images.requires_grad
    assert not found.score.requires_grad
    assert float((found.images - images).abs().max()) <= LINF + 1e-6
    assert not (found.images - images)[~inside].any()
    assert float(psnr_db(images, found.images, inside).min()) >= bounds.min_psnr_db
    assert float(ssim(images, found.images, inside).min()) >= bounds.min_ssim
    assert (found.score >= found.clean_score).all()
    torch.testing.assert_close(found.score, score(found.images))
    assert found.num_queries <= BUDGET.num_queries


@pytest.mark.parametrize("name", all_attackers())
def test_a_bound_of_0_gives_the_clean_images(name):
    images, brain = slices()
    budget = Budget(num_queries=17, bounds=Bounds(0.0))
    found = all_attackers()[name].attack(images, brain, error_of(TexturedNetwork(), images, brain), budget, seed=0)
    assert torch.equal(found.images, images)


@pytest.mark.parametrize("name", all_attackers())
def test_no_attacker_reaches_weights_or_gradients(name):
    # The network raises when its weights are asked for or gradients are on, and its answers come out of numpy, which
    # refuses tensors that want a gradient.
    images, brain = slices()
    network = ForbiddenNetwork()
    target = torch.zeros(len(images), 1, SIZE, SIZE)
    images.requires_grad_()  # even if the caller forgot to detach
    attacker = all_attackers()[name]
    if isinstance(attacker, PerturbationGenerator):
        attacker.fit_step(images, brain, target, brain, predict_of(network), BUDGET)
    with torch.enable_grad():
        found = attacker.attack(images, brain, error_score(network, target, brain), BUDGET, seed=0)
    assert not found.images.requires_grad
    assert images.grad is None


def predict_of(network):
    def predict(images):
        assert not images.requires_grad
        return network(images)

    return predict


@pytest.mark.parametrize("name", all_attackers())
def test_a_real_network_is_left_as_it_was(name):
    images, brain = slices()
    network = TexturedNetwork()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    reached = []
    for parameter in network.parameters():
        parameter.register_hook(reached.append)
    attacker = all_attackers()[name]
    score = error_of(network, images, brain)
    if isinstance(attacker, PerturbationGenerator):
        attacker.fit_step(images, brain, torch.zeros_like(brain), brain, network, BUDGET)
    attacker.attack(images, brain, score, BUDGET, seed=0)
    assert not reached
    assert all((parameter.grad == 7).all() for parameter in network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_only_the_white_box_attacks_and_the_attackers_own_networks_know_gradients():
    folders = [Path(package.__file__).parent for package in (training.attackers, MRTranslateLib.robustness.attack)]
    knowing = set()
    for path in [path for folder in folders for path in folder.glob("*.py")]:
        names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        if names & {"autograd", "grad", "backward", "requires_grad_", "enable_grad", "parameters", "state_dict"}:
            knowing.add(path.stem)
    assert knowing == {"white_box", "perturbation_generator"}


@pytest.mark.parametrize("name", all_attackers())
def test_the_seed_repeats_an_attack(name):
    images, brain = slices()
    score = error_of(TexturedNetwork(), images, brain)
    first, second = (all_attackers()[name].attack(images, brain, score, BUDGET, seed=5).images for _ in range(2))
    assert torch.equal(first, second)


def noise_lover(images):
    """A score that rises with noise alone: the mean square of second differences, away from the rim of the brain."""
    return 1 + 100 * images[..., 10:22, 10:22].diff(n=2, dim=-1).square().flatten(1).mean(dim=1)


def test_the_bandit_finds_the_kind_that_hurts_and_forgets_none():
    images, brain = slices(batch=2, size=32)
    names = ("gaussian_noise", "bias_field", "gamma_below_one", "blur")
    attacker = WorstOfK(names, ONE_MM)
    budget = Budget(num_queries=5, bounds=Bounds(None), max_level=3)
    assert attacker.probabilities().tolist() == [0.25] * 4
    for step in range(25):
        attacker.attack(images, brain, noise_lover, budget, seed=step)
    chances = attacker.probabilities()
    assert names[int(chances.argmax())] == "gaussian_noise"
    assert chances.max() > 0.8
    assert chances.min() >= ENTROPY_FLOOR / 4
    assert chances.sum() == pytest.approx(1)


def test_the_bandit_notices_when_another_kind_begins_to_hurt():
    images, brain = slices(batch=2)
    names = ("gaussian_noise", "gamma_above_one")
    attacker = WorstOfK(names, ONE_MM)
    budget = Budget(num_queries=5, bounds=Bounds(None), max_level=3)
    for step in range(10):
        attacker.attack(images, brain, noise_lover, budget, seed=step)
    assert attacker.probabilities()[0] > 0.8
    for step in range(60):
        attacker.attack(images, brain, lambda seen: 1 - seen.flatten(1).mean(dim=1), budget, seed=100 + step)
    assert attacker.probabilities()[1] > 0.8


def test_worst_of_k_is_worse_than_a_random_one_and_asks_as_often_as_it_may():
    images, brain = slices(batch=8)
    score = error_of(TexturedNetwork(), images, brain)
    bounds = Bounds(None)
    one, four = (
        np.mean(
            [
                float(
                    WorstOfK(attack_names(1), ONE_MM)
                    .attack(images, brain, score, Budget(queries, bounds), seed=seed)
                    .score.mean()
                )
                for seed in range(5)
            ]
        )
        for queries in (2, 5)
    )
    assert four > 1.15 * one
    assert WorstOfK(attack_names(1), ONE_MM).attack(images, brain, score, Budget(7, bounds), seed=0).num_queries == 7


def test_no_level_above_the_curriculums_is_drawn(monkeypatch):
    images, brain = slices(batch=1)
    levels = []

    def recorded(seen, name, level, **_options):
        levels.append(level)
        return seen

    monkeypatch.setattr("training.attackers.worst_of_k.perturb", recorded)
    budget = Budget(num_queries=5, bounds=Bounds(None), max_level=1.7)
    for seed in range(20):
        WorstOfK(attack_names(1), ONE_MM).attack(images, brain, noise_lover, budget, seed=seed)
    assert len(levels) == 80
    assert 1.5 < max(levels) <= 1.7
    assert 0 < min(levels) < 0.6


def test_a_curriculum_at_level_0_attacks_nothing():
    images, brain = slices()
    budget = Budget(num_queries=5, bounds=Bounds(None), max_level=0)
    found = WorstOfK(attack_names(1), ONE_MM).attack(images, brain, noise_lover, budget, seed=0)
    assert torch.equal(found.images, images)
    assert found.num_queries == 1


def test_the_bandit_resumes_exactly():
    images, brain = slices()
    whole, first, second = (WorstOfK(attack_names(1), ONE_MM) for _ in range(3))
    for step in range(4):
        wanted = whole.attack(images, brain, noise_lover, BUDGET, seed=step)
    for step in range(2):
        first.attack(images, brain, noise_lover, BUDGET, seed=step)
    second.load_state_dict(first.state_dict())
    for step in range(2, 4):
        got = second.attack(images, brain, noise_lover, BUDGET, seed=step)
    assert torch.equal(got.images, wanted.images)
    with pytest.raises(ValueError, match=r"state is for \['blur'\], not \['spike'\]"):
        WorstOfK(("spike",), ONE_MM).load_state_dict(WorstOfK(("blur",), ONE_MM).state_dict())


def test_attackers_may_not_move_anatomy_that_the_target_does_not_follow():
    assert "misalignment" not in attack_names(3)
    assert "elastic_misalignment" not in attack_names(3)
    assert "thick_slices" in attack_names(3)
    assert "thick_slices" not in attack_names(1)
    with pytest.raises(ValueError, match=r"photometric perturbations of the bank, got \['misalignment'\]"):
        WorstOfK(("misalignment",), ONE_MM)


@pytest.mark.parametrize("directions", ["gaussian", "rademacher"])
def test_score_search_climbs_beyond_random_fields_of_the_same_count(directions):
    images, brain = slices(batch=4)
    pattern = cosine_field(torch.randn(8, 8, generator=torch.Generator().manual_seed(3)), SIZE, SIZE)

    def score(seen):  # linear in the images: the best change follows the pattern
        return 10 + (seen[:, 0] * pattern).flatten(1).mean(dim=1) * 100

    budget = Budget(num_queries=161, bounds=Bounds(LINF))
    climbed = ScoreSearch(directions=directions).attack(images, brain, score, budget, seed=0)
    wandered = ScoreSearch(directions=directions, step_size=1e-9).attack(images, brain, score, budget, seed=0)
    gains = [(found.score - found.clean_score).mean() for found in (climbed, wandered)]
    best = (LINF * pattern.abs() * brain[0, 0]).mean() * 100  # the sign of the pattern everywhere
    assert gains[0] > 1.5 * gains[1]
    assert gains[0] > 0.5 * best
    assert climbed.num_queries == 161


def test_a_cosine_field_is_orthogonal_and_of_unit_size():
    one = torch.zeros(4, 4)
    one[1, 2] = 4
    other = torch.zeros(4, 4)
    other[2, 0] = 4
    first, second = cosine_field(one, 24, 20), cosine_field(other, 24, 20)
    assert float((first * second).mean()) == pytest.approx(0, abs=1e-6)
    assert float(first.square().mean()) == pytest.approx(1, abs=1e-5)
    random = cosine_field(torch.randn(500, 8, 8, generator=torch.Generator().manual_seed(0)), 16, 16)
    assert float(random.var()) == pytest.approx(1, abs=0.05)


def test_a_perturbation_generator_learns_to_hurt_a_victim_it_only_sees_answering():
    images, brain = slices(batch=2)

    def victim(seen):
        return seen[:, :1]

    target = victim(images) - 0.05  # so the worst is to brighten the first source
    attacker = small_generator(learning_rate=2e-2, refresh_every_steps=5)
    budget, score = Budget(2, Bounds(16 / 255)), error_score(victim, target, brain)
    untrained = attacker.attack(images, brain, score, budget, seed=0).score.mean()
    for _ in range(120):  # after 40 what it has learned still depends on the processor's rounding
        attacker.fit_step(images, brain, target, brain, victim, budget)
    trained = attacker.attack(images, brain, score, budget, seed=0).score.mean()
    worst = 0.05 + 16 / 255
    assert untrained < 0.6 * worst
    assert trained > 0.7 * worst


def test_the_substitute_is_refreshed_only_when_its_time_has_come():
    images, brain = slices()
    attacker = small_generator(refresh_every_steps=3)
    seen = []
    for _ in range(4):
        seen.append(attacker.substitute.head.weight.clone())
        attacker.fit_step(images, brain, brain, brain, TexturedNetwork(), BUDGET)
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[2], seen[3])


def test_the_substitute_is_what_is_attacked_and_not_the_student_that_still_learns():
    images, brain = slices()
    attacker = small_generator()
    torch.nn.init.zeros_(attacker.substitute.head.weight)
    torch.nn.init.zeros_(attacker.substitute.head.bias)
    # A substitute that always says 0 is wrong by the target's 1 everywhere in the brain.
    assert attacker.fit_step(images, brain, brain, brain, TexturedNetwork(), BUDGET)["substitute_error"] == 1


def test_a_search_stops_at_its_budget_and_refuses_broken_scores():
    images, brain = slices()
    search = Search(images, brain, noise_lover, Budget(2, Bounds(None)))
    search.ask(images)
    with pytest.raises(RuntimeError, match=r"the budget of 2 queries is spent"):
        search.ask(images)
    with pytest.raises(ValueError, match=r"a score must be 3 finite numbers, got \[nan, nan, nan\]"):
        Search(images, brain, lambda seen: seen.flatten(1).mean(dim=1) * torch.nan, BUDGET)
    with pytest.raises(ValueError, match=r"at least 2 queries and a level of 0..5, got 1 and 3"):
        Budget(1, Bounds(None))


def test_a_victim_that_overwrites_its_input_spoils_nothing():
    images, brain = slices()
    before = images.clone()

    def rude(seen):
        answer = noise_lover(seen)
        seen.zero_()
        return answer

    found = WorstOfK(("gaussian_noise",), ONE_MM).attack(images, brain, rude, BUDGET, seed=0)
    assert torch.equal(images, before)
    torch.testing.assert_close(found.score, noise_lover(found.images))
