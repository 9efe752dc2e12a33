"""Texts to token ids, as the public model expects them.

The vocabulary is read by sentencepiece itself: its 17,953 added Chinese pieces share one score,
which conversions to other tokenizer formats get wrong.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from encoders.errors import CheckpointError

BOS, EOS = 1, 2
PAD = 0  # not the vocabulary's "[PAD]", an ordinary piece that the model never saw as padding
MAX_TOKENS = 80
FEATURE_PREFIX = "summarize:"  # before a text that becomes a vector; never before one to match
CAPTION_PROMPT = "English caption:"


class Tokenizer:
    """One `tokenizer.model` file. Raises `CheckpointError` where it is missing or damaged."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise CheckpointError(
                f"{path} is missing: texts need this sentencepiece file beside the weights. Fetch "
                "it with: hf download OpenGVLab/InternVL-14B-224px tokenizer.model"
            )
        try:
            self._pieces = SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as error:
            raise CheckpointError(
                f"{path} is not a sentencepiece model ({error}): fetch it again"
            ) from error
        self.data = path.read_bytes()

    def encode(self, text: str, *, prefix: str = FEATURE_PREFIX, eos: bool = True) -> list[int]:
        """bos, pieces of prefix and text, eos: at most 80 ids, a long text cut before its eos."""
        room = MAX_TOKENS - 1 - eos
        pieces: list[int] = self._pieces.encode(prefix + text)[:room]
        return [BOS, *pieces, *([EOS] if eos else [])]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of generated ids, up to the first eos, without special ids."""
        ids = list(ids)
        ids = ids[: ids.index(EOS)] if EOS in ids else ids
        text: str = self._pieces.decode([int(i) for i in ids if i not in (PAD, BOS)])
        return text.strip()


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids right-padded with 0 to the longest row, int64 `[n, longest]`, and lengths int64 `[n]`."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.full((len(rows), int(lengths.max())), PAD)
    for row, target in zip(rows, ids, strict=True):
        target[: len(row)] = torch.tensor(row)
    return ids, lengths
