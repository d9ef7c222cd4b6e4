"""The specialist in a bundle: loaded with the generator, named in card and provenance, verified like all weights."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib import provenance, translate
from MRTranslateLib.cli.card_text import render_card
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.load import load_generator
from MRTranslateLib.io import write_volume
from MRTranslateLib.models.architecture import Architecture
from MRTranslateLib.models.bundle import open_bundle, write_bundle
from MRTranslateLib.models.card import decode_card, encode_card
from MRTranslateLib.models.components import Components, SpecialistCard
from MRTranslateLib.models.route import CardRoute
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.networks.generator import SourceSlices, build_generator, one_hot
from MRTranslateLib.networks.specialised import SpecialisedGenerator
from MRTranslateLib.rerun import rerun
from MRTranslateLib.volume import Volume
from Testing.library.model_examples import example_card

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
SMALL = {"num_neighbours": 1, "widths": [8, 8], "detail_width": 8, "voxel_width": 8, "blocks_per_level": 1}
LARGER = SMALL | {"widths": [8, 32], "context_blocks": 1}


def generator(parameters, seed):
    torch.manual_seed(seed)
    network = build_generator("unet25d", parameters)
    torch.nn.init.normal_(network.network.fuse.last.weight, std=0.05)
    network.load_state_dict({name: values.half() for name, values in network.state_dict().items()})  # as stored
    return network.eval()


def card_with(routes=(((T1W,), T2W),), parameters=LARGER):
    card = example_card()
    specialist = SpecialistCard(
        architecture=Architecture(name="unet25d", parameters=parameters),
        routes=tuple(CardRoute(sources=sources, target=target) for sources, target in routes),
        training_run=msgspec.structs.replace(card.training_run, command="python -m training fit special.yaml"),
    )
    return msgspec.structs.replace(
        card,
        architecture=Architecture(name="unet25d", parameters=SMALL),
        components=Components(specialist=specialist),
    )


def weights(network):
    return {name: values.numpy() for name, values in network.state_dict().items()}


@pytest.fixture
def bundle(tmp_path):
    parts = {"specialist": weights(generator(LARGER, 2))}
    return write_bundle(tmp_path / "tiny", card_with(), weights(generator(SMALL, 1)), components=parts)


def slices():
    torch.manual_seed(3)
    availability = torch.zeros(1, 5)
    availability[0, T1W.channel] = 1
    return SourceSlices(torch.rand(1, 5, 1, 8, 8), availability, torch.tensor([0.5]))


def test_listed_routes_are_translated_with_its_weights_and_others_with_the_generators(bundle):
    loaded = load_generator(open_bundle(bundle.folder))
    assert isinstance(loaded, SpecialisedGenerator)
    for target, parameters, seed in ((T2W, LARGER, 2), (FLAIR, SMALL, 1)):
        alone = generator(parameters, seed).sample(slices(), one_hot(target, 1))
        torch.testing.assert_close(
            loaded.sample(slices(), one_hot(target, 1))[:, target.channel], alone[:, target.channel]
        )


def test_an_altered_file_of_it_is_refused_by_name(bundle):
    path = bundle.folder / "specialist.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"specialist\.safetensors was altered"):
        open_bundle(bundle.folder)


def test_weights_of_another_size_are_refused(tmp_path):
    parts = {"specialist": weights(generator(SMALL, 2))}
    wrong = write_bundle(tmp_path / "tiny", card_with(), weights(generator(SMALL, 1)), components=parts)
    with pytest.raises(ModelError, match="do not fit its architecture unet25d"):
        load_generator(wrong)


def test_another_number_of_neighbours_is_refused_in_one_sentence(tmp_path):
    deep = LARGER | {"num_neighbours": 3}
    parts = {"specialist": weights(generator(deep, 2))}
    wrong = write_bundle(tmp_path / "tiny", card_with(parameters=deep), weights(generator(SMALL, 1)), components=parts)
    with pytest.raises(ModelError, match="parts of model tiny do not fit: the specialist wants 3"):
        load_generator(wrong)


def test_the_card_says_which_routes_are_its_and_how_it_was_trained():
    text = render_card(card_with())
    assert "A second network (unet25d) translates: T1w>T2w" in text
    assert "python -m training fit special.yaml" in text


@pytest.mark.parametrize(
    ("sources", "target", "its"), [((T1W,), T2W, True), ((T1W, FLAIR), T2W, False), ((T1W,), FLAIR, False)]
)
def test_a_route_is_its_by_all_of_its_sources_and_its_target(sources, target, its):
    assert card_with().components.specialist.translates(sources, target) is its


def test_a_card_survives_being_written_and_read():
    card = card_with()
    assert decode_card(encode_card(card), where="here") == card


@pytest.mark.parametrize(
    ("routes", "why"),
    [
        ((), "routes is empty"),
        ((((Contrast.T1W_GD,), T2W),), r"specialist names T1wGd>T2w, which is not offered"),
        ((((T2W,), T2W),), "target T2w is among the sources T2w"),
        ((((T1W, T1W), T2W),), "sources must name at least one and each once"),
    ],
)
def test_impossible_routes_are_refused(routes, why):
    with pytest.raises(ValueError, match=why):
        card_with(routes)


@pytest.fixture
def t1w():
    """A ball in a box, 4 mm voxels."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in (36, 44, 34)], indexing="ij"))
    tissue = 400 + 200 * np.sin(5 * grid[0]) * np.cos(4 * grid[1])
    image = np.where((grid**2).sum(axis=0) < 0.8, tissue, 0).astype(np.float32)
    return Volume(image, np.diag([4.0, 4.0, 4.0, 1.0]))


def test_a_result_names_the_weights_that_made_it(bundle, t1w):
    for target, used in ((T2W, bundle.component_sha256("specialist")), (FLAIR, bundle.weights_sha256)):
        record = translate({T1W: t1w}, target, model=bundle.folder, threads=1).provenance.model
        assert record.used_sha256 == used
        assert record.weights_sha256 == bundle.weights_sha256


def test_a_sidecar_from_before_there_were_specialists_names_none():
    old = {"name": "tiny", "version": "1.0.0", "weights_sha256": "0" * 64}
    assert msgspec.convert(old, provenance.ModelRecord).specialist_sha256 is None


def test_a_rerun_with_another_specialist_says_so(bundle, t1w, tmp_path):
    write_volume(tmp_path / "t1w.nii.gz", t1w)
    translate({T1W: tmp_path / "t1w.nii.gz"}, T2W, model=bundle.folder, threads=1, output=tmp_path / "out.nii.gz")
    other = {"specialist": weights(generator(LARGER, 5))}
    write_bundle(bundle.folder, card_with(), weights(generator(SMALL, 1)), components=other, replace=True)
    again = rerun(tmp_path / "out.json", store=ModelStore(shipped_folder=bundle.folder.parent))
    assert not again.identical
    assert any(difference.startswith("specialist's weights was") for difference in again.differences)
