import numpy as np

from encoders.base import unit
from encoders.offline.lexicon import Lexicon


def test_a_known_name_takes_its_english_meaning_and_others_stay() -> None:
    axes = np.eye(6, dtype=np.float32)
    lexicon = Lexicon(axes[[0, 1, 3, 4]], np.array([1, 0, 0, 1]), np.array([2, 3]))
    known, unknown = lexicon.pull(axes[[0, 5]])
    assert known @ axes[4] > 0.99
    np.testing.assert_array_equal(unknown, axes[5])


def test_keys_of_one_concept_add_up() -> None:
    axes = np.eye(4, dtype=np.float32)
    query = unit(np.array([[1, 1, 0, 0]], dtype=np.float32))
    alone = Lexicon(axes[[0, 2]], np.array([0, 0]), np.array([1])).pull(query)
    both = Lexicon(axes[:3], np.array([0, 0, 0]), np.array([2])).pull(query)
    assert both[0, 2] > alone[0, 2] > 0


def test_a_name_of_two_things_pulls_to_both() -> None:
    axes = np.eye(4, dtype=np.float32)
    keys = axes[[0, 0, 1, 2]]
    pulled = Lexicon(keys, np.array([0, 1, 0, 1]), np.array([2, 3])).pull(axes[:1])[0]
    assert pulled[1] == pulled[2] > 0.6
