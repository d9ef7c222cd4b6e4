"""Transformers behind the adapter: system C's Restormer-U, and MONAI's SwinUNETR.

Both are told about missing contrasts and height by constant planes among their input channels. Their normalisation
leaves those standing: over the channels of a voxel in Restormer and in the Swin blocks, over groups of channels in the
convolutions of SwinUNETR, whose usual instance normalisation would remove them.
"""

from __future__ import annotations

from torch import Tensor, nn

from MRTranslateLib.networks.conditioning import SourceConditioning
from MRTranslateLib.networks.generator import Generator, GeneratorParameters, SourceSlices, Truth
from MRTranslateLib.networks.restormer import RestormerParameters, RestormerUNet
from MRTranslateLib.networks.unet import NUM_CONTRASTS

SWIN_PATCH = 2
SWIN_GROUPS = 4
SWIN_WIDTH_UNIT = 12
SWIN_STAGES = 4
MAX_SWIN_WINDOW = 16


class RestormerGenerator(Generator):
    """Restormer-U behind the adapter; it predicts all contrasts in one pass, whatever the code."""

    def __init__(self, parameters: RestormerParameters) -> None:
        super().__init__()
        self.num_neighbours, self.size_multiple = parameters.num_neighbours, parameters.size_multiple
        self.conditioning = SourceConditioning(self.num_neighbours, self.size_multiple)
        self.network = RestormerUNet(parameters, in_channels=self.conditioning.num_channels)

    def train_pred(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """See :meth:`Generator.train_pred`; ``target_code`` selects channels afterwards and costs nothing here."""
        return self.predict_with_pyramid(slices)[0]

    def predict_with_pyramid(self, slices: SourceSlices) -> tuple[Tensor, list[Tensor]]:
        """The prediction ``(B, 5, H, W)``, and the features that system C's super-resolution branch builds on.

        Those are coarse to fine, see :meth:`RestormerUNet.forward`.
        """
        relative, pyramid = self.network(self.conditioning(slices))
        return self.conditioning.restore(relative), pyramid


class SwinUNETRParameters(GeneratorParameters, frozen=True, kw_only=True):
    """Size of a SwinUNETR.

    Attributes:
        feature_size: Channels at full and at half resolution, a multiple of 12; doubles with each of four stages.
        depths: Transformer blocks of each stage, 2 as published; every other one attends in shifted windows.
        num_heads: Attention heads of each stage; stage i has ``feature_size * 2**i`` channels to divide.
        window_size: Side of the attention windows, in tokens; a token is 2 voxels at the first stage.
    """

    feature_size: int
    depths: tuple[int, int, int, int]
    num_heads: tuple[int, int, int, int]
    window_size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.feature_size < 1 or self.feature_size % SWIN_WIDTH_UNIT:
            raise ValueError(f"feature_size must be a multiple of {SWIN_WIDTH_UNIT}, got {self.feature_size}")
        if min(self.depths) < 1:
            raise ValueError(f"depths must be 1 or more, got {self.depths}")
        widths = tuple(self.feature_size * 2**stage for stage in range(SWIN_STAGES))
        if any(heads < 1 or width % heads for width, heads in zip(widths, self.num_heads, strict=True)):
            raise ValueError(f"num_heads must divide the widths {widths} stage by stage, got {self.num_heads}")
        if not 2 <= self.window_size <= MAX_SWIN_WINDOW:
            raise ValueError(f"window_size must be in 2..{MAX_SWIN_WINDOW}, got {self.window_size}")


class SwinUNETRGenerator(Generator):
    """MONAI's SwinUNETR in 2D behind the adapter; it predicts all contrasts in one pass, whatever the code.

    Hatamizadeh et al., Swin UNETR: Swin Transformers for Semantic Segmentation of Brain Tumors in MRI Images, 2022,
    arXiv:2201.01266; here for regression, in 2.5D.
    """

    def __init__(self, parameters: SwinUNETRParameters) -> None:
        from monai.networks.nets.swin_unetr import SwinUNETR

        super().__init__()
        self.num_neighbours, self.size_multiple = parameters.num_neighbours, SWIN_PATCH ** (SWIN_STAGES + 1)
        self.conditioning = SourceConditioning(self.num_neighbours, self.size_multiple)
        self.network = SwinUNETR(
            in_channels=self.conditioning.num_channels,
            out_channels=NUM_CONTRASTS,
            patch_size=SWIN_PATCH,
            depths=parameters.depths,
            num_heads=parameters.num_heads,
            window_size=parameters.window_size,
            feature_size=parameters.feature_size,
            norm_name=("group", {"num_groups": SWIN_GROUPS}),
            spatial_dims=2,
        )
        _keep_indices_out_of_the_weights(self.network)

    def train_pred(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """See :meth:`Generator.train_pred`; ``target_code`` selects channels afterwards and costs nothing here."""
        return self.conditioning.restore(self.network(self.conditioning(slices)))


def _keep_indices_out_of_the_weights(network: nn.Module) -> None:
    """Integer tables that follow from the sizes are no weights, and a bundle holds nothing else."""
    for module in network.modules():
        for name, values in list(module.named_buffers(recurse=False)):
            if not values.is_floating_point():
                module.register_buffer(name, values, persistent=False)
