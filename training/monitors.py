"""Watches for the ways in which training goes wrong that METHODS section 9 names; a stage calls them as it goes.

What spoils everything after it (folding flows, a drifted gauge) raises; what makes a component worthless without
harming the rest (a trivial student, a saturated discriminator) warns. Both say in one sentence what was seen and what
to change.
"""

from __future__ import annotations

import math
import statistics
import warnings
from collections import deque
from collections.abc import Sequence

from scipy import stats
from torch import Tensor

from MRTranslateLib.errors import MRTranslateError
from MRTranslateLib.networks.warp import folding_share

MAX_FOLDING_SHARE = 0.001
"""Of the brain's voxels; METHODS 4.2."""
MAX_GAUGE_VOXELS = 0.5
"""Length of the mean flow over many slices. Random misalignment has mean zero, so more is the generator's own shift."""
GAUGE_STANDARD_ERRORS = 3.0
"""What few slices with large misalignment may be off by chance: this many standard errors of the mean."""
STILL_FLOW_VOXELS = 0.02
"""A student whose mean displacement is shorter does not warp."""
SIGNIFICANCE = 0.05
ACCURACY_BAND = (0.55, 0.85)
"""Where a discriminator teaches the generator; METHODS 2.3."""
FLOW_WINDOW = 50
DISCRIMINATOR_WINDOW = 200
STUDENT_WINDOW = 100
"""Steps over which a monitor averages before it judges."""


class SpoiltTrainingError(MRTranslateError):
    """Training went on, but what it makes is not what was asked for; the last checkpoint may be from before."""


class WorthlessComponentWarning(UserWarning):
    """A component trains without doing its work; the rest is unharmed."""


class FoldingMonitor:
    """Stops when the flows of a component fold the brain.

    Args:
        component: Name for the message.
    """

    def __init__(self, component: str) -> None:
        self.component = component
        self._shares: deque[float] = deque(maxlen=FLOW_WINDOW)

    def observe(self, flow: Tensor, brain: Tensor) -> None:
        """Take a step's flow ``(B, 2, H, W)`` in voxels and brain ``(B, 1, H, W)``.

        Raises:
            SpoiltTrainingError: If more than ``MAX_FOLDING_SHARE`` of the brain folded in half of the last steps.
        """
        self._shares.append(folding_share(flow.detach(), brain).item())
        typical = statistics.median(self._shares)  # a single wild step is no reason to stop
        if len(self._shares) == FLOW_WINDOW and typical > MAX_FOLDING_SHARE:
            raise SpoiltTrainingError(
                f"{self.component}: its flow folds {typical:.2%} of the brain, more than {MAX_FOLDING_SHARE:.1%}; "
                "raise the weight of smoothness, lower the learning rate or make the flow diffeomorphic"
            )


class GaugeMonitor:
    """Stops when flows have a common direction: then the generator shifts its images and the flow undoes it.

    Args:
        component: Name for the message.
    """

    def __init__(self, component: str) -> None:
        self.component = component
        self._rows: deque[float] = deque(maxlen=FLOW_WINDOW)
        self._columns: deque[float] = deque(maxlen=FLOW_WINDOW)

    def observe(self, flow: Tensor, brain: Tensor) -> None:
        """Take a step's flow ``(B, 2, H, W)`` in voxels and brain ``(B, 1, H, W)``.

        Raises:
            SpoiltTrainingError: If the mean flow over the last steps is longer than ``MAX_GAUGE_VOXELS`` and chance.
        """
        mean = (flow.detach() * brain).sum(dim=(0, 2, 3)) / brain.sum().clamp(min=1)
        self._rows.append(mean[0].item())
        self._columns.append(mean[1].item())
        if len(self._rows) < FLOW_WINDOW:
            return
        length = math.hypot(_mean(self._rows), _mean(self._columns))
        spread = math.hypot(statistics.stdev(self._rows), statistics.stdev(self._columns))
        chance = GAUGE_STANDARD_ERRORS * spread / math.sqrt(FLOW_WINDOW)
        if length > max(MAX_GAUGE_VOXELS, chance):
            raise SpoiltTrainingError(
                f"{self.component}: the mean flow is {length:.2f} voxels and should be near 0, so the generator shifts "
                "its images and the flow undoes it; lower the learning rate of this component or raise the share of "
                "pairs with known flow"
            )


class DiscriminatorMonitor:
    """Warns when a discriminator is too strong or too weak to teach; once until it is back in the band.

    Args:
        component: Name for the message.
    """

    def __init__(self, component: str) -> None:
        self.component = component
        self._accuracies: deque[float] = deque(maxlen=DISCRIMINATOR_WINDOW)
        self._warned = False

    def observe(self, accuracy: float) -> None:
        """Take a step's share of right answers inside the brain, 0..1."""
        self._accuracies.append(accuracy)
        mean, (low, high) = _mean(self._accuracies), ACCURACY_BAND
        if low <= mean <= high:
            self._warned = False
        elif len(self._accuracies) == DISCRIMINATOR_WINDOW and not self._warned:
            self._warned = True
            word, remedy = ("below", "raise") if mean < low else ("above", "lower")
            warnings.warn(
                f"{self.component}: its accuracy over {DISCRIMINATOR_WINDOW} steps is {mean:.2f}, {word} {low:.2f} to "
                f"{high:.2f}; {remedy} its learning rate",
                WorthlessComponentWarning,
                stacklevel=2,
            )


class StudentMonitor:
    """Judges a student by its last steps when its stage ends; a stage that was shorter is not judged."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float, float]] = deque(maxlen=STUDENT_WINDOW)

    def observe(self, generator_error: float, student_error: float, mean_flow_voxels: float) -> None:
        """Take a step's mean errors, both of the same slices, and how far the student moved them."""
        self._steps.append((generator_error, student_error, mean_flow_voxels))

    def judge(self) -> None:
        """See :func:`check_student`; each of the last steps is one case."""
        if len(self._steps) == STUDENT_WINDOW:
            generator_errors, student_errors, flows = zip(*self._steps, strict=True)
            check_student(generator_errors, student_errors, _mean(flows))


def check_student(generator_errors: Sequence[float], student_errors: Sequence[float], mean_flow_voxels: float) -> None:
    """Warn if the student neither warps nor improves: nothing was distilled (METHODS 9.2, i and ii).

    The gain is judged by Wilcoxon's signed-rank test, one-sided, over steps, slices or people.

    Args:
        generator_errors: Error of the translation for each case, any unit.
        student_errors: Error of the refined translation for the same cases.
        mean_flow_voxels: Mean length of the student's flow inside the brain.

    Raises:
        ValueError: If the two lists are empty or not equally long.
    """
    if not generator_errors or len(generator_errors) != len(student_errors):
        raise ValueError(f"need one error of each per case, got {len(generator_errors)} and {len(student_errors)}")
    gains = [before - after for before, after in zip(generator_errors, student_errors, strict=True)]
    chance = stats.wilcoxon(gains, alternative="greater").pvalue if any(gains) else 1.0
    if mean_flow_voxels < STILL_FLOW_VOXELS and chance >= SIGNIFICANCE:
        warnings.warn(
            f"student: it moves by {mean_flow_voxels:.3f} voxels on average and its gain over the generator is not "
            f"significant (p = {chance:.2f} over {len(gains)} cases); correct the labels first or give it a residual "
            "head",
            WorthlessComponentWarning,
            stacklevel=2,
        )


def _mean(values: Sequence[float] | deque[float]) -> float:
    return sum(values) / len(values)
