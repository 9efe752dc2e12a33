"""Tensor names of every public checkpoint layout, translated to the names of our modules.

Ours are those of the Hugging Face InternVL-14B checkpoints. The others: InternViT alone (the
same without a prefix), the original `.pth` files, mmsegmentation's, and any of them with LoRA
wrappers around layers.
"""

import re

LORA_ALPHA = 256  # of the public training code, whatever the rank

_LORA = re.compile(r"(.+)\.lora_(A|B)(?:\.default)?\.weight")

_RENAMES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^module\.", ""),
        (r"(^|\.)base_model\.model\.", r"\1"),
        (r"\.base_layer\.", "."),
        (r"^backbone\.", ""),
        (r"^(embeddings|encoder)\.", r"vision_model.\1."),
        (r"^cls_token$", "vision_model.embeddings.class_embedding"),
        (r"^pos_embed$", "vision_model.embeddings.position_embedding"),
        (r"^patch_embed\.proj\.", "vision_model.embeddings.patch_embedding."),
        (r"^blocks\.(\d+)\.(ls[12])\.gamma$", r"vision_model.encoder.layers.\1.\2"),
        (r"^blocks\.", "vision_model.encoder.layers."),
        (r"^transformer\.", "qllama.model."),
    )
)

# Tables that old library versions stored although they are computed.
_COMPUTED = re.compile(r"(rotary_emb\.inv_freq|position_ids)$")


def our_name(name: str) -> str | None:
    """Our name of a stored tensor, or None for one that holds no weight."""
    if _COMPUTED.search(name):
        return None
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name


def lora_name(name: str) -> tuple[str, str] | None:
    """For one half of a LoRA update: our name of the weight it updates, and "A" or "B"."""
    match = _LORA.fullmatch(name)
    if match is None:
        return None
    target = our_name(f"{match[1]}.weight")
    return (target, match[2]) if target else None


def target_name(name: str) -> str | None:
    """Our name of the weight that a stored tensor decides, by itself or as half a LoRA update."""
    update = lora_name(name)
    return update[0] if update else our_name(name)
