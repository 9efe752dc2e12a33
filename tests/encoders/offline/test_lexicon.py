import numpy as np

from encoders.base import unit
from encoders.offline.lexicon import Lexicon


def test_a_known_name_takes_its_english_meaning_and_others_stay() -> None:
    axes = np.eye(6, dtype=np.float32)
    lexicon = Lexicon(keys=axes[:2], meanings=axes[3:5], concept=np.array([1, 0]))
    known, unknown = lexicon.pull(axes[[0, 5]])
    assert known @ axes[4] > 0.99
    np.testing.assert_array_equal(unknown, axes[5])


def test_keys_of_one_concept_add_up() -> None:
    axes = np.eye(4, dtype=np.float32)
    query = unit(np.array([[1, 1, 0, 0]], dtype=np.float32))
    alone = Lexicon(axes[:1], axes[2:3], np.array([0])).pull(query)
    both = Lexicon(axes[:2], axes[2:3], np.array([0, 0])).pull(query)
    assert both[0, 2] > alone[0, 2] > 0
