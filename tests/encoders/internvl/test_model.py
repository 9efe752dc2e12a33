"""InternVL-C and -G, texts and matching against the reference's numbers."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from encoders import EncoderError
from encoders.internvl.model import InternVL, Part
from tests.encoders.internvl.tiny import FEATURES, LOGITS, Arrays, load_model

pytestmark = pytest.mark.usefixtures("inference")


@pytest.fixture
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def lasts(ids: Tensor) -> Tensor:
    return (ids > 0).sum(1) - 1


@pytest.mark.parametrize("name", ["c", "g"])
def test_images_equal_the_reference(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays], name: str
) -> None:
    ours = model.embed_images(pixels, [name])
    assert list(ours) == [name]
    np.testing.assert_allclose(ours[name], numbers("03")[f"image_{name}"], atol=FEATURES)


def test_what_is_pooled_equals_the_reference(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays]
) -> None:
    tokens = model.look(pixels)
    queries = model.ask(tokens)
    assert model.clip_projector is not None
    assert model.clip_projector2 is not None
    expected = numbers("03")
    np.testing.assert_allclose(queries, expected["qllama_query_hidden_states"][-1], atol=FEATURES)
    np.testing.assert_allclose(
        model.clip_projector(tokens), expected["clip_projector_out"], atol=FEATURES
    )
    np.testing.assert_allclose(
        model.clip_projector2(queries), expected["clip_projector2_out"], atol=FEATURES
    )


def test_each_layer_of_the_queries_equals_the_reference(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays]
) -> None:
    seen: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
        for layer in model.decoder.model.layers
    ]
    model.ask(model.look(pixels))
    for hook in hooks:
        hook.remove()
    expected = numbers("03")["qllama_query_hidden_states"][:-1]
    for ours, theirs in zip(seen, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=FEATURES)


def test_texts_equal_the_reference(model: InternVL, numbers: Callable[[str], Arrays]) -> None:
    expected = numbers("03")
    ids = torch.from_numpy(expected["input_ids"])
    np.testing.assert_array_equal(lasts(ids), expected["pooled_index"])
    np.testing.assert_allclose(model.embed_texts(ids, lasts(ids)), expected["text"], atol=FEATURES)


def test_hidden_states_of_texts_equal_the_reference(
    model: InternVL, numbers: Callable[[str], Arrays]
) -> None:
    expected = numbers("03")
    ids = torch.from_numpy(expected["input_ids"])
    states = model.decoder.model(model.decoder.words(ids), causal=True)[:, :20]
    real = expected["input_ids"][:, :20] > 0
    np.testing.assert_allclose(states[real], expected["text_hidden_first20"][real], atol=FEATURES)
    np.testing.assert_allclose(
        model.decoder.model(model.decoder.words(ids), causal=True)[range(len(ids)), lasts(ids)],
        expected["text_pooled_hidden"],
        atol=FEATURES,
    )


@pytest.mark.parametrize("name", ["c", "g"])
def test_logits_and_probabilities_equal_the_reference(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays], name: str
) -> None:
    expected = numbers("03")
    logits = similarity(model, pixels, expected["input_ids"], name)
    np.testing.assert_allclose(logits, expected[f"logits_per_image_{name}"], atol=LOGITS)
    np.testing.assert_allclose(logits, expected[f"logits_per_image_{name}_f64"], atol=LOGITS)
    np.testing.assert_allclose(logits.softmax(-1), expected[f"probs_{name}"], atol=FEATURES)


@pytest.mark.parametrize("name", ["c", "g"])
def test_bfloat16_stays_as_near_as_the_reference(
    pixels: Tensor, numbers: Callable[[str], Arrays], name: str
) -> None:
    expected = numbers("03")
    half = load_model(dtype=torch.bfloat16)
    exact = expected[f"logits_per_image_{name}"]
    ours = similarity(half, pixels, expected["input_ids"], name).numpy()
    theirs = expected[f"logits_per_image_{name}_bf16"]
    assert np.abs(ours - exact).max() <= 1.5 * np.abs(theirs - exact).max()


def test_eager_attention_gives_the_same(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays]
) -> None:
    other = load_model(attention="eager")
    ids = torch.from_numpy(numbers("03")["input_ids"])
    for name, rows in other.embed_images(pixels, ["c", "g"]).items():
        np.testing.assert_allclose(rows, model.embed_images(pixels, [name])[name], atol=FEATURES)
    np.testing.assert_allclose(
        other.embed_texts(ids, lasts(ids)), model.embed_texts(ids, lasts(ids)), atol=FEATURES
    )


def test_padding_changes_no_text(model: InternVL, numbers: Callable[[str], Arrays]) -> None:
    ids = torch.from_numpy(numbers("03")["input_ids"])
    padded = model.embed_texts(ids, lasts(ids))
    for row, expected in zip(ids, padded, strict=True):
        short = row[: int((row > 0).sum())][None]
        np.testing.assert_allclose(
            model.embed_texts(short, lasts(short))[0], expected, atol=FEATURES
        )


def test_batching_changes_no_image(model: InternVL, pixels: Tensor) -> None:
    together = model.embed_images(pixels, ["c", "g"])
    for index in range(len(pixels)):
        alone = model.embed_images(pixels[index : index + 1], ["c", "g"])
        for name, rows in alone.items():
            np.testing.assert_allclose(rows[0], together[name][index], atol=FEATURES)


def test_matching_equals_the_reference(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays]
) -> None:
    expected = numbers("05")
    ids = torch.from_numpy(expected["caption_input_ids"])
    lengths = torch.from_numpy(expected["caption_attention_mask"]).sum(1)
    states: list[Tensor] = []
    hook = model.decoder.model.register_forward_hook(lambda _, __, out: states.append(out))
    for tokens, theirs in zip(model.look(pixels), expected["itm_logits"], strict=True):
        seen = tokens.expand(len(ids), -1, -1)
        np.testing.assert_allclose(model.match_logits(seen, ids, lengths), theirs, atol=LOGITS)
    hook.remove()
    first = torch.stack(states)[:, :, 0]
    np.testing.assert_allclose(first, expected["itm_query_hidden"], atol=FEATURES)


@pytest.mark.parametrize(
    ("step", "texts"),
    [
        ("retr", [3, 4, 5, 0, 1, 2]),  # three negatives, then three positives
        ("stage2", [3, 4, 2]),  # two negatives, one positive
    ],
)
def test_matching_of_mixed_pairs_equals_the_training_step(
    model: InternVL,
    pixels: Tensor,
    numbers: Callable[[str], Arrays],
    step: str,
    texts: list[int],
) -> None:
    expected = numbers("05")
    ids = torch.from_numpy(expected["caption_input_ids"])[texts]
    lengths = torch.from_numpy(expected["caption_attention_mask"]).sum(1)[texts]
    tokens = model.look(pixels)[[index % 3 for index in range(len(texts))]]
    ours = model.match_logits(tokens, ids, lengths)
    np.testing.assert_allclose(ours, expected[f"{step}_itm_logits"], atol=LOGITS)


@pytest.mark.parametrize(
    ("parts", "call"),
    [
        ({"c"}, lambda model, pixels: model.embed_images(pixels, ["g"])),
        ({"text"}, lambda model, pixels: model.embed_images(pixels, ["c"])),
        ({"c", "g"}, lambda model, _: model.embed_texts(torch.ones(1, 2).long(), torch.ones(1))),
        ({"g"}, lambda model, pixels: model.match_logits(pixels, pixels, pixels)),
    ],
)
def test_a_part_that_was_not_loaded_is_named(
    pixels: Tensor, parts: set[Part], call: Callable[[InternVL, Tensor], object]
) -> None:
    with pytest.raises(EncoderError, match="loaded without"):
        call(load_model(parts=parts), pixels)


def similarity(model: InternVL, pixels: Tensor, ids: NDArray[np.int64], name: str) -> Tensor:
    """The reference's forward: cosines times the learned scale."""
    tokens = torch.from_numpy(ids)
    images = normalize(model.embed_images(pixels, [name])[name], dim=-1)
    texts = normalize(model.embed_texts(tokens, lasts(tokens)), dim=-1)
    return model.logit_scale.float().exp() * images @ texts.T
