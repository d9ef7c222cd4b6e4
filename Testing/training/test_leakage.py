"""Nothing of a real target reaches what is translated (METHODS 9.5): targets are permuted, inputs stay as they are."""

from __future__ import annotations

from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import Generator
from Testing.training.conftest import tiny_scan, write_person
from training.data.bids import read_scans
from training.data.cache import prepare
from training.data.sampler import SliceSampler
from training.evaluation import predict_slices, score_routes
from training.multi_view import mean_of_views
from training.networks.volume_refiner import VolumeRefiner, VolumeRefinerParameters
from training.refined_volume import refined_volumes

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
ROUTE = ((T1W, T2W), FLAIR)
REFINER = {"width": 4, "num_blocks": 1, "kernel_slices": 3, "in_plane_stride": 4, "max_correction": 0.2}


class Watched(Generator):
    """A mean of what it is given, of everything it is given, that keeps all it saw."""

    num_neighbours, size_multiple = 3, 16

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.seen = []

    def train_pred(self, slices, target_code, truth=None):
        self.seen.append([values.clone() for values in (*vars(slices).values(), target_code)])
        return slices.images.mean(dim=(1, 2), keepdim=True)[:, 0].expand(-1, 5, -1, -1).clone()


def plain(generator):
    return lambda scan, route, indices: predict_slices(generator, scan, route, indices)


def refined(generator):
    torch.manual_seed(0)
    refiner = VolumeRefiner(VolumeRefinerParameters(**REFINER))
    torch.nn.init.normal_(refiner.head.weight)
    return refined_volumes(plain(generator), refiner)


def of_views(generator):
    return mean_of_views(dict.fromkeys(("axial", "coronal", "sagittal"), plain(generator)))


def noted(predict, images):
    def predict_and_note(scan, route, indices):
        images.append(predict(scan, route, indices))
        return images[-1]

    return predict_and_note


@pytest.mark.parametrize("way", [plain, refined, of_views])
def test_permuting_targets_at_inference_changes_scores_and_neither_inputs_nor_outputs(way):
    people = [tiny_scan(f"sub-{seed}", seed) for seed in (1, 2, 3)]
    targets = [person.images[FLAIR] for person in people]
    permuted = [
        replace(person, images=person.images | {FLAIR: target})
        for person, target in zip(people, targets[1:] + targets[:1], strict=True)
    ]
    seen, outputs, scores = [], [], []
    for scans in (people, permuted):
        generator, images = Watched(), []
        scores.append(score_routes(noted(way(generator), images), scans, [ROUTE]))
        seen.append(generator.seen)
        outputs.append(images)
    assert len(seen[0]) == len(seen[1]) > 0
    for one, other in zip(*seen, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    for one, other in zip(*outputs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert scores[0] != scores[1]


def test_a_target_that_was_not_acquired_at_all_changes_nothing_either():
    person = tiny_scan("sub-a", 1)
    without = replace(person, images={contrast: person.images[contrast] for contrast in ROUTE[0]})
    indices = np.array([3, 6])
    one, other = (predict_slices(Watched(), scan, ROUTE, indices) for scan in (person, without))
    np.testing.assert_array_equal(one, other)


def test_the_normaliser_of_a_source_never_reads_the_target(phantoms, tmp_path):
    # The target is mirrored in place and made ten times as bright; its brain is the same.
    prepared = []
    for name in ("real", "other"):
        root = tmp_path / name
        root.mkdir()
        write_person(root, "sub-a", "train", phantoms["sub-a"])
        if name == "other":
            path = root / "sub-a" / "anat" / f"sub-a_{FLAIR.bids_suffix}.nii.gz"
            image = nibabel.load(path)
            values = np.asarray(image.dataobj).astype(np.float32)
            inside = values > 0
            values[inside] = 10 * values[inside][::-1]
            nibabel.save(nibabel.Nifti1Image(values, image.affine), path)
        (scan,) = read_scans(root)
        prepared.append(prepare(scan, realign=False))
    real, other = prepared
    assert not np.array_equal(real.images[FLAIR], other.images[FLAIR])
    for source in (T1W, T2W):
        np.testing.assert_array_equal(real.images[source], other.images[source])


def test_in_training_what_is_withheld_is_told_to_be_unavailable(tiny_config, tiny_scans):
    batch = SliceSampler(tiny_scans, tiny_config.data, num_neighbours=3, seed=0).draw(5, 8)
    assert not (batch.target_code * batch.availability).any()
    assert batch.target_code.any(dim=1).all()
