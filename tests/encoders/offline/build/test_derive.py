import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encoders.offline.build.concepts import Concept
from encoders.offline.build.derive import derive
from encoders.offline.build.nodes import CLASSES, Nodes
from encoders.offline.data import OfflineData, pack

EXTRA = 3


def embed(texts: Sequence[str]) -> NDArray[np.float64]:
    """Like a sentence model: nearly the same for names of one thing, far apart for others."""
    return np.stack([_noise(text.split()[-1], 1.0) + _noise(text, 0.3) for text in texts])


def _noise(text: str, size: float) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    return size * np.random.default_rng(seed).standard_normal(384)


def derived() -> OfflineData:
    names = [f"thing{number}" for number in range(CLASSES + EXTRA)]
    membership = np.eye(CLASSES + EXTRA, CLASSES, dtype=np.float32)
    membership[CLASSES:, :2] = 1
    nodes = Nodes(names, [(f"a {name}", f"the {name}") for name in names], membership)
    concepts = [Concept(name, (name, f"le {name}", f"der {name}")) for name in names[:200]]
    classifier = np.random.default_rng(0).standard_normal((CLASSES, 1280))
    return derive(nodes, concepts, names[:50], classifier, embed)


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = pack(derived()), pack(derived())
    assert first.keys() == second.keys()
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)


def test_texts_and_their_classes_meet_in_the_space() -> None:
    data = derived()
    texts = data.whiten(embed([f"une thing{number}" for number in range(20)]).astype(np.float32))
    logits = np.full((20, CLASSES), -5, dtype=np.float32)
    logits[np.arange(20), np.arange(20)] = 5
    queries = data.space.describe_texts(data.lexicon.pull(texts)) @ data.projection
    images = data.space.describe_images(logits, np.ones((20, 1280), dtype=np.float32))
    nearest = np.argmax(queries @ (images @ data.projection).T, axis=1)
    assert (nearest[2:] == np.arange(2, 20)).all()
