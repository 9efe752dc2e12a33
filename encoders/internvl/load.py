"""From a checkpoint folder, a hub id in the local cache, or a `.pth` file to a ready encoder."""

from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

from torch import nn

from encoders.base import EncoderInfo, Modality
from encoders.errors import CheckpointError, InvalidOption
from encoders.fingerprint import digest, hash_tensors
from encoders.internvl.checkpoint import Checkpoint, open_internvl
from encoders.internvl.encoder import InternVLEncoder
from encoders.internvl.images import ImageSide
from encoders.internvl.internvit import InternViT
from encoders.internvl.layouts import target_name
from encoders.internvl.memory import image_batch, text_batch
from encoders.internvl.model import PARTS, InternVL, Part
from encoders.internvl.placement import Placement, on_meta
from encoders.internvl.runner import Runner
from encoders.internvl.texts import TextSide
from encoders.internvl.tokenizer import FEATURE_PREFIX, Tokenizer
from encoders.internvl.transforms import MEAN, STD
from encoders.internvl.weights import shapes_of
from encoders.registry import LoadOptions

OF_G_ALONE = ("query_tokens", "clip_projector2.")  # with any of them a checkpoint must have all

C = TypeVar("C", bound=str)


def load_internvl(
    name_or_path: str, options: LoadOptions, name: str | None = None
) -> InternVLEncoder:
    """An encoder over InternVL-14B (vectors `c` and `g`), InternVL-C (`c`) or an InternViT.

    `name` is what the encoder calls itself and can be loaded by, by default the absolute path or
    the hub id. Raises `UnknownEncoder`, `ModelUnavailable`, `CheckpointError` or `InvalidOption`;
    no code of a checkpoint is run.
    """
    checkpoint = open_internvl(name_or_path)
    path = Path(name_or_path).expanduser()
    name = name or (str(path.resolve()) if path.exists() else name_or_path)
    load = _load_internvit if checkpoint.alone else _load_both
    return load(name, checkpoint, options, Placement.of(options))


def _load_both(
    name: str, checkpoint: Checkpoint, options: LoadOptions, placement: Placement
) -> InternVLEncoder:
    config = checkpoint.config
    has_g = any(name.startswith(OF_G_ALONE) for name in checkpoint.catalogue.weights)
    offered: tuple[Part, ...] = ("c", "g") if has_g else ("c",)
    both: tuple[Modality, ...] = ("text", "image")
    vectors = _chosen(options.vectors, offered, "vector", name)
    towers = _chosen(options.towers, both, "tower", name)
    parts = _parts(vectors, towers)
    tokenizer = _tokenizer(checkpoint, required="text" in towers)

    def build() -> InternVL:
        return InternVL(config, parts, placement.attention)

    known = shapes_of(on_meta(lambda: InternVL(config, PARTS)))
    model = placement.load(checkpoint, build, known)
    dims: dict[str, int] = dict.fromkeys(vectors, config.clip_embed_dim)
    site, dtype = placement.site, placement.dtype
    batch = image_batch(site.vision, config.vision, dtype)
    images = Runner(model, site.vision, batch)
    texts = Runner(model, site.language, text_batch(site.language, config.qllama, dtype))
    joint = Runner(model, site.vision, max(1, batch // 4))
    joined = "match" in parts
    return InternVLEncoder(
        EncoderInfo(
            name=name,
            description=f"InternVL-{'G and C' if 'g' in vectors else 'C'}, any language to image",
            vectors=dims,
            modalities=frozenset(towers),
            fingerprint={
                "vectors": digest(dims),
                **(_text_print(checkpoint, tokenizer) if tokenizer else {}),
                **_image_print(checkpoint, on_meta(lambda: InternVL(config, vectors))),
            },
            batch_size=batch,
            abilities=frozenset({"match", "caption"} if joined else ()),
        ),
        images=ImageSide(images, dims, config.vision.image_size, float8=placement.float8)
        if "image" in towers
        else None,
        texts=TextSide(texts, tokenizer) if tokenizer and "text" in towers else None,
        joint=(joint, tokenizer) if tokenizer and joined else None,
    )


def _load_internvit(
    name: str, checkpoint: Checkpoint, options: LoadOptions, placement: Placement
) -> InternVLEncoder:
    projector = "clip_projector.norm1_q.weight" in checkpoint.catalogue.weights
    if "image" not in options.towers:
        raise InvalidOption(f"{name} is only an image tower: it has no text tower")
    vectors = _chosen(options.vectors, ("c",) if projector else ("default",), "vector", name)

    def build() -> InternViT:
        return InternViT(checkpoint.config, projector=projector, attention=placement.attention)

    model = placement.load(checkpoint, build, ())
    dims = {vector: model.dims[vector] for vector in vectors}
    vision, device = checkpoint.config.vision, placement.site.vision
    batch = image_batch(device, vision, placement.dtype)
    return InternVLEncoder(
        EncoderInfo(
            name=name,
            description="InternViT, images only: finds images by an image",
            vectors=dims,
            modalities=frozenset({"image"}),
            fingerprint={
                "vectors": digest(dims),
                **_image_print(checkpoint, model),
            },
            batch_size=batch,
        ),
        images=ImageSide(
            Runner(model, device, batch), dims, vision.image_size, float8=placement.float8
        ),
        texts=None,
    )


def _parts(vectors: Collection[Part], towers: Collection[Modality]) -> frozenset[Part]:
    """What to load: with both towers and `g`, matching and captions cost only their small heads."""
    parts: set[Part] = set(vectors) if "image" in towers else set()
    if "text" in towers:
        parts.add("text")
    if {"g", "text"} <= parts:
        parts |= {"match", "caption"}
    return frozenset(parts)


def _tokenizer(checkpoint: Checkpoint, *, required: bool) -> Tokenizer | None:
    """The vocabulary; an image tower can do without, but then the fingerprint lacks its texts."""
    try:
        return Tokenizer(checkpoint.folder / "tokenizer.model")
    except CheckpointError:
        if required:
            raise
        return None


def _text_print(checkpoint: Checkpoint, tokenizer: Tokenizer) -> dict[str, str]:
    tensors = _hash(checkpoint, on_meta(lambda: InternVL(checkpoint.config, {"text"})))
    return {"text": digest(tensors, FEATURE_PREFIX, tokenizer.data)}


def _image_print(checkpoint: Checkpoint, model: nn.Module) -> dict[str, str]:
    how = ["squash", "frames: processor crop", checkpoint.config.vision.image_size, MEAN, STD]
    return {"image": digest(_hash(checkpoint, model), how)}


def _hash(checkpoint: Checkpoint, model: nn.Module) -> str:
    """A hash of the stored tensors that decide what `model` computes."""
    names = shapes_of(model).keys() - {"logit_scale"}
    return hash_tensors(checkpoint.files, lambda stored: target_name(stored) in names)


def _chosen(
    asked: Collection[str] | None, offered: tuple[C, ...], what: str, name: str
) -> tuple[C, ...]:
    """Those of `offered` that were asked for, all by default; raises `InvalidOption`."""
    if asked is None:
        return offered
    unknown = sorted(set(asked) - set(offered))
    if unknown or not asked:
        wanted = repr(unknown[0]) if unknown else "nothing"
        raise InvalidOption(f"{name} has the {what}s {', '.join(offered)}, not {wanted}")
    return tuple(choice for choice in offered if choice in asked)
