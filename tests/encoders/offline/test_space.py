import numpy as np

from encoders.base import unit
from encoders.offline.space import WEIGHTS, Space

NODES, CLASSES, FEATURES = 5, 4, 6


def space() -> Space:
    rng = np.random.default_rng(0)
    membership = np.vstack([np.eye(CLASSES), [1, 1, 0, 0]]).astype(np.float32)
    return Space(
        nodes=unit(rng.standard_normal((NODES, 8))),
        membership=membership,
        regression=rng.standard_normal((8, FEATURES)).astype(np.float32),
    )


def test_descriptions_have_one_length_and_width() -> None:
    rng = np.random.default_rng(1)
    texts = space().describe_texts(unit(rng.standard_normal((3, 8))))
    images = space().describe_images(
        rng.standard_normal((3, CLASSES)).astype(np.float32),
        rng.random((3, FEATURES)).astype(np.float32),
    )
    assert texts.shape == images.shape == (3, 8 + NODES + FEATURES + CLASSES)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), sum(WEIGHTS) ** 0.5, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), sum(WEIGHTS) ** 0.5, rtol=1e-5)


def test_a_class_and_its_parent_are_nearest_to_its_image() -> None:
    made = space()
    texts = made.describe_texts(made.nodes)
    logits = np.array([[9, 0, 0, 0]], dtype=np.float32)
    scores = texts @ made.describe_images(logits, np.zeros((1, FEATURES), dtype=np.float32))[0]
    assert list(np.argsort(-scores)[:2]) == [0, 4]
