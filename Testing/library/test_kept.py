import pytest

from MRTranslateLib.inference.kept import MAX_KEPT, kept_or_loaded, networks_kept


@pytest.fixture
def loads():
    """Loads a new object each time and counts."""
    made = []

    def load() -> object:
        made.append(object())
        return made[-1]

    load.made = made
    return load


def test_nothing_is_kept_unless_asked_for(loads):
    assert kept_or_loaded("a", loads) is not kept_or_loaded("a", loads)


def test_what_was_loaded_under_a_key_is_given_out_again(loads):
    with networks_kept():
        first = kept_or_loaded("a", loads)
        assert kept_or_loaded("b", loads) is not first
        assert kept_or_loaded("a", loads) is first
    assert len(loads.made) == 2


def test_nothing_outlives_the_context(loads):
    with networks_kept():
        first = kept_or_loaded("a", loads)
    with networks_kept():
        assert kept_or_loaded("a", loads) is not first


def test_the_one_unused_longest_makes_room(loads):
    with networks_kept():
        for number in range(MAX_KEPT):
            kept_or_loaded(str(number), loads)
        first = kept_or_loaded("0", loads)
        kept_or_loaded("one more", loads)
        assert kept_or_loaded("0", loads) is first
        count = len(loads.made)
        kept_or_loaded("1", loads)
        assert len(loads.made) == count + 1
