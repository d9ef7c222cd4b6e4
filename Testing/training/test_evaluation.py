"""Scores against closed forms; the slices that a generator is handed; scores on disk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.networks.generator import Generator
from training.evaluation import (
    REPORTED_ROUTES,
    RouteScore,
    flat_table,
    predict_slices,
    read_scores,
    route_name,
    score_routes,
    write_scores,
)

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
T1W_TO_T2W, T1W_TO_FLAIR = ((T1W,), T2W), ((T1W,), FLAIR)


def truth(scan, route, indices):
    return scan.images[route[1]][indices].astype(np.float32) / 255


def off_by(error, lesion_error):
    """A translator whose error is constant in the lesion and constant elsewhere."""

    def predict(scan, route, indices):
        return truth(scan, route, indices) + np.where(scan.lesion[indices] > 0, lesion_error, error).astype(np.float32)

    return predict


def test_a_perfect_translation_has_no_error_and_full_similarity(tiny_scans):
    (score,) = score_routes(truth, tiny_scans, [T1W_TO_T2W])
    assert score.brain_psnr == score.lesion_psnr == np.inf
    assert score.brain_ssim == pytest.approx(1)


def test_a_constant_error_of_a_tenth_is_20_db(tiny_scans):
    (score,) = score_routes(off_by(0.1, 0.1), tiny_scans, [T1W_TO_T2W])
    assert score.brain_psnr == pytest.approx(20, abs=1e-4)
    assert score.lesion_psnr == pytest.approx(20, abs=1e-4)


def test_the_lesion_is_judged_by_itself(tiny_scans):
    (score,) = score_routes(off_by(0.0, 0.01), tiny_scans, [T1W_TO_T2W])
    scan = tiny_scans[0]
    share = (scan.lesion > 0).sum() / scan.brain.sum()
    assert score.lesion_psnr == pytest.approx(40, abs=1e-3)
    assert score.brain_psnr == pytest.approx(40 - 10 * np.log10(share), abs=1e-3)


def test_what_lies_outside_the_brain_does_not_count(tiny_scans):
    def predict(scan, route, indices):
        return truth(scan, route, indices) + np.where(scan.brain[indices], 0.1, 5).astype(np.float32)

    (score,) = score_routes(predict, tiny_scans, [T1W_TO_T2W])
    (same,) = score_routes(off_by(0.1, 0.1), tiny_scans, [T1W_TO_T2W])
    assert score.brain_psnr == pytest.approx(20, abs=1e-4)
    assert score.brain_ssim == pytest.approx(same.brain_ssim)


def test_a_score_is_the_mean_over_people(tiny_scans):
    def predict(scan, route, indices):
        return (
            off_by(0.1, 0.1)(scan, route, indices)
            if scan.case_id == "sub-a"
            else off_by(0.01, 0.01)(scan, route, indices)
        )

    (score,) = score_routes(predict, tiny_scans[:2], [T1W_TO_T2W])
    assert score.brain_psnr == pytest.approx(30, abs=1e-2)


def test_people_without_a_contrast_of_the_route_are_passed_over(tiny_scans):
    t2w, flair = score_routes(off_by(0.1, 0.1), tiny_scans, [T1W_TO_T2W, T1W_TO_FLAIR])
    assert (t2w.num_cases, flair.num_cases) == (2, 3)


def test_routes_that_nobody_has_are_left_out(tiny_scans):
    assert [score.route for score in score_routes(truth, tiny_scans, REPORTED_ROUTES)] == list(REPORTED_ROUTES[:-1])
    assert score_routes(truth, [], REPORTED_ROUTES) == []


def test_every_nth_brain_slice_is_judged_without_similarity(tiny_scans):
    asked = []

    def predict(scan, route, indices):
        asked.append(indices.tolist())
        return truth(scan, route, indices) + np.float32(0.1)

    (score,) = score_routes(predict, tiny_scans[:1], [T1W_TO_T2W], every=3)
    assert asked == [np.flatnonzero(tiny_scans[0].brain.any(axis=(1, 2)))[::3].tolist()]
    assert score.brain_ssim is None
    assert score.brain_psnr == pytest.approx(20, abs=1e-4)


def test_without_a_lesion_there_is_no_lesion_score(tiny_scans):
    tiny_scans[0].lesion[:] = 0
    (score,) = score_routes(truth, tiny_scans[:1], [T1W_TO_T2W])
    assert score.lesion_psnr is None


class Echo(Generator):
    """Hands the middle slice of T1w back as FLAIR, and notes what it saw."""

    num_neighbours, size_multiple = 3, 16

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.seen = []

    def train_pred(self, slices, target_code):
        self.seen.append((slices, target_code))
        result = torch.zeros(len(slices.images), len(Contrast), *slices.images.shape[-2:])
        result[:, FLAIR.channel] = slices.images[:, T1W.channel, 1]
        return result


def test_a_generator_sees_the_slice_in_the_middle_and_gives_it_back_in_place(tiny_scans):
    scan, echo = tiny_scans[0], Echo()
    predicted = predict_slices(echo, scan, T1W_TO_FLAIR, np.array([4, 7]))
    np.testing.assert_allclose(predicted, scan.images[T1W][[4, 7]] / 255, atol=1e-6)
    slices, code = echo.seen[0]
    assert slices.images.shape[-2:] == (48, 48)  # 40 x 36 padded to multiples of 16
    assert code[0].nonzero().ravel().tolist() == [FLAIR.channel]


def test_a_generator_sees_its_sources_alone(tiny_scans):
    echo = Echo()
    predict_slices(echo, tiny_scans[0], T1W_TO_FLAIR, np.array([5]))
    ((slices, _),) = echo.seen
    assert slices.availability[0].nonzero().ravel().tolist() == [T1W.channel]
    others = [contrast.channel for contrast in Contrast if contrast is not T1W]
    assert not slices.images[:, others].any()


def test_neighbours_beyond_the_volume_are_empty_and_height_runs_over_the_brain(tiny_scans):
    scan, echo = tiny_scans[0], Echo()
    brain_slices = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    scan.images[T1W][:] = 51
    predict_slices(echo, scan, T1W_TO_FLAIR, np.array([0, brain_slices[0], brain_slices[-1], len(scan.brain) - 1]))
    first, low, high, last = (slices for slices, _ in echo.seen)
    assert [bool(plane.any()) for plane in first.images[0, T1W.channel]] == [False, True, True]
    assert [bool(plane.any()) for plane in last.images[0, T1W.channel]] == [True, True, False]
    assert (low.height.item(), high.height.item()) == (0, 1)


def scored(**changes):
    return RouteScore(
        **(
            {"route": ((T1W, T2W), FLAIR), "num_cases": 3, "brain_psnr": 25.5, "brain_ssim": 0.9, "lesion_psnr": 20.25}
            | changes
        )
    )


def test_a_route_is_named_by_its_sources_and_its_target():
    assert route_name(((T1W, T2W), FLAIR)) == "T1w+T2w>FLAIR"


def test_the_flat_table_names_route_and_region():
    table = flat_table([scored(), scored(route=((FLAIR,), Contrast.T1W_GD), lesion_psnr=None)])
    assert table == {"T1w+T2w>FLAIR brain": 25.5, "T1w+T2w>FLAIR lesion": 20.25, "FLAIR>T1wGd brain": 25.5}


def test_written_scores_read_back_equal_and_replace_older_ones(tmp_path):
    scores = [scored(), scored(route=T1W_TO_T2W, brain_ssim=None, lesion_psnr=None)]
    write_scores(tmp_path / "scores.json", [])
    write_scores(tmp_path / "scores.json", scores)
    assert read_scores(tmp_path / "scores.json") == scores


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b'[{"route": [["T1w"], "XYZ"], "num_cases": 1, "brain_psnr": 1.0}]']
)
def test_a_file_without_scores_is_refused_by_name(tmp_path, content):
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"scores\.json: no scores .*training baseline"):
        read_scores(path)


def test_a_missing_file_of_scores_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"absent\.json"):
        read_scores(tmp_path / "absent.json")


def test_flicker_is_the_change_from_slice_to_slice_relative_to_the_real_one(tiny_scans):
    scan = tiny_scans[0]
    scan.images[T2W] = np.where(np.arange(12) % 2 == 0, 200, 100).astype(np.uint8)[:, None, None] * scan.brain
    halved = lambda scan, route, indices: 0.2 + 0.5 * truth(scan, route, indices)  # noqa: E731
    (perfect,), (half,) = (score_routes(predict, [scan], [T1W_TO_T2W]) for predict in (truth, halved))
    assert perfect.flicker == pytest.approx(1, abs=1e-5)
    assert half.flicker == pytest.approx(0.5, abs=1e-5)


def test_flicker_is_not_judged_on_every_second_slice_or_where_nothing_changes(tiny_scans):
    (still,) = score_routes(truth, tiny_scans[:1], [T1W_TO_T2W])
    (sparse,) = score_routes(truth, tiny_scans[:1], [T1W_TO_T2W], every=2)
    assert (still.flicker, sparse.flicker) == (None, None)
