"""Captions against the reference's prefill logits and token ids."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.internvl.generate import caption_ids, prefix_mask
from encoders.internvl.model import InternVL
from tests.encoders.internvl.tiny import FEATURES, LOGITS, Arrays, load_model

RUNS = {
    "greedy_max20": {"beams": 1, "min_new_tokens": 0, "max_new_tokens": 19},
    "greedy_eval": {"beams": 1},
    "beam5_readme": {"max_new_tokens": 19},
    "beam5_eval": {},
}
EOS_RUNS = {
    "greedy_nomin": {"beams": 1, "min_new_tokens": 0},
    "greedy_min8": {"beams": 1},
    "beam5_nomin": {"min_new_tokens": 0},
    "beam5_min8": {},
}


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def eager_to_stop(numbers: Callable[[str], Arrays]) -> InternVL:
    """The model with a louder end-of-text, as the reference was run with."""
    model = load_model()
    assert model.decoder.lm_head is not None
    weight = model.decoder.lm_head.weight.clone()
    weight[2] *= float(numbers("06b")["eos_row_factor"])
    model.decoder.lm_head.weight = torch.nn.Parameter(weight, requires_grad=False)
    return model


def prompt(numbers: Callable[[str], Arrays]) -> Tensor:
    return torch.from_numpy(numbers("06_")["prompt_ids"][0])


def test_prefill_logits_equal_the_reference(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays]
) -> None:
    embeds = model.prefix(prompt(numbers), len(pixels))
    logits = model.decoder(inputs_embeds=embeds, vision=model.look(pixels)).logits
    np.testing.assert_allclose(logits, numbers("06_")["prefill_logits"], atol=LOGITS)


def test_queries_see_each_other_and_text_sees_what_came_before() -> None:
    mask = prefix_mask(length=5, queries=3)[0, 0].int().tolist()
    assert mask == [
        [1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("image", [0, 1, 2])
def test_ids_equal_the_reference(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays], image: int, run: str
) -> None:
    check(model, pixels[image], numbers, numbers("06_")[f"img{image}_{run}_ids"], RUNS[run])


@pytest.mark.parametrize("run", EOS_RUNS)
@pytest.mark.parametrize("image", [0, 1, 2])
def test_ids_that_stop_early_equal_the_reference(
    eager_to_stop: InternVL,
    pixels: Tensor,
    numbers: Callable[[str], Arrays],
    image: int,
    run: str,
) -> None:
    expected = numbers("06b")[f"img{image}_{run}_ids"]
    check(eager_to_stop, pixels[image], numbers, expected, EOS_RUNS[run])


def test_a_batch_equals_the_reference(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays]
) -> None:
    expected = numbers("06_")["batch3_greedy_ids"]
    new = expected.shape[1] - 1
    ids = caption_ids(
        model.decoder,
        model.prefix(prompt(numbers), 3),
        model.look(pixels),
        beams=1,
        min_new_tokens=0,
        max_new_tokens=new,
    )
    np.testing.assert_array_equal(ids, expected[:, 1:])


@pytest.mark.parametrize("image", [0, 1, 2])
def test_logits_of_each_step_equal_the_reference(
    model: InternVL, pixels: Tensor, numbers: Callable[[str], Arrays], image: int
) -> None:
    """The prefill, then one token at a time on the filled cache, where vision is not seen again."""
    written = generate(
        model, pixels[image], numbers, num_beams=1, max_new_tokens=3, output_logits=True
    )
    ours = torch.cat(written.logits)
    np.testing.assert_allclose(ours, numbers("06_")[f"img{image}_greedy_step_logits"], atol=LOGITS)


@pytest.mark.parametrize("image", [0, 1, 2])
@pytest.mark.parametrize(
    ("run", "most", "least"), [("beam5_eval", 30, 8), ("beam5_readme", 19, 8), ("all5", 30, 8)]
)
def test_scores_of_beams_equal_the_reference(
    model: InternVL,
    pixels: Tensor,
    numbers: Callable[[str], Arrays],
    image: int,
    run: str,
    most: int,
    least: int,
) -> None:
    expected = numbers("06_")
    kept = 5 if run == "all5" else 1
    written = generate(
        model,
        pixels[image],
        numbers,
        num_beams=5,
        min_new_tokens=least,
        max_new_tokens=most,
        num_return_sequences=kept,
        output_scores=True,
    )
    stem = f"img{image}_beam5_eval_all5" if kept == 5 else f"img{image}_{run}"
    theirs = expected[f"{stem}_scores" if kept == 5 else f"{stem}_score"]
    np.testing.assert_allclose(written.sequences_scores, theirs, atol=FEATURES)
    ids = expected[f"{stem}_ids"].reshape(kept, -1)[:, 1:]
    np.testing.assert_array_equal(written.sequences, ids)


def generate(
    model: InternVL,
    pixels: Tensor,
    numbers: Callable[[str], Arrays],
    **options: object,
) -> Any:  # noqa: ANN401 (an output of transformers)
    """What transformers' `generate` gives for one image, with more than the ids."""
    prefix = model.prefix(prompt(numbers), 1)
    return model.decoder.generate(
        inputs_embeds=prefix,
        vision=model.look(pixels[None]),
        do_sample=False,
        return_dict_in_generate=True,
        **options,
    )


def check(
    model: InternVL,
    pixels: Tensor,
    numbers: Callable[[str], Arrays],
    expected: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    options: dict[str, int],
) -> None:
    prefix = model.prefix(prompt(numbers), 1)
    ids = caption_ids(model.decoder, prefix, model.look(pixels[None]), **options)
    np.testing.assert_array_equal(ids[0], expected[1:])  # theirs begin with a bos nobody fed
