"""Image and text together: how well they match, and captions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.base import Pixels
from encoders.internvl.generate import caption_ids
from encoders.internvl.images import to_device
from encoders.internvl.model import InternVL
from encoders.internvl.runner import Runner, send
from encoders.internvl.tokenizer import CAPTION_PROMPT, Tokenizer, pad
from encoders.internvl.transforms import normalise


@dataclass(frozen=True)
class Captioning:
    """How to write captions; the defaults are the public captioning protocol."""

    beams: int = 5
    min_new_tokens: int = 8
    max_new_tokens: int = 30


def match(
    runner: Runner[InternVL],
    tokenizer: Tokenizer,
    pixels: Sequence[Pixels],
    texts: Sequence[str],
) -> NDArray[np.float32]:
    """Probability `[n]` that the i-th image and the i-th text belong together, 0 to 1."""

    def score(
        model: InternVL, device: torch.device, batch: Sequence[tuple[Pixels, list[int]]]
    ) -> Tensor:
        images, tokens = zip(*batch, strict=True)
        ids, lengths = pad(tokens)
        seen = model.look(normalise(to_device(images, device)))
        logits = model.match_logits(seen, send(ids, device), send(lengths, device))
        return logits.softmax(-1)[:, 1]

    tokens = [tokenizer.encode(text, prefix="") for text in texts]
    parts = runner.run(score, zip(pixels, tokens, strict=True))
    return np.concatenate([np.zeros(0, np.float32), *(part.cpu().numpy() for part in parts)])


def caption(
    runner: Runner[InternVL],
    tokenizer: Tokenizer,
    pixels: Sequence[Pixels],
    how: Captioning,
) -> list[str]:
    """An English caption for each image."""
    prompt = tokenizer.encode(CAPTION_PROMPT, prefix="", eos=False)

    def write(model: InternVL, device: torch.device, batch: Sequence[Pixels]) -> list[list[int]]:
        seen = model.look(normalise(to_device(batch, device)))
        prefix = model.prefix(torch.tensor(prompt), len(batch))
        ids: list[list[int]] = caption_ids(
            model.decoder,
            prefix,
            seen.to(prefix.device),
            beams=how.beams,
            min_new_tokens=how.min_new_tokens,
            max_new_tokens=how.max_new_tokens,
        ).tolist()
        return ids

    parts = runner.run(write, pixels)
    return [tokenizer.decode(ids) for part in parts for ids in part]
