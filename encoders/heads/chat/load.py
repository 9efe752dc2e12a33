"""From a chat checkpoint on this machine to a model ready to run. No remote code is run."""

from pathlib import Path

import torch

from encoders.devices import first_device, parse_dtype
from encoders.heads.chat.config import read_chat_config
from encoders.heads.chat.layouts import Layout, catalogue_of, experts, hugging_face, internlm2, same
from encoders.heads.chat.model import ChatConfig, ChatModel, settle_rotary
from encoders.internvl.attention import choose_attention, require_attention
from encoders.internvl.config import read_json
from encoders.internvl.files import open_checkpoint
from encoders.internvl.memory import Room, require_memory
from encoders.internvl.weights import Catalogue, Site, load_weights, shapes_of


def load_chat(
    folder: Path,
    device: str | None = None,
    dtype: str | None = None,
    room: Room = require_memory,
) -> ChatModel:
    """The chat model in `folder`, weights in `dtype` on `device` (defaults: `encoders.devices`).

    Raises `CheckpointError` for what is damaged, of another kind or too large for the device, and
    `InvalidOption`.
    """
    config = read_chat_config(folder)
    place = first_device(device)
    number = parse_dtype(dtype, place)
    attend = require_attention(choose_attention(place, number))
    with torch.device("meta"):
        model = ChatModel(config, attend)
    settle_rotary(model)
    stored = Catalogue.of(open_checkpoint(folder))
    layout = _layout(folder, config)
    if hasattr(config.language, "num_experts"):
        layout = experts(layout, config.language)
    catalogue = catalogue_of(stored, shapes_of(model), layout)
    load_weights(model, catalogue, Site(place, place), number, known=(), room=room)
    return model


def _layout(folder: Path, config: ChatConfig) -> Layout:
    raw = read_json(folder / "config.json")
    if "text_config" in raw:
        return hugging_face(config.language)
    if raw["llm_config"].get("model_type") == "internlm2":
        return internlm2(config.language)
    return same
