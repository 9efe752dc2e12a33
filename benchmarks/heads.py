"""Segmentation and chat with random weights, beside the bare model: one run, every row.

    python -m benchmarks.heads [--device cuda:0] [--size full] [--picture 1024x768] [--runs 5]

Speed does not depend on the weights. Segmentation stands beside the model's forward over as
many windows of zeros in the same batches, alone and with one resize of logits to the picture's size
and one argmax over the 150 classes, which the protocol asks for: what is left is cutting and
averaging. Chat's first token stands beside the bare model's, tower and language model over tensors
that were prepared before: what is left is tiling, tokens and text. Its further tokens stand beside
`generate` of transformers. They take turns, so that load hits all alike; times are medians.
`--size tiny` is for a CPU; `--size full` (InternViT-6B; InternVL3-8B's sizes) takes a GPU of 48 GB.
"""

import argparse
import gc
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoConfig

from benchmarks.turns import Work, named, seconds_of
from encoders.devices import parse_dtype
from encoders.heads.chat.conversation import Conversation, Message, Picture
from encoders.heads.chat.local import LocalChat, Sampling
from encoders.heads.chat.model import ChatConfig, ChatModel, settle_rotary
from encoders.heads.chat.templates import TEMPLATES
from encoders.heads.chat.tokens import IMAGE, IMAGE_END, IMAGE_START
from encoders.heads.segmentation import Segmenter
from encoders.heads.segmentation.classes import ADE20K
from encoders.heads.segmentation.heads import resize
from encoders.heads.segmentation.model import SegmentationConfig, SegmentationModel
from encoders.heads.segmentation.slide import WINDOWS, target_sizes, windows
from encoders.internvl.attention import ATTENTION, choose_attention
from encoders.internvl.placement import on_meta
from encoders.internvl.vision import VisionConfig

CLASSES = len(ADE20K)
ANSWER = 32  # tokens
WARM = 1  # runs before the counted ones
SPECIAL = (IMAGE, IMAGE_START, IMAGE_END, "<|im_start|>", "<|im_end|>")

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Size:
    """Models of one size. `language` is a Qwen2, `eye` its tower."""

    tower: VisionConfig
    blocks: tuple[int, ...]
    channels: int
    stride: int
    eye: VisionConfig
    language: dict[str, int]


SIZES = {
    "full": Size(
        VisionConfig(image_size=504),
        (11, 23, 35, 47),
        1536,
        322,
        VisionConfig(
            1024, 24, 16, 4096, image_size=448, qkv_bias=True, qk_normalization=False,
            norm_type="layer_norm",
        ),
        {
            "hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28,
            "num_key_value_heads": 4, "intermediate_size": 18_944, "vocab_size": 151_674,
        },
    ),
    "tiny": Size(
        VisionConfig(64, 4, 4, 128, image_size=112),
        (0, 1, 2, 3),
        32,
        72,
        VisionConfig(64, 4, 4, 128, image_size=112),
        {
            "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
            "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 512,
        },
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Where and how often; `attention` by its name, `picture` its width and height in pixels."""

    size: Size
    device: torch.device
    dtype: torch.dtype
    attention: str
    picture: tuple[int, int]
    runs: int

    def seconds(self, work: Mapping[str, Work]) -> dict[str, float]:
        """Median seconds of each, one after the other in every round."""
        return seconds_of(work, self.device, self.runs, WARM)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    device = torch.device(options.device)
    dtype = parse_dtype(options.dtype, device)
    bench = Bench(
        SIZES[options.size],
        device,
        dtype,
        choose_attention(device, dtype),
        options.picture,
        options.runs,
    )
    print(f"# Heads, {options.size} size, {named(device)}, {dtype}, torch {torch.__version__}\n")
    size = "{} x {}".format(*options.picture)
    print(
        f"| segmentation of {size} | windows | megapixels/s | bare model | with resize and argmax |"
    )
    print("|---|---|---|---|---|")
    for head in ("linear", "UperNet"):
        print_segmentation(bench, head)
        gc.collect()
    print("\n| chat | prompt tokens | ms | bare model, ms | ratio |")
    print("|---|---|---|---|---|")
    print_chat(bench)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", help="by default bfloat16 on GPUs, float32 elsewhere")
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--picture", type=width_and_height, default=(1024, 768))
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args(arguments)


def width_and_height(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def print_segmentation(bench: Bench, head: str) -> None:
    """A row for one head."""
    size, attend = bench.size, ATTENTION[bench.attention]
    blocks, channels = (size.blocks, size.channels) if head == "UperNet" else (size.blocks[-1:], 0)
    config = SegmentationConfig(size.tower, blocks, channels, CLASSES, size.stride)
    model = on_meta(lambda: SegmentationModel(config, attend)).to(bench.dtype)
    model.decode_head.float()
    randomise(model, bench.device)
    image = picture(*bench.picture)
    segmenter = Segmenter(model, ADE20K, bench.device)
    batches = bare_batches(config, bench.picture)
    found = bench.seconds(
        {
            "ours": partial(segmenter.segment, image),
            "bare": partial(run_bare, model, batches, bench.device),
            "maths": partial(run_maths, model, batches, bench),
        }
    )
    rate = bench.picture[0] * bench.picture[1] / 1e6 / found["ours"]
    ratios = [found["ours"] / found[name] for name in ("bare", "maths")]
    print(f"| {head} | {sum(batches)} | {rate:.3g} | {ratios[0]:.2f}x | {ratios[1]:.2f}x |")


def bare_batches(config: SegmentationConfig, size: tuple[int, int]) -> list[int]:
    """Windows of each pass over a picture."""
    side = config.vision.image_size
    _, (height, width) = target_sizes(*size, side, config.vision.patch_size)
    count = len(list(windows(height, width, side, config.stride)))
    return [min(WINDOWS, count - start) for start in range(0, count, WINDOWS)]


def run_bare(model: SegmentationModel, batches: Sequence[int], device: torch.device) -> None:
    side = model.config.vision.image_size
    for count in batches:
        model(torch.zeros(count, 3, side, side, device=device))


def run_maths(model: SegmentationModel, batches: Sequence[int], bench: Bench) -> None:
    run_bare(model, batches, bench.device)
    vision, (width, height) = model.config.vision, bench.picture
    _, padded = target_sizes(width, height, vision.image_size, vision.patch_size)
    logits = torch.zeros(1, CLASSES, *padded, device=bench.device)
    resize(logits, (height, width)).argmax(1)


def print_chat(bench: Bench) -> None:
    """Rows for the first token, by what is shown, and for the tokens after it."""
    model = chat_model(bench)
    chat = LocalChat(model, ByteTokens(), TEMPLATES["Hermes-2"])
    shown = {
        "text alone": [],
        "one tile": [Picture(picture(*bench.picture), detail=False)],
        "12 tiles and a thumbnail": [Picture(picture(*bench.picture))],
    }
    for name, pictures in shown.items():
        asked = Conversation([Message("user", [*pictures, "What is in this picture?"])])
        count = chat.answer(asked, Sampling(max_tokens=1)).prompt_tokens
        ids, pixels = prepared(chat, asked, bench.device)
        found = bench.seconds(
            {
                "ours": partial(first_token, chat, asked),
                "bare": partial(bare_first_token, model, ids, pixels),
            }
        )
        print_times(f"first token, {name}", count, found)
    ids, _ = prepared(chat, HELLO, bench.device)
    found = bench.seconds(
        {
            "ours": lambda: list(chat.answer(HELLO, Sampling(max_tokens=ANSWER))),
            "bare": partial(
                model.language_model.generate,
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=ANSWER,
                min_new_tokens=ANSWER,
                do_sample=False,
            ),
        }
    )
    print_times(f"{ANSWER} tokens, text alone; bare: `generate`", ids.shape[1], found)


HELLO = Conversation([Message("user", ["Hello"])])


def print_times(name: str, count: int, found: dict[str, float]) -> None:
    ours, bare = 1000 * found["ours"], 1000 * found["bare"]
    print(f"| {name} | {count} | {ours:.1f} | {bare:.1f} | {ours / bare:.2f}x |")


def first_token(chat: LocalChat, asked: Conversation) -> None:
    next(iter(chat.answer(asked, Sampling(max_tokens=1))), None)


def bare_first_token(model: ChatModel, ids: Tensor, pixels: Tensor | None) -> int:
    embedded = model.embed(ids, pixels, ByteTokens.IMAGE_ID)
    logits = model.language_model(inputs_embeds=embedded, use_cache=True, logits_to_keep=1).logits
    return int(logits[0, -1].argmax())


def prepared(
    chat: LocalChat, asked: Conversation, device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """Token ids `[1, length]` and random tiles `[n, 3, side, side]` of a conversation."""
    counts = [len(chat._tiles(one)) for one in asked.pictures()]
    ids = torch.tensor([chat._tokens.encode(chat._prompt(asked, counts))], device=device)
    side = chat._model.config.vision.image_size
    pixels = torch.randn(sum(counts), 3, side, side, device=device) if counts else None
    return ids, pixels


def chat_model(bench: Bench) -> ChatModel:
    language = AutoConfig.for_model(
        "qwen2", **bench.size.language, max_position_embeddings=32_768, eos_token_id=None
    )
    config = ChatConfig(bench.size.eye, language, -1, "v2", "Hermes-2", 12, thumbnail=True)
    attend = ATTENTION[bench.attention]
    model = randomise(on_meta(lambda: ChatModel(config, attend)).to(bench.dtype), bench.device)
    settle_rotary(model)
    return model.to(bench.device)


def randomise(model: M, device: torch.device) -> M:
    """Give a model of the meta device random weights, of a size that keeps activations finite."""
    model.to_empty(device=device).eval().requires_grad_(False)
    for name, tensor in model.state_dict().items():
        if tensor.ndim < 2:
            tensor.fill_(0.1 if name.endswith(("ls1", "ls2")) else 0 if "mean" in name else 1)
        else:
            tensor.normal_(std=0.02)
    return model


class ByteTokens:
    """A token for each byte, and the special ones: no vocabulary is needed to measure time."""

    IMAGE_ID = 256
    _split = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")

    def encode(self, text: str) -> list[int]:
        """See `Tokens.encode`."""
        return [number for part in self._split.split(text) for number in self._ids(part)]

    def decode(self, ids: Sequence[int]) -> str:
        """See `Tokens.decode`; what is no byte is a letter, too, as of most tokens."""
        return "".join(chr(97 + number % 26) for number in ids)

    def id(self, token: str) -> int | None:
        """See `Tokens.id`."""
        return 256 + SPECIAL.index(token) if token in SPECIAL else None

    def _ids(self, part: str) -> Iterator[int]:
        special = self.id(part)
        yield from part.encode() if special is None else (special,)


def picture(width: int, height: int) -> Image.Image:
    """Noise: nothing of it is easier than of a photo."""
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(noise)


if __name__ == "__main__":
    main()
