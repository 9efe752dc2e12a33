"""Chat with a checkpoint on this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache
from transformers.generation.logits_process import TemperatureLogitsWarper, TopPLogitsWarper

from encoders.errors import InvalidInput
from encoders.heads.chat.config import read_chat_config
from encoders.heads.chat.conversation import PLACE, Conversation, Picture
from encoders.heads.chat.load import load_chat
from encoders.heads.chat.model import ChatModel
from encoders.heads.chat.templates import Template, require_template
from encoders.heads.chat.tiles import tiles
from encoders.heads.chat.tokens import IMAGE, IMAGE_END, IMAGE_START, Tokens, load_tokens
from encoders.internvl.memory import Room, require_memory
from encoders.internvl.transforms import normalise

UNFINISHED = "\ufffd"
"""What half a character decodes to."""


@dataclass(frozen=True)
class Sampling:
    """How an answer is written. A `temperature` of 0 takes the likeliest token each time.

    `top_p` keeps the likeliest tokens that make up that share, above 0 and up to 1; `stop` are
    texts that end the answer and are not part of it; a `seed` makes the draw repeatable.
    """

    max_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 1.0
    stop: Sequence[str] = ()
    seed: int | None = None


@dataclass
class Answering:
    """An answer being written: iterate over its pieces of text; the counts grow meanwhile.

    `finish` is "stop" where the model ended it or a stop text came, "length" at `max_tokens`.
    """

    prompt_tokens: int
    pieces: Iterator[str] = field(repr=False, default=iter(()))
    completion_tokens: int = 0
    finish: Literal["stop", "length"] = "length"

    def __iter__(self) -> Iterator[str]:
        return self.pieces


class LocalChat:
    """A loaded chat model; one answer at a time, as a device is not to be shared."""

    def __init__(self, model: ChatModel, tokens: Tokens, template: Template) -> None:
        self._model = model
        self._tokens = tokens
        self._template = template

    @classmethod
    def load(
        cls,
        folder: Path,
        device: str | None = None,
        dtype: str | None = None,
        room: Room = require_memory,
    ) -> "LocalChat":
        """Raises `CheckpointError` and `InvalidOption`, see `load_chat`."""
        template = require_template(read_chat_config(folder).template)  # before gigabytes are read
        tokens = load_tokens(folder)
        return cls(load_chat(folder, device, dtype, room), tokens, template)

    @property
    def context(self) -> int:
        """Most tokens of question and answer together; dynamic rotary scaling stretches them."""
        language = self._model.config.language
        rotary = language.rope_parameters or {}
        stretch = rotary.get("factor", 1.0) if rotary.get("rope_type") == "dynamic" else 1.0
        return int(language.max_position_embeddings * stretch)

    @torch.inference_mode()
    def answer(self, conversation: Conversation, sampling: Sampling) -> Answering:
        """Begin to answer: the pictures are seen and the prompt is read when this returns.

        Raises `InvalidInput` where question and answer together are longer than the model takes.
        """
        shown = [self._tiles(picture) for picture in conversation.pictures()]
        ids = self._tokens.encode(self._prompt(conversation, [len(found) for found in shown]))
        if len(ids) + sampling.max_tokens > self.context:
            raise InvalidInput(
                f"the conversation is {len(ids):,} tokens and the answer may be "
                f"{sampling.max_tokens:,}, but this model takes {self.context:,} together: send "
                "fewer or smaller pictures, fewer messages, or a smaller max_tokens"
            )
        device = next(self._model.mlp1.parameters()).device
        flat = [tile for found in shown for tile in found]
        pixels = _pixels(flat, device) if flat else None
        image_token = self._tokens.id(IMAGE)
        assert image_token is not None  # noqa: S101 - load_tokens saw to it
        prompt = torch.tensor([ids], device=device)
        embedded = self._model.embed(prompt, pixels, image_token)
        answering = Answering(len(ids))
        answering.pieces = self._pieces(embedded, sampling, answering)
        return answering

    def _tiles(self, picture: Picture) -> list[NDArray[np.uint8]]:
        config = self._model.config
        most = config.tiles if picture.detail else 1
        found = tiles(picture.image, config.vision.image_size, most, thumbnail=config.thumbnail)
        return [np.asarray(tile) for tile in found]

    def _prompt(self, conversation: Conversation, counts: Sequence[int]) -> str:
        """The text of the conversation, a picture's tokens where its place was."""
        text = self._template.prompt(conversation.turns(), conversation.system)
        first, *rest = text.split(PLACE)
        written = [first]
        for count, following in zip(counts, rest, strict=True):
            places = IMAGE * (count * self._model.config.tokens)
            written += [IMAGE_START, places, IMAGE_END, following]
        return "".join(written)

    @torch.inference_mode()
    def _pieces(self, embedded: Tensor, sampling: Sampling, answering: Answering) -> Iterator[str]:
        """Text as soon as it is certain: whole characters that cannot begin a stop text."""
        said, ids = "", list[int]()
        for token in self._draw(embedded, sampling):
            if token in self._ends():
                answering.finish = "stop"
                break
            ids.append(token)
            answering.completion_tokens = len(ids)
            text = self._tokens.decode(ids)
            if (end := _first(text, sampling.stop)) is not None:
                answering.finish = "stop"
                yield text[len(said) : end]
                return
            certain = len(text) - _pending(text, sampling.stop)
            if not text.endswith(UNFINISHED) and certain > len(said):
                yield text[len(said) : certain]
                said = text[:certain]
        if rest := self._tokens.decode(ids)[len(said) :]:
            yield rest

    def _ends(self) -> set[int]:
        stated = self._model.config.language.eos_token_id
        ends = {stated} if isinstance(stated, int) else set(stated or ())
        stop = self._tokens.id(self._template.stop)
        return ends | ({stop} if stop is not None else set())

    def _draw(self, embedded: Tensor, sampling: Sampling) -> Iterator[int]:
        """Token after token, endlessly but for `max_tokens`."""
        language, cache = self._model.language_model, DynamicCache()
        draw = torch.Generator(embedded.device)
        if sampling.seed is not None:
            draw.manual_seed(sampling.seed)
        else:
            draw.seed()
        step = {"inputs_embeds": embedded}
        for _ in range(sampling.max_tokens):
            found = language(**step, past_key_values=cache, use_cache=True, logits_to_keep=1)
            token = _choose(found.logits[:, -1].float(), sampling, draw)
            yield int(token)
            step = {"input_ids": token[None]}


def _choose(logits: Tensor, sampling: Sampling, draw: torch.Generator) -> Tensor:
    """The next token `[1]` of `logits` `[1, vocabulary]`."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    nothing = torch.empty(1, 0, dtype=torch.long, device=logits.device)
    logits = TemperatureLogitsWarper(sampling.temperature)(nothing, logits)
    if sampling.top_p < 1:
        logits = TopPLogitsWarper(sampling.top_p)(nothing, logits)
    return torch.multinomial(logits.softmax(-1), 1, generator=draw)[0]


def _first(text: str, stops: Sequence[str]) -> int | None:
    """Where the first stop text begins."""
    found = [text.index(stop) for stop in stops if stop in text]
    return min(found) if found else None


def _pending(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end of `text` may be the beginning of a stop text."""
    lengths = (n for stop in stops for n in range(1, len(stop)) if text.endswith(stop[:n]))
    return max(lengths, default=0)


def _pixels(found: Sequence[NDArray[np.uint8]], device: torch.device) -> Tensor:
    return normalise(torch.from_numpy(np.stack(found)).to(device))
