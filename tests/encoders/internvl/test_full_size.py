"""The full-size model run without memory or numbers: shapes fit, and nothing waits for the device.

Whatever needs a value on the host, and would hold up a GPU in the middle of a batch, raises on the
meta device.
"""

import pytest
import torch

from encoders.internvl.float8 import Float8Linear, quantise
from encoders.internvl.model import InternVL, InternVLConfig
from encoders.internvl.placement import on_meta
from encoders.internvl.transforms import normalise
from encoders.internvl.weights import Site

META = torch.device("meta")


@pytest.fixture(scope="module")
def model() -> InternVL:
    model = on_meta(lambda: InternVL(InternVLConfig())).to(torch.bfloat16)
    return Site(META, META).settle(model)


@torch.inference_mode()
def test_images_need_no_number_on_the_host(model: InternVL) -> None:
    pixels = torch.empty(3, 224, 224, 3, dtype=torch.uint8, device=META)
    vectors = model.embed_images(normalise(pixels), ["c", "g"])
    assert {name: tuple(rows.shape) for name, rows in vectors.items()} == {
        "c": (3, 768),
        "g": (3, 768),
    }
    assert all(rows.dtype == torch.float32 for rows in vectors.values())


@torch.inference_mode()
def test_texts_and_pairs_need_none(model: InternVL) -> None:
    ids = torch.empty(3, 11, dtype=torch.long, device=META)
    lengths = torch.empty(3, dtype=torch.long, device=META)
    assert model.embed_texts(ids, lengths).shape == (3, 768)
    tokens = torch.empty(3, 257, 3200, dtype=torch.bfloat16, device=META)
    assert model.match_logits(tokens, ids, lengths).shape == (3, 2)


@torch.inference_mode()
def test_8_bit_products_fit_their_kernel_at_full_size() -> None:
    """torch checks here what the kernel wants: layouts, sizes, a scale for each row and column."""
    model = on_meta(lambda: InternVL(InternVLConfig(), {"c"})).to(torch.bfloat16)
    tower = model.vision_model
    assert tower is not None
    quantise(tower)
    assert sum(isinstance(part, Float8Linear) for part in tower.modules()) == 4 * 48
    pixels = torch.empty(3, 3, 224, 224, dtype=torch.bfloat16, device=META)
    assert model.embed_images(pixels, ["c"])["c"].shape == (3, 768)


@torch.inference_mode()
def test_a_wait_for_the_device_would_be_seen(model: InternVL) -> None:
    ids = torch.empty(3, 11, dtype=torch.long, device=META)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        model.embed_texts(ids, ids.argmax(-1) if ids.max() > 0 else ids[:, 0])
