"""A training run as typed, closed values: unknown, missing and mistyped keys are refused by file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.networks.local_discriminator import (
    DIFFICULTY_EXPONENT,
    DiscriminatorParameters,
    LocalDiscriminatorParameters,
)
from MRTranslateLib.networks.refiner import RefinementParameters
from MRTranslateLib.networks.registration_unet import RegistrationUNetParameters
from MRTranslateLib.networks.super_resolution import SuperResolutionParameters
from training.networks.volume_refiner import VolumeRefinerParameters


class ConfigError(UsageError):
    """A configuration that must not start a run; the message names file and key."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: fields have no defaults, so a YAML file shows every value.

    Only what was added after the first checkpoints may be left out, and then is off, so that their configurations are
    read as they were.
    """


class DataConfig(Section, frozen=True, kw_only=True):
    """Which people, and how slices are drawn from them.

    Attributes:
        realign: Participants whose contrasts are rigidly registered to their last listed contrast, FLAIR, on which
            lesions were drawn, while caching.
        crop_voxels: Height (anterior) and width (right) of training slices.
        lesion_fraction: Share of slices drawn among those that cut a lesion, where there is a mask.
        source_count_weights: Relative frequency of 1, 2 and 3 sources.
        views: Along which axis scans are cut into slices; several make one generator learn from all of them, for a mean
            of views (METHODS 9.4). What ships is cut axially.
        style_probability: Share of slices that are given the brightness of another person's scan, some way.
        source_sets: Sets of sources that are usual, drawn evenly; one that is named twice is drawn twice as often.
        source_set_share: Share of slices whose sources are one of them, where the person has them and a contrast more;
            the others' are drawn by ``source_count_weights``.
        graft_probability: Share of slices that are given another person's lesion.
    """

    realign: tuple[str, ...]
    crop_voxels: tuple[int, int]
    lesion_fraction: float
    source_count_weights: tuple[float, float, float]
    views: tuple[Literal["axial", "coronal", "sagittal"], ...] = ("axial",)
    style_probability: float = 0.0
    source_sets: tuple[tuple[Contrast, ...], ...] = ()
    source_set_share: float = 0.0
    graft_probability: float = 0.0

    def __post_init__(self) -> None:
        if not self.views or len(set(self.views)) < len(self.views):
            raise ValueError(f"views must be different ones of axial, coronal and sagittal, got {self.views}")
        if min(self.crop_voxels) < 16:
            raise ValueError(f"crop_voxels must be at least 16, got {self.crop_voxels}")
        if not 0 <= self.lesion_fraction <= 1:
            raise ValueError(f"lesion_fraction must be in 0..1, got {self.lesion_fraction}")
        if min(self.source_count_weights) < 0 or sum(self.source_count_weights) <= 0:
            raise ValueError(f"source_count_weights must be positive, got {self.source_count_weights}")
        for name in ("style_probability", "graft_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in 0..1, got {getattr(self, name)}")
        if not 0 <= self.source_set_share <= 1 or (self.source_set_share > 0) != bool(self.source_sets):
            raise ValueError(
                f"source_set_share must be in 0..1, above 0 only with source_sets, got {self.source_set_share}"
            )
        if any(not names or len(set(names)) < len(names) for names in self.source_sets):
            raise ValueError("each of source_sets must name one contrast or more, each once")


class AugmentationConfig(Section, frozen=True, kw_only=True):
    """Random changes to training slices; geometry is the same for all contrasts, the rest is for sources only.

    Attributes:
        mirror_probability: Share of slices whose left and right are exchanged.
        geometry_probability: Share of slices that are rotated, scaled, shifted and warped.
        rotation_deg: Largest rotation.
        scale: Largest relative change of size.
        shift_voxels: Largest shift.
        warp_voxels: Standard deviation of the smooth warp.
        gamma: Largest absolute log-gamma.
        gain: Largest relative change of brightness.
        bias_field: Largest log-amplitude of the smooth bias field.
        noise: Largest noise standard deviation, in units of the 99.5th percentile.
        blur_probability: Share of source contrasts that are blurred, in plane or through plane.
    """

    mirror_probability: float
    geometry_probability: float
    rotation_deg: float
    scale: float
    shift_voxels: float
    warp_voxels: float
    gamma: float
    gain: float
    bias_field: float
    noise: float
    blur_probability: float

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0 <= getattr(self, name) <= 90:
                raise ValueError(f"{name} must be in 0..90, got {getattr(self, name)}")


class GeneratorConfig(Section, frozen=True, kw_only=True):
    """The generator: an architecture of ``MRTranslateLib.networks.generator`` and its parameters."""

    architecture: str
    parameters: dict[str, Any]


class LossConfig(Section, frozen=True, kw_only=True):
    """Weights of the supervised losses, averaged inside the brain.

    Attributes:
        absolute_error: Of the mean absolute error.
        squared_error: Of the mean squared error.
        structural_similarity: Of 1 - SSIM.
        lesion: How many times more a voxel of a drawn lesion counts in the first two.
        level: Share of a slice's mean error that counts in the first two. The level of a contrast depends on the
            scanner more than on anything the sources show; below 1 it drowns the structure less.
        own: Of the losses that belong to the generator's family alone, as the flow objective.
        multi_scale_similarity: Of 1 - MS-SSIM, which system C has in place of SSIM (METHODS 3.3, stated, weight 1).
        hidden_lesion: As ``lesion``, where no source is a T2w or FLAIR: oedema and plaques, bright there, are faint in
            the others, and their average with healthy tissue is too dark. None for the same.
    """

    absolute_error: float
    squared_error: float
    structural_similarity: float
    lesion: float
    level: float
    own: float = 1.0
    multi_scale_similarity: float = 0.0
    hidden_lesion: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must not be negative, got {value}")


class OptimizerConfig(Section, frozen=True, kw_only=True):
    """How weights follow their gradients, after a linear warm-up; for the steps after the voxel stage.

    Attributes:
        method: ``adamw``, or ``ranger`` as system C's official code has it (METHODS 3.3, stated).
        schedule: After the warm-up ``cosine`` to zero at the last step, or ``constant`` (METHODS 3.3, stated).
    """

    peak_learning_rate: float
    weight_decay: float
    num_warmup_steps: int
    num_steps: int
    batch_size: int
    gradient_clip_norm: float
    ema_decay: float
    method: Literal["adamw", "ranger"] = "adamw"
    schedule: Literal["cosine", "constant"] = "cosine"

    def __post_init__(self) -> None:
        if not 0 < self.peak_learning_rate < 1:
            raise ValueError(f"peak_learning_rate must be in (0, 1), got {self.peak_learning_rate}")
        if not 0 <= self.num_warmup_steps < self.num_steps:
            raise ValueError(f"num_warmup_steps {self.num_warmup_steps} must be below num_steps {self.num_steps}")
        if self.batch_size < 1 or not 0 <= self.ema_decay < 1 or self.gradient_clip_norm <= 0:
            raise ValueError("need batch_size >= 1, 0 <= ema_decay < 1 and gradient_clip_norm > 0")


class VoxelStageConfig(Section, frozen=True, kw_only=True):
    """The stage before all others: the generator's per-voxel path alone learns what a regression knows.

    Attributes:
        num_steps: 0 for generators without such a path.
        voxels_per_scan: Drawn once from each scan, evenly over its brain.
        batch_voxels: Voxels of all scans per step.
        learning_rate: At the start; falls by half a cosine to zero.
        frozen_afterwards: The path and the embedding it shares with the U-Net keep what they learned here.
    """

    num_steps: int
    voxels_per_scan: int
    batch_voxels: int
    learning_rate: float
    frozen_afterwards: bool

    def __post_init__(self) -> None:
        if self.num_steps < 0 or min(self.voxels_per_scan, self.batch_voxels) < 1 or not 0 < self.learning_rate < 1:
            raise ValueError("need num_steps >= 0, at least 1 voxel and learning_rate in (0, 1)")


class RefinementConfig(RefinementParameters, frozen=True, kw_only=True):
    """A teacher: a refinement network with privileged inputs.

    Attributes:
        with_sources: Whether it sees the sources beside the synthetic image and the target.
    """

    with_sources: bool


class NetworksConfig(Section, frozen=True, kw_only=True):
    """What else is trained beside the generator; null for what no stage uses.

    Attributes:
        label_correction: System C, moves the target into the frame of the sources; training only.
        local_discriminator: System B, kept at inference for the attention map.
        global_discriminator: System B, one judgement for the whole slice; training only.
        teacher: System A, training only.
        student: System A, kept at inference behind the generator.
        super_resolution: System C, kept at inference for an acquired low-resolution target.
        difference_projection: System C, the discriminator of the super-resolution stage: its width.
        patch_discriminator: System C, tells moved targets from unmoved ones; training only: its width.
        volume_refiner: Mends in 3-D what jumps from slice to slice; training only, no bundle holds it.
    """

    label_correction: RegistrationUNetParameters | None
    local_discriminator: LocalDiscriminatorParameters | None
    global_discriminator: DiscriminatorParameters | None
    teacher: RefinementConfig | None
    student: RefinementParameters | None
    super_resolution: SuperResolutionParameters | None
    difference_projection: int | None
    patch_discriminator: int | None = None
    volume_refiner: VolumeRefinerParameters | None = None


class LabelCorrectionConfig(Section, frozen=True, kw_only=True):
    """System C's label correction inside a generator stage (METHODS 3.3, 4.2, 9.1).

    Attributes:
        learning_rate_share: Its learning rate as a share of the generator's; 0 keeps it as it is.
        start_step: Before, it learns from known motions alone and targets are taken as they are.
        known_motion_affine_level: Level k of RegGAN's affine motion for pairs that are moved on purpose.
        known_motion_elastic_voxels: Longest elastic displacement of those pairs.
        known_motion_of: What is moved: the ``target`` where the data are aligned, else the ``translation``.
        adversarial: Weight of looking, to the patch discriminator, like a target that was not moved; 0 for without.
        subtract_mean_flow: Whether what the flows of many slices have in common is taken off them: it is the
            generator's own shift.
        initial_smoothness: Weight of smoothness at the stage's first step; falls evenly to 1 (METHODS 4.2 has 10).
        hide_warped_border: Whether discriminators are kept from seeing what came from beyond the slice (METHODS 9.3).
    """

    learning_rate_share: float
    start_step: int
    known_motion_affine_level: float
    known_motion_elastic_voxels: float
    known_motion_of: Literal["target", "translation"]
    adversarial: float = 0.0
    subtract_mean_flow: bool = False
    initial_smoothness: float = 1.0
    hide_warped_border: bool = False

    def __post_init__(self) -> None:
        if not self.adversarial >= 0:
            raise ValueError(f"adversarial must not be negative, got {self.adversarial}")
        if not self.initial_smoothness >= 1:
            raise ValueError(f"initial_smoothness must be 1 or more, got {self.initial_smoothness}")
        if self.adversarial > 0 and self.learning_rate_share == 0:
            raise ValueError("adversarial reaches label correction only: with learning_rate_share 0 it must be 0")


class AttentionConfig(Section, frozen=True, kw_only=True):
    """How much each voxel's error counts (METHODS 2.3).

    Attributes:
        form: ``difficulty`` (system B), or the controls ``focal`` (read off the target) and ``uniform``. Alternatives:
            ``difference``, half difficulty and half the difference to the target (METHODS 4.1, rule 4), and ``sample``,
            one weight a slice by the global discriminator (METHODS 2.2).
        strength: lambda_a after the ramp, 0..1.
        start_step: First step of the ramp.
        ramp_steps: Its length.
        exponent: beta of ``(1 - M)^beta``.
    """

    form: Literal["difficulty", "focal", "uniform", "difference", "sample"]
    strength: float
    start_step: int
    ramp_steps: int
    exponent: float = DIFFICULTY_EXPONENT

    def __post_init__(self) -> None:
        if not self.exponent > 0:
            raise ValueError(f"exponent must be positive, got {self.exponent}")


class AdversarialConfig(Section, frozen=True, kw_only=True):
    """System B's discriminators inside a generator stage (METHODS 2.3).

    Attributes:
        loss: A name of ``training.losses.adversarial``; attention needs ``binary_cross_entropy``.
        local_labels: What the local discriminator is told of a synthetic slice: ``plain``, that nothing in it is real
            (METHODS 2.3); ``error_aware``, how close each place comes (our proposal; binary cross-entropy only).
        local_weight: Of the local discriminator in the generator's loss.
        global_weight: Of the global one.
        gradient_difference: Weight of the gradient-difference loss.
        learning_rate_share: The discriminators' learning rate as a share of the generator's.
        r1_gamma: Weight of the R1 penalty, 0 for none.
        r1_every_steps: How often it is taken.
        attention: How voxels are weighted.
        feature_matching: Weight of matching the discriminators' layers, whatever their own weights (METHODS 4.2 has 1).
        slope_penalty: lambda of the Wasserstein loss (METHODS 2.2 has 10); only with that loss.
        real_warp_voxels: Real slices are resampled under random displacements of up to so much before the
            discriminators see them, below 1 (METHODS 9.3); 0 for none.
        augmentation: Share of slices to which each change of ``training.data.discriminator_augmentation`` is made, in
            real and synthetic alike (METHODS 9.3), 0..1.
    """

    loss: Literal["binary_cross_entropy", "least_squares", "relativistic_average", "wasserstein"]
    local_labels: Literal["plain", "error_aware"]
    local_weight: float
    global_weight: float
    gradient_difference: float
    learning_rate_share: float
    r1_gamma: float
    r1_every_steps: int
    attention: AttentionConfig
    feature_matching: float = 0.0
    slope_penalty: float = 0.0
    real_warp_voxels: float = 0.0
    augmentation: float = 0.0

    def __post_init__(self) -> None:
        form = self.attention.form
        if form in ("difficulty", "difference", "sample") and self.loss != "binary_cross_entropy":
            raise ValueError(f"attention by {form} needs loss binary_cross_entropy, got {self.loss}")
        if not (self.feature_matching >= 0 and self.slope_penalty >= 0):
            raise ValueError("feature_matching and slope_penalty must not be negative")
        if self.slope_penalty > 0 and self.loss != "wasserstein":
            raise ValueError(f"slope_penalty belongs to loss wasserstein, got {self.loss}")
        if not 0 <= self.real_warp_voxels < 1:
            raise ValueError(f"real_warp_voxels must be in [0, 1), got {self.real_warp_voxels}")
        if not 0 <= self.augmentation <= 1:
            raise ValueError(f"augmentation must be in 0..1, got {self.augmentation}")
        if self.local_labels == "error_aware" and self.loss != "binary_cross_entropy":
            raise ValueError(f"error_aware labels need loss binary_cross_entropy, got {self.loss}")


class AttackConfig(Section, frozen=True, kw_only=True):
    """System A's attacker before the generator (METHODS 1.6).

    Attributes:
        attacker: ``worst_of_k``, ``score_search``, ``perturbation_generator``, or the control ``random`` (noise and the
            other perturbations without choosing the worst).
        probability: Share of steps whose sources are attacked.
        consistency: Weight of the difference to the clean prediction.
        num_candidates: Perturbations tried per step by ``worst_of_k``, queries by ``score_search``.
        max_level: Of the perturbation bank, reached at the end of the curriculum.
        curriculum_steps: Steps over which the level rises to the top.
        epsilon: Largest change of a voxel for the additive attackers at the end of the curriculum, which begins with
            half of it; 0..1 units, 8/255 in METHODS.
        directions: In which ``score_search`` tries: ``gaussian`` is NES, ``rademacher`` SPSA.
        grid: Cosines per axis of its field, 8 to 16 in METHODS.
    """

    attacker: Literal["worst_of_k", "score_search", "perturbation_generator", "random"]
    probability: float
    consistency: float
    num_candidates: int
    max_level: int
    curriculum_steps: int
    epsilon: float
    directions: Literal["gaussian", "rademacher"] = "gaussian"
    grid: int = 8

    def __post_init__(self) -> None:
        for name in ("num_candidates", "curriculum_steps", "grid"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, got {self.probability}")
        if not 1 <= self.max_level <= 5:
            raise ValueError(f"max_level must be 1 to 5, got {self.max_level}")
        if not (self.consistency >= 0 and self.epsilon > 0):
            raise ValueError(f"need consistency >= 0 and a positive epsilon, got {self.consistency} and {self.epsilon}")


class GaugeConfig(Section, frozen=True, kw_only=True):
    """What holds the translation on its sources, so that generator and label correction cannot shift it together.

    METHODS 9.1, a proposal that names both forms.

    Attributes:
        form: ``edges`` of translation and sources along each other, or their ``mutual_information``.
        weight: In the generator's loss, positive.
    """

    form: Literal["edges", "mutual_information"]
    weight: float

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise ValueError(f"weight must be positive, got {self.weight}; for none, set gauge to null")


class GeneratorStageConfig(Section, frozen=True, kw_only=True, tag_field="kind", tag="generator"):
    """A stage that trains the generator; system C's label correction, system B and system A's attacker are switches."""

    name: str
    optimizer: OptimizerConfig
    label_correction: LabelCorrectionConfig | None
    adversarial: AdversarialConfig | None
    attack: AttackConfig | None
    gauge: GaugeConfig | None = None

    def __post_init__(self) -> None:
        correction = self.label_correction is not None and self.label_correction.adversarial > 0
        _refuse_lonely_slices(
            self, correction or (self.adversarial is not None and self.adversarial.loss == "relativistic_average")
        )


class RefineStageConfig(Section, frozen=True, kw_only=True, tag_field="kind", tag="refine"):
    """System A's teacher and student behind the generator (METHODS 1.4, 1.5).

    Attributes:
        name: In logs.
        optimizer: Of teacher and student.
        generator_learning_rate_share: 0 keeps the generator as it is.
        generator_gradient: Share of the student's gradient that reaches the generator after ``teacher_steps``.
        teacher_steps: The teacher alone learns for so long.
        teacher: ``real``; or the controls of METHODS 9.2: ``shuffled`` (targets of another person), ``none`` (the
            student learns from the target directly).
        attack: The attacker of the last generator stage, or null.
        teacher_average: The student learns from a running average of the teacher, of which each step keeps this share
            (METHODS 9.2), 0..1; 0 for the teacher as it is.
        teacher_frozen: The teacher stays as an earlier stage left it (phase 5 of METHODS 1.9).
        corrected_target: Whether label correction, as it is, moves the target first (METHODS 1.5 and rule 1 of 4.1);
            the target of another person, for the shuffled control, stays where it is.
        attacked_sources: Whether, where the generator saw attacked sources, the student sees the same, as in use;
            otherwise it sees the clean ones. METHODS does not say; teachers see the clean ones always.
        folding: Weight of the penalty on folds for teacher and student (METHODS 9.1).
    """

    name: str
    optimizer: OptimizerConfig
    generator_learning_rate_share: float
    generator_gradient: float
    teacher_steps: int
    teacher: Literal["real", "shuffled", "none"]
    attack: AttackConfig | None
    teacher_average: float = 0.0
    teacher_frozen: bool = False
    corrected_target: bool = False
    attacked_sources: bool = False
    folding: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.teacher_average < 1:
            raise ValueError(f"teacher_average must be in [0, 1), got {self.teacher_average}")
        if not self.folding >= 0:
            raise ValueError(f"folding must not be negative, got {self.folding}")
        if self.teacher_frozen and (self.teacher == "none" or self.teacher_steps > 0 or self.teacher_average > 0):
            raise ValueError("teacher_frozen needs a teacher, with teacher_steps 0 and teacher_average 0")
        if self.teacher != "none" and not 0 <= self.teacher_steps < self.optimizer.num_steps:
            raise ValueError(
                f"teacher_steps {self.teacher_steps} must be below num_steps {self.optimizer.num_steps}, else the "
                "student never learns"
            )


class AttentionStageConfig(Section, frozen=True, kw_only=True, tag_field="kind", tag="attention"):
    """The local discriminator alone, by error-aware labels, behind a translation that stays as it is (ours).

    Attributes:
        name: In logs.
        optimizer: Of the local discriminator.
        real_share: Of real slices in its loss, 0..1; 0.5 in a generator stage.
    """

    name: str
    optimizer: OptimizerConfig
    real_share: float

    def __post_init__(self) -> None:
        if not 0 <= self.real_share < 1:
            raise ValueError(f"real_share must be in [0, 1), got {self.real_share}")


class SuperResolutionStageConfig(Section, frozen=True, kw_only=True, tag_field="kind", tag="super_resolution"):
    """System C's super-resolution branch behind the generator, which stays as it is (METHODS 3.3).

    Attributes:
        name: In logs.
        optimizer: Of the branch.
        ratios: In-plane down-sampling ratios that are drawn.
        slice_thickness_mm: Thicknesses of thick slices that are drawn; the finest grid is 1 mm.
        distinction: Weight of the distinction maps' loss.
        feature_matching: Weight of matching the difference-projection discriminator's features.
        adversarial: Weight of its relativistic average loss.
        adversarial_start_step: Before, ``adversarial`` counts as 0; a third of all steps for fastMRI (METHODS 3.3,
            stated).
        discriminator_every_steps: How often that discriminator steps; 6 in the official code (METHODS 3.3, stated).
        corrected_target: Whether the branch learns the target that label correction moved into the frame of the
            sources (METHODS 3.3, stated; the correction stays as it is), while it is shown the one that was scanned.
        moved_affine_level: Level k of RegGAN's affine motion of what is acquired against sources and target (METHODS
            3.1: y_LR is possibly shifted; how far is a proposal).
        moved_elastic_voxels: Longest elastic displacement of it.
    """

    name: str
    optimizer: OptimizerConfig
    ratios: tuple[int, ...]
    slice_thickness_mm: tuple[float, ...]
    distinction: float
    feature_matching: float
    adversarial: float
    adversarial_start_step: int = 0
    discriminator_every_steps: int = 1
    corrected_target: bool = False
    moved_affine_level: float = 0.0
    moved_elastic_voxels: float = 0.0

    def __post_init__(self) -> None:
        if self.adversarial_start_step < 0 or self.discriminator_every_steps < 1:
            raise ValueError("need adversarial_start_step >= 0 and discriminator_every_steps >= 1")
        if not min(self.moved_affine_level, self.moved_elastic_voxels) >= 0:
            raise ValueError(
                f"motion must not be negative, got {self.moved_affine_level} and {self.moved_elastic_voxels}"
            )
        if not self.ratios and not self.slice_thickness_mm:
            raise ValueError("ratios or slice_thickness_mm must name at least one degradation")
        if min(self.ratios, default=2) < 2:
            raise ValueError(f"ratios must be 2 or more, got {', '.join(map(str, self.ratios))}")
        if not min(self.slice_thickness_mm, default=1.0) > 0:
            raise ValueError(f"slice_thickness_mm must be positive, got {min(self.slice_thickness_mm)}")
        _refuse_lonely_slices(self, self.adversarial > 0 or self.feature_matching > 0)


class VolumeRefineStageConfig(Section, frozen=True, kw_only=True, tag_field="kind", tag="volume_refine"):
    """The 3-D refiner against flicker, behind a translation that stays as it is (METHODS 9.4, a proposal).

    Attributes:
        name: In logs.
        optimizer: Of the refiner.
        num_slices: Of the blocks it learns from, odd, 3 or more.
        slice_change: Weight of what changes from slice to slice, beside the absolute error.
    """

    name: str
    optimizer: OptimizerConfig
    num_slices: int
    slice_change: float

    def __post_init__(self) -> None:
        if self.num_slices < 3 or self.num_slices % 2 == 0:
            raise ValueError(f"num_slices must be odd and 3 or more, got {self.num_slices}")
        if not self.slice_change >= 0:
            raise ValueError(f"slice_change must not be negative, got {self.slice_change}")


StageConfig = (
    GeneratorStageConfig
    | RefineStageConfig
    | AttentionStageConfig
    | SuperResolutionStageConfig
    | VolumeRefineStageConfig
)


def _refuse_lonely_slices(stage: GeneratorStageConfig | SuperResolutionStageConfig, is_relativistic: bool) -> None:
    if is_relativistic and stage.optimizer.batch_size < 2:
        raise ValueError(
            f"stage {stage.name}: a relativistic loss compares slices of a batch, so batch_size must be 2 or more "
            f"(4 is better), got {stage.optimizer.batch_size}"
        )


class TrainingConfig(Section, frozen=True, kw_only=True):
    """One run; written next to its checkpoints, so a checkpoint says how it was made."""

    name: str
    seed: int
    precision: str
    checkpoint_every_steps: int
    validate_every_steps: int
    log_every_steps: int
    data: DataConfig
    augmentation: AugmentationConfig
    generator: GeneratorConfig
    networks: NetworksConfig
    losses: LossConfig
    voxel_stage: VoxelStageConfig
    stages: tuple[StageConfig, ...]

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be fp32 or bf16, got {self.precision!r}")
        if min(self.checkpoint_every_steps, self.validate_every_steps, self.log_every_steps) < 1:
            raise ValueError("checkpoint_every_steps, validate_every_steps and log_every_steps must be 1 or more")
        if not self.stages:
            raise ValueError("stages must name at least one stage")
        if "sagittal" in self.data.views and self.augmentation.mirror_probability > 0:
            raise ValueError("sagittal slices have no left and right: mirror_probability must be 0 with that view")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError(f"stages need different names, got {', '.join(names)}")
        for stage in self.stages:
            for needed in needed_networks(stage):
                if getattr(self.networks, needed) is None:
                    raise ValueError(f"stage {stage.name} needs networks.{needed}, which is null")

    @property
    def num_steps(self) -> int:
        """Of all stages together."""
        return sum(stage.optimizer.num_steps for stage in self.stages)


def needed_networks(stage: StageConfig) -> tuple[str, ...]:
    """Fields of :class:`NetworksConfig` that a stage cannot do without."""
    if isinstance(stage, RefineStageConfig):
        needs = ("student",) if stage.teacher == "none" else ("teacher", "student")
        return (*needs, "label_correction") if stage.corrected_target else needs
    if isinstance(stage, AttentionStageConfig):
        return ("local_discriminator",)
    if isinstance(stage, SuperResolutionStageConfig):
        adversarial = stage.adversarial > 0 or stage.feature_matching > 0
        judges = ("difference_projection",) if adversarial else ()
        return ("super_resolution", *judges, *(("label_correction",) if stage.corrected_target else ()))
    if isinstance(stage, VolumeRefineStageConfig):
        return ("volume_refiner",)
    needed = ["label_correction"] if stage.label_correction is not None else []
    if stage.label_correction is not None and stage.label_correction.adversarial > 0:
        needed.append("patch_discriminator")
    if stage.adversarial is not None:
        needed += needed_discriminators(stage.adversarial)
    return tuple(needed)


def needed_discriminators(settings: AdversarialConfig) -> list[str]:
    """Those whose judgement reaches the generator, as a loss or as attention."""
    needed = []
    if settings.local_weight > 0 or settings.attention.form in ("difficulty", "difference"):
        needed.append("local_discriminator")
    if settings.global_weight > 0 or settings.attention.form == "sample":
        needed.append("global_discriminator")
    return needed


TRAINED_CONTRASTS = (Contrast.T1W, Contrast.T1W_GD, Contrast.T2W, Contrast.FLAIR)
"""The contrasts that the open data holds; PDw is known to the library but no person in the data has it."""


def read_config(path: Path) -> TrainingConfig:
    """Read and check a YAML file of ``training/configs``.

    Raises:
        ConfigError: Naming file and key, if the file is missing, no YAML, or any key is unknown, missing or mistyped.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    return config_from_mapping(values, where=str(path))


def config_from_mapping(values: Any, *, where: str) -> TrainingConfig:
    """Check parsed values; see :func:`read_config`. ``where`` opens every error message."""
    try:
        return msgspec.convert(values, TrainingConfig, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from None
