"""From a chat checkpoint's `config.json` to our configuration, or a refusal that says why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from encoders.errors import CheckpointError
from encoders.heads.chat.model import ChatConfig
from encoders.internvl.config import read_json, read_vision

LANGUAGES = ("llama", "qwen2", "qwen3", "qwen3_moe", "phi3")
"""Language models that `transformers` has under the names the checkpoints use."""


def read_chat_config(folder: Path) -> ChatConfig:
    """The configuration of the checkpoint in `folder`, of the public layout or of `transformers`'.

    Raises `CheckpointError` for anything that is not an InternVL chat model we can run.
    """
    path = folder / "config.json"
    raw = read_json(path)
    if raw.get("model_type") == "internvl_chat":
        return _public(raw, path)
    if raw.get("model_type") == "internvl" and "text_config" in raw:
        return _transformers(raw, path)
    raise CheckpointError(
        f"{path} has the model_type {raw.get('model_type')!r}: chat needs an InternVL chat "
        "checkpoint ('internvl_chat', or 'internvl' with a text_config)"
    )


def _public(raw: Mapping[str, Any], path: Path) -> ChatConfig:
    vision = dict(_section(raw, "vision_config", path))
    vision["image_size"] = raw.get("force_image_size") or vision.get("image_size")
    dynamic = bool(raw.get("dynamic_image_size"))
    return ChatConfig(
        vision=read_vision(vision, path),
        language=_language(_section(raw, "llm_config", path), path, tied=False),
        select_layer=int(raw.get("select_layer", -1)),
        shuffle="v1" if raw.get("ps_version") == "v1" else "v2",
        template=str(raw.get("template")),
        tiles=int(raw.get("max_dynamic_patch", 12)) if dynamic else 1,
        thumbnail=bool(raw.get("use_thumbnail")),
    )


def _transformers(raw: Mapping[str, Any], path: Path) -> ChatConfig:
    stated = _section(raw, "vision_config", path)
    squares = {key: _side(stated.get(key)) for key in ("image_size", "patch_size")}
    renamed = {
        "qkv_bias": stated.get("attention_bias", False),
        "qk_normalization": stated.get("use_qk_norm", False),
    }
    text = _section(raw, "text_config", path)
    tied = bool(text.get("tie_word_embeddings", raw.get("tie_word_embeddings", False)))
    return ChatConfig(
        vision=read_vision({**stated, **squares, **renamed}, path),
        language=_language(text, path, tied=tied),
        select_layer=int(raw.get("vision_feature_layer", -1)),
        shuffle="v2",
        template="internvl2_5",
        tiles=12,
        thumbnail=True,
    )


def _language(raw: Mapping[str, Any], path: Path, *, tied: bool) -> PreTrainedConfig:
    kind = raw.get("model_type")
    stated = {key: value for key, value in raw.items() if key not in ("model_type", "auto_map")}
    stated |= {"tie_word_embeddings": tied, "attn_implementation": None}
    original = raw.get("original_max_position_embeddings")
    if original and isinstance(raw.get("rope_scaling"), dict):
        stated["rope_scaling"] = {
            **raw["rope_scaling"],
            "original_max_position_embeddings": original,
        }
    if kind == "internlm2":
        kind, stated["attention_bias"] = "llama", raw.get("bias", True)
    if kind not in LANGUAGES:
        raise CheckpointError(
            f"{path} has the language model {kind!r}, which transformers does not have (there are "
            f"{', '.join(LANGUAGES)}, internlm2): serve it with LMDeploy or vLLM and use the proxy "
            "engine"
        )
    return AutoConfig.for_model(kind, **stated)


def _side(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _section(raw: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    section = raw.get(name)
    if not isinstance(section, dict):
        raise CheckpointError(f"{path} has no {name!r} object, which a chat checkpoint needs")
    return section
