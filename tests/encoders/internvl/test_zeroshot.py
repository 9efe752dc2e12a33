"""Zero-shot classifiers against the reference."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from encoders import unit
from encoders.internvl.encoder import InternVLEncoder
from encoders.internvl.zeroshot import LOGIT_SCALE, class_weights
from tests.encoders.internvl.tiny import FEATURES, LOGITS, Arrays, load_facts


def test_weights_and_logits_equal_the_reference(
    encoder: InternVLEncoder, images: list[Image.Image], numbers: Callable[[str], Arrays]
) -> None:
    facts, expected = load_facts("08_retrieval.json"), numbers("08")
    weights = class_weights(encoder, facts["classnames"], facts["templates"])
    np.testing.assert_allclose(weights["c"], expected["zs_classifier"], atol=FEATURES)
    first = [template.replace("{c}", facts["classnames"][0]) for template in facts["templates"]]
    texts = unit(expected["zs_class0_text_features"])
    np.testing.assert_allclose(encoder.encode_texts(first)["c"], texts, atol=FEATURES)
    rows = encoder.encode_pixels([encoder.preprocess(image, "class") for image in images])
    logits = LOGIT_SCALE * rows["c"] @ weights["c"]
    np.testing.assert_allclose(logits, expected["zs_logits"], atol=LOGITS)
