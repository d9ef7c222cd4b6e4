"""Each perturbation against a closed form or another program."""

import math

import numpy as np
import pytest
import torch
from monai.transforms import GibbsNoise
from scipy import ndimage
from scipy.special import i0e, i1e

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, as_acquisitions
from MRTranslateLib.robustness.perturbations.bias_field import BiasField, polynomial_field
from MRTranslateLib.robustness.perturbations.blur import Blur
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.dropped_source import DroppedSource, still_available
from MRTranslateLib.robustness.perturbations.gamma import Gamma
from MRTranslateLib.robustness.perturbations.ghosting import Ghosting, with_ghosts
from MRTranslateLib.robustness.perturbations.gibbs import with_round_cutoff
from MRTranslateLib.robustness.perturbations.misalignment import ElasticMisalignment, Misalignment
from MRTranslateLib.robustness.perturbations.motion import moved_during_scan
from MRTranslateLib.robustness.perturbations.noise import GaussianNoise, RelativeRicianNoise, RicianNoise
from MRTranslateLib.robustness.perturbations.resolution import ThickSlices, through_thick_slices, with_inner_lines
from MRTranslateLib.robustness.perturbations.rim import continue_outwards
from MRTranslateLib.robustness.perturbations.spike import Spike, with_spike
from Testing.library.perturbation_examples import ONE_MM, ball, whole


def chance(seed=0):
    return Chance(seed, torch.device("cpu"))


def flat(value, shape=(1, 4, 128, 128)):
    return torch.full(shape, value)


def test_gaussian_noise_has_mean_0_and_its_variance_everywhere():
    noise = GaussianNoise(0.07).apply(whole(flat(0.5)), chance()) - 0.5
    assert abs(float(noise.mean())) < 4 * 0.07 / math.sqrt(noise.numel())
    assert abs(float(noise.var()) / 0.07**2 - 1) < 4 * math.sqrt(2 / noise.numel())


@pytest.mark.parametrize("signal", [0.0, 0.05, 0.3])
def test_rician_noise_has_the_mean_and_second_moment_of_rice(signal):
    sigma = 0.1
    values = RicianNoise(sigma).apply(whole(flat(signal)), chance()).double()
    # Mean of the Rice distribution by Laguerre's L_1/2; i0e and i1e carry the factor exp(-x/2).
    x = signal**2 / (2 * sigma**2)
    mean = sigma * math.sqrt(math.pi / 2) * ((1 + x) * i0e(x / 2) + x * i1e(x / 2))
    assert abs(float(values.mean()) - mean) < 4 * sigma / math.sqrt(values.numel())
    assert abs(float((values**2).mean()) - (signal**2 + 2 * sigma**2)) < 5e-4


def test_relative_noise_is_a_share_of_the_spread_of_the_whole_scan():
    image = torch.zeros(1, 1, 256, 256)
    image[..., :128] = 0.8  # standard deviation 0.4
    noisy = RelativeRicianNoise(0.5).apply(whole(image), chance())
    assert abs(float((noisy[..., 128:] ** 2).mean()) / (2 * 0.2**2) - 1) < 0.03


def test_motion_takes_each_k_space_line_from_the_pose_of_its_time():
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    image[..., :4], image[..., -4:], image[..., :4, :], image[..., -4:, :] = 0, 0, 0, 0
    instants = torch.tensor([[0.25, 0.75]])
    shifts = torch.tensor([[[0.0, 3.0], [9.0, 9.0], [-2.0, 0.0]]])  # the middle pose is the reference
    worse = moved_during_scan(image, instants, torch.zeros(1, 3), shifts, ONE_MM)
    before, after = image.roll(3, dims=-1), image.roll(-2, dims=-2)
    lines = torch.arange(32)
    centred = [torch.fft.fftshift(torch.fft.fft(v, dim=-1), dim=-1) for v in (before, image, after)]
    mixed = torch.where(lines < 8, centred[0], torch.where(lines < 24, centred[1], centred[2]))
    expected = torch.fft.ifft(torch.fft.ifftshift(mixed, dim=-1), dim=-1).abs()
    torch.testing.assert_close(worse, expected, rtol=0, atol=1e-5)


def test_motion_in_mm_counts_more_voxels_where_they_are_small():
    image = torch.zeros(1, 1, 41, 41)
    image[0, 0, 20, 20] = 1
    # All lines but the centre from the shifted pose: the point moves 4 mm = 8 columns of 0.5 mm.
    instants, poses = torch.tensor([[0.49, 0.505]]), torch.tensor([[[0.0, 4.0], [0.0, 0.0], [0.0, 4.0]]])
    worse = moved_during_scan(image, instants, torch.zeros(1, 3), poses, (1.0, 1.0, 0.5))
    assert int(worse[0, 0, 20].argmax()) == 28


def test_rotation_turns_from_the_first_axis_to_the_second():
    image = torch.zeros(1, 1, 41, 41)
    image[0, 0, 30, 20] = 1  # 10 rows ahead of the middle
    poses, still = torch.tensor([[90.0, 0.0, 90.0]]), torch.zeros(1, 3, 2)
    worse = moved_during_scan(image, torch.tensor([[0.49, 0.505]]), poses, still, ONE_MM)
    assert int(worse[0, 0].flatten().argmax()) == 20 * 41 + 30


def test_ghosts_are_copies_at_equal_distances_with_the_phases_of_the_formula():
    image = torch.rand(2, 1, 8, 24, generator=torch.Generator().manual_seed(0))
    a, n, offset = 0.6, 4, torch.tensor([1, 2])
    expected = []
    for group in range(2):
        ghosts = sum(
            np.exp(2j * np.pi * k * int(offset[group]) / n) * np.roll(image[group].numpy(), k * 24 // n, axis=-1)
            for k in range(n)
        )
        expected.append(np.abs(image[group].numpy() - a / n * ghosts))
    found = with_ghosts(image, n, a, offset)
    np.testing.assert_allclose(found.numpy(), np.stack(expected), atol=1e-6)


def test_two_ghosts_are_the_nyquist_ghost_half_a_field_of_view_away():
    point = torch.zeros(1, 1, 3, 16)
    point[0, 0, 1, 3] = 1
    ghost = with_ghosts(point, 2, 0.4, torch.tensor([1]))
    assert ghost[0, 0, 1, 3] == pytest.approx(0.8)
    assert ghost[0, 0, 1, 11] == pytest.approx(0.2)
    assert float(ghost.sum()) == pytest.approx(1.0, abs=1e-5)


def test_ghosting_never_weakens_the_centre_of_k_space():
    even = flat(0.5, (64, 1, 4, 24))  # nothing but the centre
    torch.testing.assert_close(Ghosting(4, 0.8).apply(whole(even), chance()), even)


def test_a_spike_changes_one_sample_of_k_space_by_its_share_of_the_largest():
    image = flat(0.6, (1, 1, 32, 40)) + 0.02 * torch.rand(1, 1, 32, 40)
    frequency, phase = torch.tensor([[5 / 32, -7 / 40]]), torch.tensor([[0.3]])
    kspace = torch.fft.fft2(image.to(torch.complex64))
    kspace[0, 0, 5, -7] += 0.2 * kspace.abs().max() * torch.exp(torch.tensor(0.3j))
    torch.testing.assert_close(with_spike(image, 0.2, frequency, phase), torch.fft.ifft2(kspace).abs())


def test_a_spike_has_the_same_size_in_dark_and_bright_slices():
    image = torch.stack([flat(0.8, (32, 32)), flat(0.4, (32, 32))])[None]
    stripes = Spike(0.1).apply(whole(image), chance()) - image
    amplitude = stripes.amax(dim=(2, 3))
    np.testing.assert_allclose(amplitude.numpy(), 0.08, atol=0.006)


def test_the_bias_field_is_the_polynomial_with_coordinates_in_mm():
    coefficients = torch.tensor([[0.5, -0.3]])
    field = polynomial_field(torch.Size((1, 3, 5, 7)), [(1, 0, 2), (0, 3, 0)], coefficients, (10.0, 20.0, 30.0))
    s, r, c = 1 * 10 / 120, -2 * 20 / 120, 3 * 30 / 120
    assert field[0, 2, 0, 6] == pytest.approx(0.5 * s * c**2 - 0.3 * r**3)


def test_the_bias_field_is_smooth_and_has_no_gain():
    image = flat(0.5, (3, 6, 60, 60))
    scans = whole(image, (3.0, 3.0, 3.0))
    log_field = torch.log(BiasField(0.6).apply(scans, chance()) / image)
    assert log_field.mean(dim=(1, 2, 3)).abs().max() < 1e-5
    # Fourth differences of a polynomial of third order vanish.
    assert log_field.diff(n=4, dim=-1).abs().max() < 1e-5
    assert log_field.diff(n=4, dim=-2).abs().max() < 1e-5
    assert log_field.std() > 0.05


def test_the_bias_field_does_not_depend_on_the_crop():
    # A crop around the middle of twice the size sees the same field, up to its gain.
    large = BiasField(0.6).apply(whole(flat(0.5, (1, 1, 64, 64))), chance())
    small = BiasField(0.6).apply(whole(flat(0.5, (1, 1, 32, 32))), chance())
    ratio = large[..., 16:48, 16:48] / small
    assert (ratio / ratio.mean() - 1).abs().max() < 1e-4


def test_gamma_is_a_power():
    image = torch.tensor([0.0, 0.25, 1.0]).view(1, 1, 1, 3)
    assert Gamma(0.5).apply(whole(image), chance()).flatten().tolist() == pytest.approx([0, 0.5, 1])


def test_blur_is_a_gaussian_in_mm():
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    found = Blur(2.0).apply(whole(image, (1.0, 1.0, 2.0)), chance())
    expected = ndimage.gaussian_filter(image[0, 0].double().numpy(), (2, 1), mode="wrap", truncate=8)
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("artefact", [Blur(2.0), ThickSlices(3.0)])
def test_even_tissue_stays_even_up_to_the_rim(artefact):
    # A plain filter would pull the rim of a stripped brain to half its brightness.
    brain = (ball() > 0)[None]
    even = Acquisitions(0.5 * brain, brain, ONE_MM, None)
    torch.testing.assert_close(artefact.apply(even, chance())[brain], torch.full((int(brain.sum()),), 0.5))


def test_continuing_outwards_leaves_the_brain_and_fades_far_away():
    brain = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    brain[..., 4:20, 4:20] = True
    filled = continue_outwards(0.5 * brain, brain, (3.0, 3.0))
    assert (filled[brain] == 0.5).all()
    torch.testing.assert_close(filled[0, 0, 12, 20:23], torch.full((3,), 0.5), rtol=1e-3, atol=0)
    assert filled[0, 0, 40, 40] < 1e-3


@pytest.mark.parametrize(("factor", "kept"), [(2.0, 49), (3.0, 33), (4.0, 25)])
def test_fewer_lines_spread_a_point_as_the_dirichlet_kernel(factor, kept):
    width = 99
    point = torch.zeros(1, 1, 1, width)
    point[..., 49] = 1
    x = (np.arange(width) - 49) + 1e-9
    expected = np.abs(np.sin(np.pi * kept * x / width) / (width * np.sin(np.pi * x / width)))
    found = with_inner_lines(point, factor)[0, 0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    above = np.interp(0.5 * found.max(), found[49 : 49 + int(factor) + 1][::-1], np.arange(int(factor) + 1.0)[::-1])
    assert 2 * above == pytest.approx(1.21 * factor, rel=0.08)


def test_thick_slices_average_what_they_cover_and_are_interpolated_between():
    ramp = torch.arange(12.0).view(1, 12, 1, 1)
    thick = through_thick_slices(ramp, 3.0, 0.0).flatten()
    # Means 1, 4, 7, 10 stand in the middles 1, 4, 7, 10: a ramp stays, except beyond the outer middles.
    torch.testing.assert_close(thick, ramp.flatten().clamp(1, 10))
    point = torch.zeros(1, 12, 1, 1)
    point[0, 4] = 1
    spread = through_thick_slices(point, 3.0, 0.0).flatten()
    torch.testing.assert_close(spread[1:8], torch.tensor([0, 1, 2, 3, 2, 1, 0]) / 9)


def test_thick_slices_of_a_broken_thickness_share_the_slice_at_their_border():
    point = torch.zeros(1, 5, 1, 1)
    point[0, 2] = 1
    # 2.5 slices: [0, 2.5) and [2.5, 5) each own half of slice 2.
    spread = through_thick_slices(point, 2.5, 0.0).flatten()
    torch.testing.assert_close(spread, torch.full((5,), 0.2))


def test_gibbs_cuts_where_monai_cuts():
    # Odd sides, where MONAI's centre is the centre of k-space.
    image = torch.rand(1, 1, 33, 33, generator=torch.Generator().manual_seed(0))
    for alpha in (0.3, 0.6, 0.8):
        expected = GibbsNoise(alpha)(image[0]).abs()
        found = with_round_cutoff(image, math.sqrt(2) * (1 - alpha))
        torch.testing.assert_close(found[0], expected, rtol=0, atol=1e-5)


def test_gibbs_overshoots_an_edge_by_nine_percent():
    # An edge rings by 8.95 % of its height, however far k-space reaches: Gibbs' constant.
    image = flat(0.2, (1, 1, 1, 512)).clone()
    image[..., 128:384] = 0.7
    ringing = with_round_cutoff(image, 0.3)
    assert float(ringing.max() - 0.7) / 0.5 == pytest.approx(0.0895, abs=0.006)


def test_misalignment_moves_within_its_limits_and_differs_between_samples():
    image = torch.zeros(32, 1, 81, 81)
    image[..., 38:43, 38:43] = 1
    moved = Misalignment(0.0, 12.0, 0.0).apply(whole(image, (1.0, 2.0, 1.0)), chance())
    mass = moved.sum(dim=(1, 2, 3))
    rows = (moved.sum(dim=(1, 3)) * (torch.arange(81.0) - 40)).sum(dim=1) / mass * 2  # mm
    columns = (moved.sum(dim=(1, 2)) * (torch.arange(81.0) - 40)).sum(dim=1) / mass
    for shift in (rows, columns):
        assert 8 < shift.abs().max() < 12.01
        assert abs(float(shift.mean())) < 4 * 12 / math.sqrt(3 * 32)


def test_bending_reaches_its_size_and_folds_nothing():
    ramp = torch.stack(torch.meshgrid(torch.arange(96.0), torch.arange(80.0), indexing="ij"))
    for seed in range(5):
        # Both coordinates as slices of one stack: thin slices, so they bend alike.
        bent = ElasticMisalignment(8.0).apply(whole(ramp[None], (1e-6, 2.0, 2.0)), chance(seed))[0]
        shift = ((bent - ramp) * 2)[:, 8:-8, 8:-8]  # mm; near the border content comes from outside
        assert float(shift.norm(dim=0).max()) < 8.01
        inner = bent[:, 8:-8, 8:-8]
        (rr, rc), (cr, cc) = ([part.diff(dim=0)[:, :-1], part.diff(dim=1)[:-1]] for part in inner)
        assert (rr * cc - rc * cr).min() > 0.1  # Jacobian determinant


def test_a_dropped_share_of_a_volume_is_one_slab_at_an_end():
    volume = torch.zeros(26, 32, 32)
    volume[3:23] = ball((20, 32, 32))
    occupied = int((volume > 0).any(dim=2).any(dim=1).sum())
    kept = DroppedSource(0.5).apply(as_acquisitions(volume, None, ONE_MM), chance())[0]
    left = (kept > 0).any(dim=2).any(dim=1)
    assert int(left.sum()) == occupied - round(0.5 * occupied)
    assert int(left.int().diff().abs().sum()) == 2  # one piece
    assert torch.equal(kept[left], volume[left])


def test_one_source_of_a_sample_is_lost_at_its_share_but_never_the_last():
    slices = ball()[3].expand(200, 3, -1, -1).clone()
    slices[:100, 1:] = 0  # the first hundred have one source only
    lost = DroppedSource(0.6).apply(as_acquisitions(slices, None, ONE_MM), chance()).view(slices.shape)
    availability = (slices > 0).flatten(2).any(dim=2).float()
    after = still_available(lost, availability)
    assert torch.equal(after[:100], availability[:100])
    assert set(after[100:].sum(dim=1).tolist()) == {2.0, 3.0}
    assert abs(float((after[100:].sum(dim=1) == 2).float().mean()) - 0.6) < 0.2
    assert (after[100:].mean(dim=0) < 0.95).all()  # any of them can be struck
