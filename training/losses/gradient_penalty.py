"""R1: the discriminator's gradient at real images is held small, lazily.

L. Mescheder et al. Which Training Methods for GANs do actually Converge? ICML 2018. arXiv:1801.04406, equation 9.
T. Karras et al. Analyzing and Improving the Image Quality of StyleGAN. CVPR 2020. arXiv:1912.04958: every k-th step
only, k times as strong. METHODS 2.3 proposes gamma 1 and k 16.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def r1_penalty(logits_of: Callable[[Tensor], Tensor], real: Tensor, *, gamma: float) -> Tensor:
    """``gamma / 2 * mean_b ||grad_x sum_i z_i(x_b)||^2 / n`` with n logits an image.

    For a single logit this is R1. For a map it is divided by the number of logits, so that neither the image's size nor
    the stride changes its strength.

    Args:
        logits_of: The discriminator with everything but the image held fixed; returns ``(B, ...)``. An image's logits
            must depend on that image alone. Run it in float32: bf16 has too few digits for second derivatives.
        real: ``(B, C, H, W)``.
        gamma: Strength, not negative.

    Returns:
        A scalar whose gradient reaches the discriminator's weights.
    """
    image = real.detach().float().requires_grad_(True)
    with torch.autocast(image.device.type, enabled=False):
        logits = logits_of(image)
        (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    logits_per_image = logits[0].numel()
    return 0.5 * gamma * gradient.square().flatten(1).sum(dim=1).mean() / logits_per_image


def lazy_r1_penalty(
    logits_of: Callable[[Tensor], Tensor], real: Tensor, step: int, *, gamma: float, interval: int
) -> Tensor | None:
    """:func:`r1_penalty` times ``interval`` at every ``interval``-th step, None at the others."""
    if interval < 1:
        raise ValueError(f"interval must be 1 or more, got {interval}")
    return interval * r1_penalty(logits_of, real, gamma=gamma) if step % interval == 0 else None
