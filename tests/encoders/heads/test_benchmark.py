"""The benchmark of the heads runs, at a size that a CPU can do, and compares like with like."""

import pytest
import torch

from benchmarks.heads import (
    SIZES,
    Bench,
    ByteTokens,
    bare_batches,
    bare_first_token,
    chat_model,
    main,
    picture,
    prepared,
    randomise,
)
from encoders.heads.chat.conversation import Conversation, Message, Picture
from encoders.heads.chat.local import LocalChat, Sampling
from encoders.heads.chat.templates import TEMPLATES
from encoders.heads.segmentation.model import SegmentationConfig, SegmentationModel
from encoders.heads.segmentation.segmenter import Segmenter
from encoders.internvl.attention import ATTENTION
from encoders.internvl.placement import on_meta

CPU = torch.device("cpu")
TINY = SIZES["tiny"]


def test_it_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--device", "cpu", "--runs", "1", "--picture", "160x120"])
    out = capsys.readouterr().out
    for row in (
        "| linear | 2 |",
        "| UperNet | 2 |",
        "| first token, text alone |",
        "| first token, 12 tiles and a thumbnail |",
        "| 32 tokens, text alone; bare: `generate` |",
    ):
        assert row in out


@torch.inference_mode()
def test_the_bare_chat_does_the_same_work() -> None:
    model = chat_model(Bench(TINY, CPU, torch.float32, "sdpa", (160, 120), 1))
    chat = LocalChat(model, ByteTokens(), TEMPLATES["Hermes-2"])
    asked = Conversation([Message("user", [Picture(picture(120, 80)), "What is this?"])])
    ids, pixels = prepared(chat, asked, CPU)
    assert pixels is not None
    assert ids.shape[1] == chat.answer(asked, Sampling(max_tokens=1)).prompt_tokens
    tiles = chat._tiles(next(asked.pictures()))
    assert len(tiles) == len(pixels)
    assert 0 <= bare_first_token(model, ids, pixels) < 512
    answer = chat.answer(asked, Sampling(max_tokens=32))
    assert len("".join(answer)) == answer.completion_tokens == 32  # as many as `generate` is told


def test_the_bare_segmentation_sees_as_many_windows() -> None:
    config = SegmentationConfig(TINY.tower, (3,), 0, 150, TINY.stride)
    model = randomise(on_meta(lambda: SegmentationModel(config, ATTENTION["sdpa"])), CPU)
    seen: list[int] = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    Segmenter(model, [str(n) for n in range(150)], CPU).segment(picture(400, 120))
    assert seen == bare_batches(config, (400, 120)) == [5]
