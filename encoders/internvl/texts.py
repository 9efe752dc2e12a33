"""The text side of an encoder: texts of like length together, each text once."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.internvl.model import InternVL
from encoders.internvl.runner import Runner, send
from encoders.internvl.tokenizer import Tokenizer, pad


class TextSide:
    """Texts to float32 rows, not normalised."""

    def __init__(self, runner: Runner[InternVL], tokenizer: Tokenizer) -> None:
        self._runner = runner
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Rows `[len(texts), dim]`; `texts` must not be empty.

        Sorted by length, so that a batch pads to its own longest text, not to 80 tokens.
        """
        tokens = {text: self._tokenizer.encode(text) for text in texts}
        order = sorted(tokens, key=lambda text: len(tokens[text]))
        parts = self._runner.run(_embed, (tokens[text] for text in order))
        rows = np.concatenate([part.cpu().numpy() for part in parts])
        places = {text: at for at, text in enumerate(order)}
        found: NDArray[np.float32] = rows[[places[text] for text in texts]]
        return found


def _embed(model: InternVL, device: torch.device, batch: Sequence[list[int]]) -> Tensor:
    ids, lengths = pad(batch)
    return model.embed_texts(send(ids, device), send(lengths - 1, device))
