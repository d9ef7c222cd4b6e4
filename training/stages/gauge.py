"""The term of a generator stage that holds the translation on its sources (METHODS 9.1, proposals).

Generator and label correction could agree on a common shift: their loss stays the same, the alignment is lost. The
sources know where things are.
"""

from __future__ import annotations

from torch import Tensor

from training.batch import Pairs
from training.config import GaugeConfig
from training.losses.edge_alignment import edge_misalignment
from training.losses.mutual_information import negative_mutual_information

FORMS = {"edges": edge_misalignment, "mutual_information": negative_mutual_information}


def gauge_term(settings: GaugeConfig, pairs: Pairs, synthetic: Tensor) -> Tensor:
    """Weighted; ``synthetic`` is ``(P, 1, H, W)``, 0..1 units, and is compared with the clean sources."""
    loss = FORMS[settings.form]
    return settings.weight * loss(synthetic, pairs.sources, pairs.availability, pairs.brain)
