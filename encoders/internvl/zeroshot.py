"""Zero-shot classification: texts about each class become the weights of a linear classifier."""

from collections.abc import Sequence

import numpy as np

from encoders.base import Encoder, Vectors, unit

LOGIT_SCALE = 100.0  # of the public protocol, whatever the model's own temperature


def class_weights(encoder: Encoder, classes: Sequence[str], templates: Sequence[str]) -> Vectors:
    """Per vector name float32 `[dim, classes]`: the unit mean of each class's template vectors.

    `{c}` in a template stands for the class name, as in the public template lists. Logits of unit
    image rows are `LOGIT_SCALE * rows @ weights`.
    """
    texts = [template.replace("{c}", name) for name in classes for template in templates]
    rows = encoder.encode_texts(texts)
    shape = (len(classes), len(templates), -1)
    return {name: unit(np.mean(row.reshape(shape), axis=1)).T for name, row in rows.items()}
