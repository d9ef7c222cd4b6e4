"""Roles from names, tags and intensities: series names as scanners, archives and people write them."""

import pytest

from MRTranslateGui.RoleGuess import ROLES, VolumeFacts, doubtOf, guessRole, guessRoles
from MRTranslateLib.contrast import Contrast

NAMES = {
    "T1w": """
        T1 | t1w | T1w | sub-01_T1w | sub-01_ses-2_run-1_T1w | sub-gli05_acq-mprage_T1w.nii.gz
        BraTS-GLI-00005-000-t1n | BraTS2021_00002_t1 | t1_mprage_sag_p2_iso | t1_mprage_tra_p2_iso_1.0 | MPRAGE
        MP-RAGE | Accelerated Sag IR-FSPGR | Sag 3D FSPGR BRAVO | SAG BRAVO | Ax T1 FLAIR | AX T1 FLAIR
        AX T1 SE PRE | t1_se_tra_nativ | t1_tse_dark-fluid_tra | T1W_3D_TFE | sT1W_3D_TFE_SENSE | T1W_SE
        Sag T1 w/o contrast | T1 without contrast | T1 pre GD | t1_vibe_tra_pre | 3D_T1_TFE | T1_ohne_KM
        T1 sans gado | t1_fl2d_sag | IXI002-Guys-0828-T1 | T1-weighted | T1 weighted axial | T1WI | t1_se_sag
        T1ax | Axial T1 | WIP T1W 3D TFE | OAx T1 FSE | t1_space_sag_iso | AxialT1 | T1_TIRM_tra | tfl3d1_16ns
        mp2rage_UNI_Images | ADNI MPRAGE repeat | MPRAGE_GRAPPA2 | T1 non-contrast
    """,
    "T1wGd": """
        T1 Gd | T1Gd | t1gd | T1wGd | T1 post | T1 POST GAD | AX T1 POST | Ax T1 +C | AX T1 C+ | t1_mprage_tra_KM
        T1_KM | t1_se_tra_KM | T1ce | BraTS2021_00002_t1ce | BraTS-GLI-00005-000-t1c | sub-01_ce-gadolinium_T1w
        T1-weighted Gd | sub-gli05_ce-gadolinium_T1w.nii.gz | Sag 3D T1 FSPGR + Gd | 3D BRAVO +C | T1W_3D_TFE_gado
        T1 mdc | AX T1 FLAIR POST | t1_vibe_fs_tra_post | MPRAGE post-contrast | MPRAGE postcontrast | T1 contrast
        T1_Dotarem | T1 GADOVIST 7.5ml | t1_tse_fs_cor_post | T1+ | AX T1 FS W/ C | SAG MPRAGE +GAD
        t1_space_post_contrast | T1w_CE | T1 enhanced
    """,
    "T2w": """
        T2 | T2w | t2w | sub-01_T2w | BraTS-GLI-00005-000-t2w | BraTS2021_00002_t2 | t2_tse_tra
        t2_tse_tra_512_5mm | t2_blade_tra | AX T2 FSE | Ax T2 FRFSE | AX T2 PROPELLER | T2W_TSE | T2W_TSE_ax
        SAG T2 CUBE | 3D T2 SPACE | T2 TSE TRA | IXI002-Guys-0828-T2 | T2-weighted | T2tse | Axial T2 | AX T2 post
        t2_space_sag_p2_iso | T2ax | T2 VISTA | AxialT2Fse
    """,
    "PDw": """
        PD | PDw | sub-01_PDw | IXI002-Guys-0828-PD | AX PD | pd_tse_tra | Proton Density | PD-weighted
        protondensity | PDW_TSE
    """,
    "FLAIR": """
        FLAIR | flair | sub-01_FLAIR | BraTS-GLI-00005-000-t2f | BraTS2021_00002_flair | t2_tirm_tra_dark-fluid
        Ax FLAIR | AX T2 FLAIR | T2 FLAIR | T2_FLAIR_SENSE | t2_space_dark-fluid_sag_p2_iso | SAG CUBE T2 FLAIR
        3D FLAIR | FLAIR_longTR | AX FLAIR POST | t2_flair_tra_p2 | T2W_FLAIR | AxialFlair | FLAIR3D
        Sag 3D FLAIR VISTA | T2 Dark Fluid | ax fluid attenuated | sub-ms05_ses-1_acq-3D_FLAIR.nii.gz
        T2 FLAIR +C
    """,
    None: """
        ADC | DWI | ep2d_diff_3scan_trace_p2 | ep2d_diff_3scan_trace_p2_ADC | Ax DWI b1000 | T2* | AX T2* GRE
        t2_fl2d_tra_hemo | T2 GRE | T2 star | SWI_Images | Mag_Images_Pha SWI | TOF_3D_multi-slab | 3D TOF MRA
        localizer | Survey | 3-Plane Loc | MRHead | MRBrainTumor1 | CTChest | Segmentation | sub-01_T1w_brain_mask
        FLAIR lesion mask | T1 map | T1rho | SYNTHETIC FLAIR from T1 | ep2d_bold_moco | ASL 3D | CBV map
        t1_mprage_seg | T2 STIR | PD/T2 | pd+t2_tse_tra | T2W_FFE | Volume | volume_1 | 5: unnamed | CISS
        mp2rage_INV1 | QSM | T1 perfusion | T1 T2 | MIP T1
    """,
}
CASES = [
    (name.strip(), role)
    for role, block in NAMES.items()
    for line in block.splitlines()
    for name in line.split("|")
    if name.strip()
]


def facts(*texts, nodeID="1", **more):
    return VolumeFacts(nodeID=nodeID, texts=texts, **more)


@pytest.mark.parametrize(("name", "role"), CASES, ids=[name for name, _ in CASES])
def test_a_series_name_gives_its_role(name, role):
    assert guessRole(facts(name)) == role


def test_the_roles_are_the_contrasts_of_the_library_in_their_order():
    assert tuple(contrast.value for contrast in Contrast) == ROLES


@pytest.mark.parametrize(
    ("role", "echo", "repetition", "inversion", "sequence"),
    [
        ("T1w", 3.0, 2300, 900, "GR\\IR"),
        ("T1w", 9.0, 550, None, "SE"),
        ("T1w", 3.2, 8.2, 450, "GR"),
        ("T2w", 100, 5000, None, "SE"),
        ("PDw", 13, 3000, None, "SE"),
        ("FLAIR", 120, 9000, 2500, "SE\\IR"),
        ("FLAIR", 390, 5000, 1650, "SE\\IR"),
        (None, 20, 600, None, "GR"),
        (None, 90, 6000, None, "EP\\SE"),
        (None, 50, 3000, None, "SE"),
    ],
)
def test_a_nameless_scan_is_known_by_its_timing(role, echo, repetition, inversion, sequence):
    scan = facts(
        "7",
        modality="MR",
        echoTimeMs=echo,
        repetitionTimeMs=repetition,
        inversionTimeMs=inversion,
        scanningSequence=sequence,
    )
    assert guessRole(scan) == role


def test_a_contrast_agent_in_the_tags_makes_a_t1w_a_t1wgd():
    assert guessRole(facts("t1_mprage_sag", modality="MR", contrastAgent="Gadovist")) == "T1wGd"


def test_a_name_that_says_before_contrast_wins_over_the_tag():
    assert guessRole(facts("t1_mprage_pre", modality="MR", contrastAgent="Gadovist")) == "T1w"


def test_the_echo_time_tells_the_images_of_a_dual_echo_apart():
    assert [guessRole(facts("pd+t2_tse_tra", modality="MR", echoTimeMs=echo)) for echo in (12, 95)] == ["PDw", "T2w"]


def test_other_modalities_have_no_role():
    assert guessRole(facts("T1", modality="CT")) is None


def test_our_own_results_are_never_sources():
    assert guessRole(facts("FLAIR", synthetic=True)) is None


def test_intensities_decide_only_where_one_contrast_is_left():
    assert guessRole(facts("Volume", likely=frozenset({"T2w"}))) == "T2w"
    assert guessRole(facts("Volume", likely=frozenset({"T2w", "PDw"}))) is None


def test_intensities_can_doubt_a_name_but_do_not_overrule_it():
    swapped = facts("T1", likely=frozenset({"T2w", "PDw"}))
    assert guessRole(swapped) == "T1w"
    assert doubtOf(swapped, "T1w")
    assert not doubtOf(facts("T1"), "T1w")


def test_the_order_of_the_volumes_does_not_matter():
    volumes = [
        facts("FLAIR", nodeID="a"),
        facts("T1", nodeID="b"),
        facts("T1 Gd", nodeID="c"),
        facts("scan", nodeID="d"),
    ]
    assert guessRoles(volumes) == guessRoles(volumes[::-1])
    assert guessRoles(volumes).chosen == {"FLAIR": "a", "T1w": "b", "T1wGd": "c"}


def test_two_volumes_of_one_role_are_left_to_the_user():
    guesses = guessRoles([facts("T1 sag", nodeID="b"), facts("T1 ax", nodeID="a"), facts("T2", nodeID="c")])
    assert guesses.chosen == {"T2w": "c"}
    assert guesses.ambiguous == {"T1w": ("a", "b")}
