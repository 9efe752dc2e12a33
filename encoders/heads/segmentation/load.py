"""From a file of weights in mmsegmentation's layout to a segmenter. No pickle is executed.

Such files do not tell all their numbers: what tensor shapes cannot say is known of the public
checkpoints, or given in `SegmentationOptions`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from encoders.devices import parse_devices, parse_dtype
from encoders.errors import CheckpointError, InvalidOption, ModelUnavailable
from encoders.heads.segmentation.classes import ADE20K
from encoders.heads.segmentation.model import SegmentationConfig, SegmentationModel
from encoders.heads.segmentation.segmenter import Segmenter
from encoders.internvl.attention import choose_attention, require_attention
from encoders.internvl.files import open_checkpoint
from encoders.internvl.memory import require_memory
from encoders.internvl.vision import VisionConfig, resize_positions
from encoders.internvl.weights import Catalogue, require_fit, shapes_of

HEADS_OF_WIDTH = {3200: 25, 1024: 16}
"""Attention heads of InternViT-6B and InternViT-300M, by width."""
PROBED_BLOCK = 44
"""Of the tower's 48 blocks, the one the public linear probes were trained on (from 0)."""

POSITIONS = "vision_model.embeddings.position_embedding"
_BLOCK = re.compile(r"vision_model\.encoder\.layers\.(\d+)\.")

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class SegmentationOptions:
    """What the files cannot tell, and where to run.

    `backbone` is a file with the tower, for a checkpoint of the head alone. `block` is the tower's
    block (from 0) under a linear head: by default 44 of 48 where the file's name has "frozen", as
    the public probes have, otherwise the last. `heads` is needed for unusual widths only. `window`
    and `stride` are in pixels; the public numbers were measured with 504 and 322.
    """

    backbone: Path | None = None
    block: int | None = None
    heads: int | None = None
    window: int = 504
    stride: int = 322
    device: str | None = None
    dtype: str | None = None


def load_segmenter(path: Path, options: SegmentationOptions | None = None) -> Segmenter:
    """The segmenter in `path`, a `.pth` or safetensors file.

    Raises `ModelUnavailable` where there is no such file, `CheckpointError` for files that are
    damaged or of something else, `InvalidOption` for options that do not fit.
    """
    options = options or SegmentationOptions()
    catalogue = _catalogue(path, options.backbone)
    found = {name: stored.shape for name, stored in catalogue.weights.items()}
    config = read_numbers(found, path, options)
    device = parse_devices(options.device)[0]
    dtype = parse_dtype(options.dtype, device)
    attend = require_attention(choose_attention(device, dtype))
    with torch.device("meta"):
        model = SegmentationModel(config, attend)
    _fill(model, catalogue, device, dtype)
    return Segmenter(model.eval(), _names(config.classes), device)


def read_numbers(found: Shapes, path: Path, options: SegmentationOptions) -> SegmentationConfig:
    """The configuration that the shapes of a checkpoint's tensors and the options imply."""
    vision = _vision(found, path, options)
    classes = _shape(found, "decode_head.conv_seg.weight", path)[0]
    if "up1.0.weight" not in found:
        probed = (_probed(vision, path, options),)
        return SegmentationConfig(vision, probed, 0, classes, options.stride)
    quarter = vision.num_hidden_layers // 4
    spread = tuple(quarter * (number + 1) - 1 for number in range(4))
    channels = _shape(found, "decode_head.bottleneck.conv.weight", path)[0]
    return SegmentationConfig(vision, spread, channels, classes, options.stride)


def _catalogue(path: Path, backbone: Path | None) -> Catalogue:
    catalogue = Catalogue()
    for file in (backbone, path):  # the head's own tower, where it has one, comes last and counts
        if file is None:
            continue
        if not file.is_file():
            raise ModelUnavailable(
                f"there is no segmentation checkpoint {str(file)!r}; the public ones are in the "
                "hub repository OpenGVLab/InternVL: hf download OpenGVLab/InternVL FILE"
            )
        catalogue.weights.update(Catalogue.of(open_checkpoint(file)).weights)
    return catalogue


def _vision(found: Shapes, path: Path, options: SegmentationOptions) -> VisionConfig:
    width = _shape(found, POSITIONS, path)[2]
    patch = _shape(found, "vision_model.embeddings.patch_embedding.weight", path)[2]
    first = "vision_model.encoder.layers.0."
    heads = options.heads or HEADS_OF_WIDTH.get(width)
    if heads is None or width % heads:
        raise InvalidOption(
            f"{path} has a tower {width} wide, and its file does not say how many attention heads "
            "that is: give their number"
        )
    if options.window % patch or options.stride < 1:
        raise InvalidOption(
            f"a window of {options.window} pixels is no multiple of the patch, {patch}, or the "
            f"stride {options.stride} is not positive"
        )
    return VisionConfig(
        hidden_size=width,
        num_hidden_layers=1 + max(int(match[1]) for match in map(_BLOCK.match, found) if match),
        num_attention_heads=heads,
        intermediate_size=_shape(found, f"{first}mlp.fc1.weight", path)[0],
        image_size=options.window,
        patch_size=patch,
        qkv_bias=f"{first}attn.qkv.bias" in found,
        qk_normalization=f"{first}attn.q_norm.weight" in found,
        norm_type="layer_norm" if f"{first}norm1.bias" in found else "rms_norm",
    )


def _probed(vision: VisionConfig, path: Path, options: SegmentationOptions) -> int:
    last = vision.num_hidden_layers - 1
    block = options.block
    if block is None:
        block = PROBED_BLOCK if "frozen" in path.name and last > PROBED_BLOCK else last
    if not 0 <= block <= last:
        raise InvalidOption(f"{path} has the blocks 0 to {last}, not {block}")
    return block


def _shape(found: Shapes, name: str, path: Path) -> tuple[int, ...]:
    if name not in found:
        raise CheckpointError(
            f"{path} lacks {name!r}: it is no segmentation checkpoint of InternViT in "
            "mmsegmentation's layout, or it is a head whose backbone must be given too"
        )
    return found[name]


def _fill(
    model: SegmentationModel, catalogue: Catalogue, device: torch.device, dtype: torch.dtype
) -> None:
    """Give a meta-device model its weights: the head in float32, all before it in `dtype`."""
    positions = catalogue.weights[POSITIONS]
    unused = {name for name in catalogue.weights if name.startswith("auxiliary_head.")}
    wanted = shapes_of(model)
    require_fit({**wanted, POSITIONS: positions.shape}, catalogue, unused)
    require_memory(sum(map(math.prod, wanted.values())) * dtype.itemsize, device)
    weights = {}
    for name in wanted:
        tensor = catalogue.read(name)
        if name == POSITIONS:
            tensor = resize_positions(tensor, model.config.vision.image_size, _patch(model))
        kept = torch.float32 if name.startswith("decode_head.") else dtype
        weights[name] = tensor.to(device, kept)
    model.load_state_dict(weights, assign=True)


def _patch(model: SegmentationModel) -> int:
    return model.config.vision.patch_size


def _names(classes: int) -> Sequence[str]:
    """ADE20K's, or numbers for a head that was trained on something else."""
    return ADE20K if classes == len(ADE20K) else [f"class {index}" for index in range(classes)]
