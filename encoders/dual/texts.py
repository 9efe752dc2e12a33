"""Texts to token tensors, the way each family was trained to read them."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from transformers import PreTrainedConfig

from encoders.errors import CheckpointError
from encoders.fingerprint import digest

Tokens = dict[str, list[list[int]]]
"""Input name -> one list of numbers per text, not padded."""

BATCH = 256  # texts
PROBES = (
    "a photo of a cat",
    "Two DOGS, one ball!",
    "ein Fahrrad",
    "两只猫",
    "собака",
    "ذيل القط",
    "🐈 7",
)


@dataclass(frozen=True)
class Recipe:
    """What a family's training needs and its tokenizer's own files may leave unsaid.

    `length` pads every text to that many tokens (None: to the longest of its batch); `masked` says
    whether the model is told which tokens are padding.
    """

    length: int | None = None
    lowercase: bool = False
    masked: bool = True


# SigLIP was trained on lower-cased captions, always 64 tokens, padding attended to like any other;
# public SigLIP 2 files come with tokenizers that neither lower-case nor drop the mask.
SIGLIP = Recipe(length=64, lowercase=True, masked=False)
RECIPES = {"siglip": SIGLIP, "siglip2": SIGLIP, "align": Recipe(length=64)}


class TextTransform:
    """A checkpoint's tokenizer with its family's padding, truncation and casing. Thread-safe."""

    def __init__(self, folder: Path, config: PreTrainedConfig) -> None:
        """Raises `CheckpointError` where the folder holds no tokenizer that can be built."""
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, config=config, trust_remote_code=False, local_files_only=True
            )
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            raise CheckpointError(f"the tokenizer in {folder} cannot be loaded: {error}") from error
        self._recipe = RECIPES.get(config.model_type, Recipe())
        self._limit = min(
            self._recipe.length or _positions(config),
            _positions(config),
            self._tokenizer.model_max_length,
        )
        self._lock = threading.Lock()  # setting padding or truncation changes the tokenizer

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """Yield positions in `texts` and the model's int64 inputs `[batch, tokens]` for them.

        Texts of like length come together, so that little is spent on padding; what is longer than
        the model reads is cut, its end token kept.
        """
        if not texts:
            return
        tokens = self._tokenize(texts)
        order = sorted(range(len(texts)), key=lambda i: len(tokens["input_ids"][i]))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            yield rows, self._pad({key: [lists[i] for i in rows] for key, lists in tokens.items()})

    def fingerprint(self) -> str:
        """A hash of what becomes of a few texts in several scripts, and of the recipe."""
        ids = self._tokenize(PROBES)["input_ids"]
        recipe = self._recipe
        return digest(ids, recipe.length, recipe.masked, self._limit, self._tokenizer.padding_side)

    def _tokenize(self, texts: Sequence[str]) -> Tokens:
        texts = [text.lower() if self._recipe.lowercase else text for text in texts]
        with self._lock:
            return dict(self._tokenizer(texts, truncation=True, max_length=self._limit))

    def _pad(self, tokens: Tokens) -> dict[str, torch.Tensor]:
        fixed = self._recipe.length is not None
        with self._lock:
            padded = self._tokenizer.pad(
                tokens,
                padding="max_length" if fixed else "longest",
                max_length=self._limit if fixed else None,
                return_tensors="pt",
            )
        if not self._recipe.masked:
            padded.pop("attention_mask", None)
        return dict(padded)


def _positions(config: PreTrainedConfig) -> int:
    """How many tokens the text tower has positions for."""
    text = config.text_config
    # RoBERTa counts positions from after the padding index.
    is_roberta = "roberta" in text.model_type or config.model_type == "altclip"
    offset = text.pad_token_id + 1 if is_roberta else 0
    return int(text.max_position_embeddings) - offset
