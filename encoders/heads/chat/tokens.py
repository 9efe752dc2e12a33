"""The tokenizer of a chat checkpoint: `transformers`' own, or SentencePiece for InternLM2's.

InternLM2's tokenizer is Python code inside the checkpoint, which is never run here; its vocabulary
is a SentencePiece model, and its special tokens are listed in `tokenizer_config.json`.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sentencepiece import SentencePieceProcessor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from encoders.errors import CheckpointError
from encoders.internvl.config import read_json

IMAGE, IMAGE_START, IMAGE_END = "<IMG_CONTEXT>", "<img>", "</img>"
CODE = ("InternLM2Tokenizer", "InternLM2TokenizerFast")
"""Classes that exist only as code inside checkpoints."""


class Tokens(Protocol):
    """Text to token ids and back."""

    def encode(self, text: str) -> list[int]:
        """Ids of a text in which special tokens may stand, nothing added around it."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special tokens are left out."""
        ...

    def id(self, token: str) -> int | None:
        """The id of one special token, None if there is no such."""
        ...


def load_tokens(folder: Path) -> Tokens:
    """The tokenizer in `folder`; raises `CheckpointError` where it is missing or unusable."""
    stated = folder / "tokenizer_config.json"
    raw = read_json(stated) if stated.is_file() else {}
    tokens = _pieces(folder, raw) if raw.get("tokenizer_class") in CODE else _own(folder)
    missing = [t for t in (IMAGE, IMAGE_START, IMAGE_END) if tokens.id(t) is None]
    if missing:
        raise CheckpointError(f"the tokenizer in {folder} lacks {', '.join(missing)}")
    return tokens


class TransformersTokens:
    """A tokenizer of `transformers`."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        """See `Tokens.encode`."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `Tokens.decode`."""
        text: str = self._tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def id(self, token: str) -> int | None:
        """See `Tokens.id`."""
        found: int | None = self._tokenizer.get_vocab().get(token)
        return found


class SentencePieceTokens:
    """A SentencePiece model and special tokens beside it, `special` by their ids."""

    def __init__(self, model: bytes, special: Mapping[int, str]) -> None:
        self._pieces = SentencePieceProcessor(model_proto=model)
        self._ids = {token: number for number, token in special.items()}
        longest_first = sorted(self._ids, key=len, reverse=True)
        self._split = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    def encode(self, text: str) -> list[int]:
        """See `Tokens.encode`."""
        ids: list[int] = []
        for part in self._split.split(text) if self._ids else [text]:
            if part in self._ids:
                ids.append(self._ids[part])
            elif part:
                ids += self._pieces.encode(part)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `Tokens.decode`."""
        special = set(self._ids.values())
        text: str = self._pieces.decode([number for number in ids if number not in special])
        return text

    def id(self, token: str) -> int | None:
        """See `Tokens.id`."""
        return self._ids.get(token)


def _own(folder: Path) -> Tokens:
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise CheckpointError(
            f"the tokenizer in {folder} is missing or cannot be used without its own code "
            f"({error}): fetch the checkpoint again, or serve it elsewhere and use the proxy engine"
        ) from error
    return TransformersTokens(tokenizer)


def _pieces(folder: Path, raw: Mapping[str, object]) -> Tokens:
    path = folder / "tokenizer.model"
    stated = raw.get("added_tokens_decoder")
    if not isinstance(stated, dict):
        raise CheckpointError(
            f"{folder / 'tokenizer_config.json'} lists no special tokens: fetch it again"
        )
    special = {int(number): str(entry["content"]) for number, entry in stated.items()}
    try:
        return SentencePieceTokens(path.read_bytes(), special)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{path} is missing or damaged ({error}): fetch it again") from error
