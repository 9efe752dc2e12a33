"""Whole conversations with tiny models: prompts, pictures, streaming, stops, limits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from encoders import CheckpointError, InvalidInput
from encoders.heads.chat.conversation import Conversation, Message, Picture
from encoders.heads.chat.load import load_chat
from encoders.heads.chat.local import LocalChat, Sampling
from encoders.heads.chat.tokens import load_tokens
from tests.encoders.heads.chats import DATA, bytes_checkpoint, pieces_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bytes_checkpoint(tmp_path_factory.mktemp("chat") / "qwen2")


@pytest.fixture(scope="module")
def chat(folder: Path) -> LocalChat:
    return LocalChat.load(folder, "cpu")


def ask(*parts: str | Picture) -> Conversation:
    return Conversation([Message("user", parts)])


def red(width: int = 80, height: int = 60, *, detail: bool = True) -> Picture:
    return Picture(Image.new("RGB", (width, height), "red"), detail)


@pytest.mark.parametrize("family", ["a_internlm2", "b_qwen2", "c_llama", "d_phi3"])
@torch.inference_mode()
def test_tokens_are_drawn_as_the_reference_draws_them(family: str, chat: LocalChat) -> None:
    """With pictures, without, and each of a padded batch by itself; theirs begin with a bos."""
    expected = {name: torch.from_numpy(array) for name, array in loaded(family).items()}
    model = load_chat(DATA / family, "cpu")
    assert model.config.tokens == int(expected["num_image_token"])
    reader = LocalChat(model, chat._tokens, chat._template)
    token = int(expected["img_context_token_id"])

    def drawn(ids: Tensor, pixels: Tensor | None) -> list[int]:
        return list(reader._draw(model.embed(ids, pixels, token), Sampling(max_tokens=10)))

    pixels = expected["pixel_values"]
    assert drawn(expected["input_ids"], pixels) == expected["greedy_ids"][0, 1:].tolist()
    assert drawn(expected["text_input_ids"], None) == expected["text_greedy_ids"][0, 1:].tolist()
    rows = zip(expected["batch_input_ids"], expected["batch_attention_mask"], strict=True)
    for number, (ids, mask) in enumerate(rows):
        found = drawn(ids[mask == 1][None], pixels[number : number + 1])
        assert found == expected["batch_greedy_ids"][number, 1:].tolist()


def loaded(family: str) -> dict[str, NDArray[np.float32]]:
    with np.load(DATA / family / "expected.npz") as arrays:
        return dict(arrays)


def test_an_answer_streams_and_counts(chat: LocalChat) -> None:
    answering = chat.answer(ask("What is this?", red()), Sampling(max_tokens=24))
    pieces = list(answering)
    assert len(pieces) > 1
    assert answering.completion_tokens <= 24
    assert answering.finish in ("stop", "length")
    again = chat.answer(ask("What is this?", red()), Sampling(max_tokens=24))
    assert "".join(again) == "".join(pieces)


def test_the_picture_and_its_place_in_the_prompt(chat: LocalChat) -> None:
    plain = chat.answer(ask("What is this?"), Sampling(max_tokens=1)).prompt_tokens
    tile = chat._model.config.tokens
    one = chat.answer(ask(red(60, 60), "What is this?"), Sampling(max_tokens=1)).prompt_tokens
    assert one == plain + tile + len("<>\n")  # <img>, </img> and the line's end
    frame = ask(red(600, 100, detail=False), "What is this?")
    assert chat.answer(frame, Sampling(max_tokens=1)).prompt_tokens == one
    wide = chat.answer(ask(red(600, 100), "What is this?"), Sampling(max_tokens=1)).prompt_tokens
    assert wide == one + 6 * tile  # six tiles and the thumbnail


def test_what_is_shown_decides_the_answer(chat: LocalChat) -> None:
    blue = Picture(Image.new("RGB", (80, 60), "blue"))
    first = chat.answer(ask("?", red()), Sampling(max_tokens=12))
    second = chat.answer(ask("?", blue), Sampling(max_tokens=12))
    assert "".join(first) != "".join(second)


def test_a_stop_text_ends_the_answer_and_is_not_said(chat: LocalChat) -> None:
    whole = "".join(chat.answer(ask("Hello"), Sampling(max_tokens=30)))
    stop = whole[5:8]
    answering = chat.answer(ask("Hello"), Sampling(max_tokens=30, stop=[stop, "never said"]))
    assert "".join(answering) == whole[: whole.index(stop)]
    assert answering.finish == "stop"


def test_a_seed_repeats_the_draw(chat: LocalChat) -> None:
    def drawn(seed: int) -> str:
        sampling = Sampling(max_tokens=16, temperature=1.5, top_p=0.9, seed=seed)
        return "".join(chat.answer(ask("Hello"), sampling))

    assert drawn(1) == drawn(1)
    assert len({drawn(seed) for seed in range(5)}) > 1


def test_only_as_much_is_computed_as_is_read(chat: LocalChat) -> None:
    answering = chat.answer(ask("Hello"), Sampling(max_tokens=1000))
    next(iter(answering))
    assert answering.completion_tokens < 10


def test_earlier_turns_and_the_system_are_in_the_prompt(chat: LocalChat) -> None:
    turns = [
        Message("system", ["Be brief."]),
        Message("user", ["Hi"]),
        Message("assistant", ["Hello."]),
        Message("user", [red(60, 60), "And this?"]),
    ]
    prompt = chat._prompt(Conversation(turns), [1])
    assert prompt.startswith("<|im_start|>system\nBe brief.<|im_end|><|im_start|>user\nHi")
    assert "assistant\nHello.<|im_end|>" in prompt
    assert f"<img>{'<IMG_CONTEXT>' * chat._model.config.tokens}</img>\nAnd this?" in prompt


def test_conversations_that_make_no_sense() -> None:
    with pytest.raises(InvalidInput, match="last message must be the user's"):
        Conversation([Message("user", ["Hi"]), Message("assistant", ["Hello."])])
    with pytest.raises(InvalidInput, match="last message"):
        Conversation([])
    with pytest.raises(InvalidInput, match="<image>"):
        ask("what does <image> mean?")


def test_a_conversation_that_is_too_long(chat: LocalChat) -> None:
    with pytest.raises(InvalidInput, match="takes 32,768 together"):
        chat.answer(ask("word " * 10_000), Sampling())


def test_internlm2s_tokenizer_without_its_code(tmp_path: Path) -> None:
    folder = pieces_checkpoint(tmp_path / "internlm2")
    tokens = load_tokens(folder)
    text = "<|im_start|>user\nwhat is in this picture? 熊猫<|im_end|>"
    ids = tokens.encode(text)
    assert ids[0] == tokens.id("<|im_start|>") == 288
    assert ids[-1] == tokens.id("<|im_end|>")
    assert tokens.decode(ids).split() == ["user", "what", "is", "in", "this", "picture?", "熊猫"]
    chat = LocalChat.load(folder, "cpu")
    assert list(chat.answer(ask("what is this?", red(56, 56)), Sampling(max_tokens=8)))


def test_a_tokenizer_that_is_missing_or_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer in .* is missing"):
        load_tokens(DATA / "b_qwen2")
    pieces = pieces_checkpoint(tmp_path / "internlm2")
    (pieces / "tokenizer.model").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="missing or damaged"):
        load_tokens(pieces)
    (pieces / "tokenizer_config.json").write_text('{"tokenizer_class": "InternLM2Tokenizer"}')
    with pytest.raises(CheckpointError, match="lists no special tokens"):
        load_tokens(pieces)
    plain = bytes_checkpoint(tmp_path / "plain")
    stated = (plain / "tokenizer.json").read_text().replace("<IMG_CONTEXT>", "<other>")
    (plain / "tokenizer.json").write_text(stated)
    with pytest.raises(CheckpointError, match="lacks <IMG_CONTEXT>"):
        load_tokens(plain)
