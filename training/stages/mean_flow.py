"""What the flows of many slices have in common, taken off them (METHODS 9.1, a proposal).

Random misalignment has mean zero, so a common direction is the generator's own shift, which label correction would
follow and so confirm. A single slice's mean is kept: that much the patient may really have moved.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from training.distributed import Processes
from training.running_mean import RunningMean

WINDOW_STEPS = 50
"""Steps after which a flow counts 1/e: enough slices for a mean, few enough to follow a drift."""


class MeanFlow:
    """The running mean of the flow in the brain, over all slices of all processes."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self._axes = {"rows": RunningMean(WINDOW_STEPS), "columns": RunningMean(WINDOW_STEPS)}

    def taken_off(self, flow: Tensor, brain: Tensor) -> Tensor:
        """The flow without the mean so far, which this step's flow enters first.

        Args:
            flow: ``(P, 2, H, W)``, voxels; its gradient passes, the mean is a constant.
            brain: ``(P, 1, H, W)``, 0/1.
        """
        mean = (flow.detach() * brain).sum(dim=(0, 2, 3)) / brain.sum().clamp(min=1)
        shared = self.processes.mean(dict(zip(self._axes, mean.tolist(), strict=True)))
        for name, axis in self._axes.items():
            axis.update(shared[name])
        return flow - flow.new_tensor([axis.value for axis in self._axes.values()]).view(1, 2, 1, 1)

    def state_dict(self) -> dict[str, dict[str, float]]:
        """What a resumed stage needs."""
        return {name: axis.state_dict() for name, axis in self._axes.items()}

    def load_state_dict(self, state: Mapping[str, dict[str, float]]) -> None:
        """Continue from :meth:`state_dict`."""
        for name, axis in self._axes.items():
            axis.load_state_dict(state[name])
