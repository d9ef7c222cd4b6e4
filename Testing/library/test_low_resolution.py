"""An acquired low-resolution target through the whole pipeline: thick slices, large pixels, oblique, or refused.

The branch is untrained: it gives the synthetic volume made to agree with the acquired one, and nothing else. The low
resolution comes from the phantoms' own voxels, which average what they hold, not from the library's imitation.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from scipy import ndimage

from MRTranslateLib.cli.main import main
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, ModelError
from MRTranslateLib.inference.low_resolution import prepare_low_resolution
from MRTranslateLib.inference.prepare import prepare
from MRTranslateLib.inference.sources import load_image
from MRTranslateLib.inference.super_resolution import as_acquired, at_full_resolution_scale, branch_inputs
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import write_volume
from MRTranslateLib.metrics import peak_signal_noise_ratio
from MRTranslateLib.models.bundle import write_bundle
from MRTranslateLib.models.components import Components, SuperResolutionCard
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.networks.super_resolution import build_super_resolver
from MRTranslateLib.phantoms import brain_grid, make_phantom, misalign
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import content_sha256, read_sidecar
from MRTranslateLib.rerun import rerun
from MRTranslateLib.volume import Volume, to_canonical, to_slices
from MRTranslateLib.worker.translate import TranslateParameters, run_translate
from Testing.library.conftest import make_bundle
from Testing.library.model_examples import example_tensors

T1W, FLAIR = Contrast.T1W, Contrast.FLAIR
FINE_MM = 3.0
BRANCH = {
    "ratios": [1, 2, 4],
    "num_neighbours": 3,
    "widths": [4, 4, 4],
    "heads": [1, 1, 1],
    "pyramid_widths": [],
    "dense_blocks": 1,
    "growth": 4,
    "blocks_per_scale": 1,
    "modulation_width": 4,
    "deformable_stride": 4,
}
THICK = (3.0, 3.0, 12.0)
OBLIQUE_DEG = (14.0, -9.0, 11.0)


def sharp(bundle_folder, start="synthetic", *, seen_mm=(12.0,), seen_ratios=(2, 4), seed=0):
    """A bundle that offers all routes at 3 mm, with an untrained branch."""
    plain = make_bundle(bundle_folder / "plain", "plain", (2.5, 3.5), FINE_MM)
    part = SuperResolutionCard(
        parameters=BRANCH, in_plane_ratios=seen_ratios, slice_thickness_mm=seen_mm, thick_slices_start=start
    )
    card = msgspec.structs.replace(plain.card, name="sharp", files={}, components=Components(super_resolution=part))
    torch.manual_seed(seed)
    weights = build_super_resolver(BRANCH).state_dict()
    return write_bundle(bundle_folder / "sharp", card, example_tensors(), components={"super_resolution": weights})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return sharp(tmp_path_factory.mktemp("models"))


def phantom(pathology="glioma", grid=None, contrasts=(FLAIR,)):
    """Neither noise nor bias: what differs is resolution and disease."""
    grid = grid or brain_grid((FINE_MM,) * 3)
    return make_phantom(8, pathology=pathology, grid=grid, contrasts=contrasts, noise=0, bias=0)


@pytest.fixture(scope="module")
def healthy():
    """What the copying model makes: the FLAIR of the same head without the tumour."""
    return phantom("none").volumes[FLAIR]


@pytest.fixture(scope="module")
def ill():
    """The truth."""
    return phantom()


def acquired(spacing_mm, rotation_deg=(0.0, 0.0, 0.0)):
    return phantom(grid=brain_grid(spacing_mm, rotation_deg=rotation_deg)).volumes[FLAIR]


@pytest.fixture(scope="module")
def thick():
    return acquired(THICK)


@pytest.fixture(scope="module")
def oblique():
    return acquired(THICK, OBLIQUE_DEG)


@pytest.fixture(scope="module")
def prepared(bundle, healthy, ill):
    """The healthy head as the only source."""
    return prepare(
        {T1W: load_image(healthy, "T1w")},
        load_image(ill.brain_mask, "brain mask", labels=True),
        preprocessing=bundle.card.preprocessing,
        registration="never",
        bias_correction=False,
        progress=Progress(),
    )


@pytest.fixture(scope="module")
def ready(bundle, healthy, prepared):
    """``prepare_low_resolution`` for that source."""
    first = load_image(healthy, "T1w")

    def call(volume, bundle=bundle):
        return prepare_low_resolution(
            load_image(volume, "low"),
            first,
            prepared,
            component=bundle.card.require_super_resolution(),
            target=FLAIR,
            registration="never",
            progress=Progress(),
        )

    return call


@pytest.fixture(scope="module")
def made():
    """Results of this module by the acquired target's grid."""
    return {}


@pytest.fixture
def run(copy_generator, bundle, healthy, ill, made):
    """``translate`` with the head without the tumour as the only source; what was made before is not made again."""

    def call(low=None, bundle=bundle, **options):
        if bundle is own and not options:
            key = None if low is None else content_sha256(low.array, low.affine)
            if key not in made:
                made[key] = fresh(low, bundle)
            return made[key]
        return fresh(low, bundle, **options)

    def fresh(low, bundle, **options):
        options = {"registration": "never", "brain_mask": ill.brain_mask, **options}
        return translate(
            {T1W: healthy}, FLAIR, low_resolution=low, model=bundle.folder, device="cpu", threads=1, **options
        )

    own = bundle
    return call


def normalized(volume, brain):
    values = volume.array.astype(np.float64)
    return np.clip(values / np.percentile(values[brain], 99.5), 0, 1)


def decibels(truth, values, mask):
    return peak_signal_noise_ratio(truth, values, data_range=1.0, mask=mask)


def three_ways(result, low, healthy, ill):
    """Brain and lesion PSNR of the result, of the synthesis, and of the cubic interpolation of what was acquired."""
    brain, lesion = ill.brain_mask.array, ill.labels.array > 0
    truth = normalized(ill.volumes[FLAIR], brain)
    interpolated = resample(low, ill.brain_mask, interpolation="bspline")
    candidates = (result.volume.array / 1000, normalized(healthy, brain), normalized(interpolated, brain))
    return [(decibels(truth, values, brain), decibels(truth, values, lesion)) for values in candidates]


@pytest.mark.parametrize(
    ("spacing_mm", "rotation_deg", "ratio"),
    [
        (THICK, (0, 0, 0), 1),
        (THICK, OBLIQUE_DEG, 1),
        ((3.0, 12.0, 3.0), (0, 0, 0), 1),
        ((6.0, 6.0, 12.0), OBLIQUE_DEG, 2),
    ],
    ids=["thick", "thick and oblique", "thick coronal", "large, thick and oblique"],
)
def test_an_acquired_target_is_sharpened_beyond_synthesis_and_beyond_interpolation(
    run, healthy, ill, spacing_mm, rotation_deg, ratio
):
    low = acquired(spacing_mm, rotation_deg)
    result = run(low)
    own, synthesis, interpolation = three_ways(result, low, healthy, ill)
    assert result.provenance.low_resolution.in_plane_ratio == ratio
    assert own[0] > synthesis[0] + 3
    assert own[0] > interpolation[0] + 1
    assert own[1] > synthesis[1] + 3  # in the tumour, which the synthesis does not know


def test_the_tumour_that_only_an_oblique_scan_shows_is_put_on_its_own_side(run, oblique, ill):
    gained = run(oblique).volume.array.astype(float) - run().volume.array
    tumour, brain = ill.labels.array > 0, ill.brain_mask.array
    mirrored = tumour[::-1] & ~tumour & brain
    assert gained[tumour].mean() > gained[mirrored].mean() + 150
    found = np.argwhere(brain & (gained > np.percentile(gained[tumour], 30))).mean(axis=0)
    np.testing.assert_allclose(found, np.argwhere(tumour).mean(axis=0), atol=3)


def test_seen_through_the_same_slices_the_result_is_what_was_acquired_and_the_synthesis_is_not(run, thick, ill):
    # The thick voxels hold four thin ones each: a plain mean undoes what was done, whatever the library imitates.
    assert THICK[2] == 4 * FINE_MM
    offset = np.linalg.solve(ill.brain_mask.affine, thick.affine @ [0, 0, -0.375, 1])[2]
    first = round(offset)
    assert offset == pytest.approx(first, abs=1e-6)

    def misfit(array):
        slices = np.arange(max(0, -first // 4 + 1), thick.shape[2] - 1)
        averaged = np.stack([array[:, :, first + 4 * k : first + 4 * k + 4].mean(axis=2) for k in slices], axis=2)
        shown = thick.array[:, :, slices] / thick.array.max()
        scale = (averaged * shown).sum() / (averaged**2).sum()  # whatever the unit
        return np.sqrt(((scale * averaged - shown) ** 2).mean())

    assert misfit(run(thick).volume.array.astype(float)) < 0.65 * misfit(run().volume.array.astype(float))


def test_without_an_acquired_target_the_branch_changes_not_one_bit(run, tmp_path):
    plain = make_bundle(tmp_path, "plain", (2.5, 3.5), FINE_MM)
    assert run().provenance.output.sha256 == run(bundle=plain).provenance.output.sha256
    assert run().provenance.low_resolution is None


def test_a_branch_trained_to_start_from_the_slices_starts_from_what_averages_to_them(run, thick, ill, tmp_path):
    result = run(thick, bundle=sharp(tmp_path, "acquired")).volume.array / 1000
    first = round(np.linalg.solve(ill.brain_mask.affine, thick.affine @ [0, 0, -0.375, 1])[2])  # see above
    brain = ndimage.binary_erosion(ill.brain_mask.array, iterations=3)
    inside = [k for k in range(1, thick.shape[2] - 1) if 0 <= first + 4 * k <= brain.shape[2] - 4]

    def averaged(array):
        return np.stack([array[:, :, first + 4 * k : first + 4 * k + 4].mean(axis=2) for k in inside], axis=2)

    shown, again, whole = thick.array[:, :, inside], averaged(result), averaged(brain) == 1
    scale = np.median(again[whole] / shown[whole])
    assert decibels(shown * scale, again, whole) > 38


@pytest.mark.parametrize(
    ("spacing_mm", "rotation_deg"),
    [(THICK, (0, 0, 0)), (THICK, OBLIQUE_DEG), ((12.0, 3.0, 3.0), OBLIQUE_DEG), ((6.0, 6.0, 6.0), OBLIQUE_DEG)],
    ids=["thick", "thick and oblique", "thick sagittal", "large voxels"],
)
def test_the_imitated_acquisition_is_the_phantom_s_own_at_that_resolution(ready, ill, spacing_mm, rotation_deg):
    volume = acquired(spacing_mm, rotation_deg)
    truth = ill.volumes[FLAIR]
    highest = float(truth.array.max())
    imitated = as_acquired(ready(volume), to_canonical(truth.with_array(truth.array / highest)))
    assert decibels(volume.array / highest, imitated, volume.array > 0) > 26
    shifted = np.roll(imitated, 1, axis=int(np.argmax(spacing_mm)))
    assert decibels(volume.array / highest, imitated, volume.array > 0) > 6 + decibels(
        volume.array / highest, shifted, volume.array > 0
    )


@pytest.mark.parametrize(
    ("spacing_mm", "working_sizes", "slice_axis"),
    [
        (THICK, (1, 1, 4), 2),
        ((12.0, 3.0, 3.0), (4, 1, 1), 0),
        ((6.0, 6.0, 6.0), (2, 2, 2), None),
        ((6.0, 6.0, 15.0), (2, 2, 5), 2),
    ],
)
def test_voxel_sizes_are_counted_in_voxels_of_the_working_grid(ready, spacing_mm, working_sizes, slice_axis):
    low = ready(acquired(spacing_mm, (6, 4, -5)))
    np.testing.assert_allclose(low.working_sizes, working_sizes, rtol=1e-6)
    assert low.slice_axis == slice_axis


@pytest.mark.parametrize("with_skull", [False, True])
def test_a_skull_is_noticed(ready, thick, with_skull):
    distance = ndimage.distance_transform_edt(thick.array == 0, sampling=THICK)
    scalp = 0.3 * thick.array.max() * ((distance > 12) & (distance < 20))
    assert ready(thick.with_array(thick.array + with_skull * scalp)).stripped is not with_skull


def test_it_is_normalised_by_its_own_brain(ready, thick):
    doubled = ready(thick.with_array(2 * thick.array))
    np.testing.assert_array_equal(doubled.volume.array, ready(thick).volume.array)
    inside = doubled.volume.array[doubled.volume.array > 0]
    assert np.percentile(inside, 99.5) == pytest.approx(1, abs=0.05)


def test_the_brightness_that_large_voxels_lose_is_read_from_the_synthetic_volume(ready, prepared, ill):
    # With the truth as the synthetic volume the acquired intensities come out in units of the truth.
    truth = to_canonical(ill.volumes[FLAIR])
    grain = 1 + 0.2 * np.random.default_rng(0).standard_normal(truth.shape).astype(np.float32)
    truth = truth.with_array((truth.array / 5000 * grain).clip(0, 1))  # so dark that nothing is clipped
    full = np.percentile(truth.array[prepared.brain.volume.array], 99.5)
    grid = acquired((6.0, 6.0, 12.0))
    volume = grid.with_array(as_acquired(ready(grid), truth))
    low = ready(volume)
    assert full / low.scale.percentile_value > 1.05
    scaled = at_full_resolution_scale(low, prepared, to_slices(truth.array[prepared.box]))
    given = volume.array > 0.01
    assert np.median(scaled.volume.array[given] * full / volume.array[given]) == pytest.approx(1, abs=0.015)


@pytest.mark.parametrize(
    ("spacing_mm", "voxel_size", "offsets", "ratio"),
    [
        (THICK, (4, 1, 1), (-1, 0, 1), 1),
        ((3.0, 12.0, 3.0), (1, 4, 1), (-1, 0, 1), 1),
        ((12.0, 3.0, 3.0), (1, 1, 4), (-1, 0, 1), 1),
        ((6.0, 6.0, 3.0), (1, 2, 2), (0, 0, 0), 2),
    ],
)
def test_the_branch_is_told_of_the_acquisition_as_in_training(
    ready, prepared, bundle, spacing_mm, voxel_size, offsets, ratio
):
    low, part = ready(acquired(spacing_mm)), bundle.card.components.super_resolution
    synthetic = np.zeros(prepared.slices[T1W].shape, np.float32)
    given = branch_inputs(build_super_resolver(BRANCH), part, prepared, low, synthetic)
    np.testing.assert_allclose(given.voxel_size, voxel_size, rtol=1e-6)
    assert given.offsets == offsets
    assert given.images.shape[1] * ratio == given.synthetic.shape[1]


def test_large_pixels_enter_where_they_were_acquired(ready, prepared, bundle):
    low, part = ready(acquired((6.0, 6.0, 3.0))), bundle.card.components.super_resolution
    synthetic = np.zeros(prepared.slices[T1W].shape, np.float32)
    images = branch_inputs(build_super_resolver(BRANCH), part, prepared, low, synthetic).images

    def centroid(array):
        index = np.stack(np.meshgrid(*[np.arange(count) for count in array.shape], indexing="ij"), axis=-1)
        return np.average(index.reshape(-1, 3), axis=0, weights=array.ravel())

    superior, anterior, right = centroid(images)
    start = [part.start for part in prepared.box]
    entered = np.array([2 * right + 0.5, 2 * anterior + 0.5, superior]) + start  # the edges coincide, not the middles
    world = low.volume.affine @ [*centroid(low.volume.array), 1]
    np.testing.assert_allclose(prepared.grid.grid.affine @ [*entered, 1], world, atol=0.3)


@pytest.mark.parametrize("start", ["acquired", "synthetic"])
def test_what_was_not_acquired_is_left_to_the_synthesis(run, thick, tmp_path, start):
    cut = 30
    result = run(Volume(thick.array[cut:], thick.affine @ _shift(cut, 0, 0)), bundle=sharp(tmp_path, start))
    assert any("shows only" in text for text in result.warnings)
    synthesis = run().volume.array
    assert np.count_nonzero(synthesis[: cut - 1]) > 1000
    np.testing.assert_allclose(result.volume.array[: cut - 1], synthesis[: cut - 1], atol=1)


def _shift(*voxels):
    matrix = np.eye(4)
    matrix[:3, 3] = voxels
    return matrix


def test_a_target_that_is_not_coarser_is_refused(ready, ill):
    with pytest.raises(InputError, match=r"not larger than the 3 x 3 x 3 mm of T1w"):
        ready(ill.volumes[FLAIR])


def test_a_target_of_another_place_is_refused(ready, thick):
    affine = thick.affine.copy()
    affine[:3, 3] += 90
    with pytest.raises(InputError, match=r"shows only \d+% of the brain"):
        ready(Volume(thick.array, affine))


def test_a_target_coarser_than_in_training_is_doubted_and_one_as_in_training_is_not(ready, thick, tmp_path):
    assert not any("trained for" in text for text in ready(thick).warnings)
    finer = sharp(tmp_path, seen_mm=(6.0,))
    assert any("coarser than the model was trained for (2 or 4 times" in text for text in ready(thick, finer).warnings)


def test_a_source_s_own_file_is_refused(run, healthy):
    with pytest.raises(InputError, match="same image as the source T1w"):
        run(healthy)


def test_a_model_without_a_branch_says_so(run, thick, tmp_path):
    with pytest.raises(ModelError, match="without a super-resolution branch"):
        run(thick, bundle=make_bundle(tmp_path, "plain", (2.5, 3.5), FINE_MM))


def test_a_moved_target_is_registered_and_reported(run, healthy, ill):
    low = acquired((6.0, 6.0, 6.0))
    moved = misalign(low, rotation_deg=(0, 0, 8), translation_mm=(9, -6, 0)).volume
    result = run(moved, registration="auto")
    record = result.provenance.low_resolution.registration
    assert record.verdict == "moved"
    assert record.rotation_deg == pytest.approx(8, abs=2)
    own, synthesis, _ = three_ways(result, low, healthy, ill)
    assert own[0] > synthesis[0] + 3


def test_command_line_worker_and_rerun_give_the_same(run, bundle, thick, healthy, ill, tmp_path):
    files = {"t1": healthy, "low": thick, "mask": ill.brain_mask.with_array(ill.brain_mask.array.astype(np.uint8))}
    for name, volume in files.items():
        write_volume(tmp_path / f"{name}.nrrd", volume)
    given = {name: str(tmp_path / f"{name}.nrrd") for name in files}
    words = ["translate", "--source", f"T1w={given['t1']}", "--target", "FLAIR", "--low-resolution", given["low"]]
    words += ["--brain-mask", given["mask"], "--model", str(bundle.folder), "--device", "cpu", "--threads", "1"]
    words += ["--registration", "never", "--progress", "none", "--output", str(tmp_path / "cli.nii")]
    assert main(words) == 0
    record = read_sidecar(tmp_path / "cli.json")
    assert record.low_resolution.file.path == given["low"]
    assert record.low_resolution.weights_sha256 == bundle.component_sha256("super_resolution")
    order = {"sources": {"T1w": given["t1"]}, "target": "FLAIR", "output": str(tmp_path / "worker.nii")}
    order |= {"low_resolution": given["low"], "brain_mask": given["mask"], "model": str(bundle.folder)}
    order |= {"device": "cpu", "threads": 1, "registration": "never"}
    run_translate(msgspec.convert(order, TranslateParameters), Progress())
    assert read_sidecar(tmp_path / "worker.json").output.sha256 == record.output.sha256
    assert rerun(tmp_path / "cli.json", store=ModelStore(user_folder=bundle.folder.parent)).identical
