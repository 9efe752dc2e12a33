"""From a checkpoint's `config.json` to our configuration, or a refusal that says why."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from encoders.errors import CheckpointError
from encoders.internvl.model import InternVLConfig
from encoders.internvl.qllama import QLlamaConfig
from encoders.internvl.vision import VisionConfig

T = TypeVar("T", VisionConfig, QLlamaConfig, InternVLConfig)


def read_config(path: Path) -> InternVLConfig | VisionConfig:
    """The configuration in `path`: of InternVL-14B, or of an InternViT alone.

    Raises `CheckpointError` for a damaged file or any other architecture.
    """
    raw = read_json(path)
    kind = raw.get("model_type")
    if kind == "internvl" and "qllama_config" in raw:
        return _internvl(raw, path)
    if kind == "intern_vit_6b":
        return read_vision(raw, path)
    raise CheckpointError(f"{path} describes {_describe(raw)}")


def _describe(raw: Mapping[str, Any]) -> str:
    kind = raw.get("model_type", "no model_type at all")
    if kind in ("internvl_chat", "internvl"):
        return (
            f"an InternVL chat model ({kind!r}), which answers questions and embeds nothing: for "
            "vectors take OpenGVLab/InternVL-14B-224px"
        )
    code = "; it asks for remote code, which is never run here" if "auto_map" in raw else ""
    return f"{kind!r}, neither InternVL-14B ('internvl') nor an InternViT ('intern_vit_6b'){code}"


def _internvl(raw: Mapping[str, Any], path: Path) -> InternVLConfig:
    vision = dict(_section(raw, "vision_config", path))
    qllama = dict(_section(raw, "qllama_config", path))
    if raw.get("force_image_size") is not None:
        vision["image_size"] = raw["force_image_size"]
    if "num_query_token" in raw:
        qllama["num_query_token"] = raw["num_query_token"]
    if qllama.get("hidden_act", "silu") != "silu":
        raise CheckpointError(f"{path} asks for {qllama['hidden_act']!r}; a QLLaMA has 'silu'")
    parts = InternVLConfig(read_vision(vision, path), _pick(QLlamaConfig, qllama, path))
    config = _replaced(parts, ("clip_embed_dim", "attn_pool_num_heads"), raw, path)
    for width, heads in (
        (config.qllama.hidden_size, config.qllama.num_attention_heads),
        (config.qllama.hidden_size, config.attn_pool_num_heads),
        (config.vision.hidden_size, config.attn_pool_num_heads),
    ):
        _require_heads(width, heads, path)
    return config


def _section(raw: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    section = raw.get(name)
    if not isinstance(section, dict):
        raise CheckpointError(f"{path} has no {name!r} object, which an InternVL-14B needs")
    return section


def read_vision(raw: Mapping[str, Any], path: Path) -> VisionConfig:
    """The numbers of a tower among those of `raw`; raises `CheckpointError` naming `path`."""
    config = _pick(VisionConfig, raw, path)
    if config.hidden_act != "gelu" or config.norm_type not in ("rms_norm", "layer_norm"):
        raise CheckpointError(
            f"{path} asks for {config.hidden_act!r} and {config.norm_type!r}; an InternViT has "
            "'gelu' and 'rms_norm' or 'layer_norm'"
        )
    _require_heads(config.hidden_size, config.num_attention_heads, path)
    return config


def _require_heads(width: int, heads: int, path: Path) -> None:
    if width % heads:
        raise CheckpointError(f"{path}: a width of {width} cannot be split over {heads} heads")


def _pick(kind: type[T], raw: Mapping[str, Any], path: Path) -> T:
    """A `kind` with the fields `raw` names; the public model's value for those it does not."""
    return _replaced(kind(), [field.name for field in fields(kind)], raw, path)


def _replaced(defaults: T, names: Iterable[str], raw: Mapping[str, Any], path: Path) -> T:
    """`defaults` with those of `names` that `raw` has, their types checked."""
    values = {name: raw[name] for name in names if name in raw}
    for name, value in values.items():
        expected = type(getattr(defaults, name))
        if type(value) is not expected and (type(value), expected) != (int, float):
            raise CheckpointError(
                f"{path}: {name} is {value!r}, but must be of type {expected.__name__}"
            )
        if expected in (int, float) and value <= 0:
            raise CheckpointError(f"{path}: {name} is {value!r}, but must be above 0")
    return replace(defaults, **values)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; raises `CheckpointError`."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing: a checkpoint folder needs its config.json"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}): fetch it again") from error
    if not isinstance(raw, dict):
        raise CheckpointError(f"{path} is not a JSON object: fetch it again")
    return raw
