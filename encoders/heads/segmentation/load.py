"""From a file of weights in mmsegmentation's layout to a segmenter. No pickle is executed.

Such files do not tell all their numbers: what tensor shapes cannot say is known of the public
checkpoints, or stated in a JSON file beside them.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from encoders.devices import first_device, parse_dtype
from encoders.errors import CheckpointError, ModelUnavailable
from encoders.fingerprint import digest, file_identity
from encoders.heads.segmentation.classes import ADE20K
from encoders.heads.segmentation.model import SegmentationConfig, SegmentationModel
from encoders.heads.segmentation.segmenter import Segmenter
from encoders.internvl.attention import choose_attention, require_attention
from encoders.internvl.files import open_checkpoint
from encoders.internvl.memory import Room, require_memory
from encoders.internvl.vision import VisionConfig, resize_positions
from encoders.internvl.weights import Catalogue, require_fit, shapes_of

HEADS_OF_WIDTH = {3200: 25, 1024: 16}
"""Attention heads of InternViT-6B and InternViT-300M, by width."""
PROBED_BLOCK = 44
"""Of the tower's 48 blocks, the one the public linear probes were trained on (from 0)."""

POSITIONS = "vision_model.embeddings.position_embedding"
_BLOCK = re.compile(r"vision_model\.encoder\.layers\.(\d+)\.")

Shapes = Mapping[str, tuple[int, ...]]


class Numbers(BaseModel):
    """What a file of weights cannot tell; a JSON file of the same name beside it may.

    `block` is the tower's block (from 0) under a linear head: by default 44 of 48 where the file's
    name has "frozen", as the public probes have, otherwise the last. `heads` is needed for unusual
    widths only. `window` and `stride` are in pixels; the published numbers were measured with 504
    and 322.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    block: int | None = Field(None, ge=0)
    heads: int | None = Field(None, ge=1)
    window: int = Field(504, ge=1)
    stride: int = Field(322, ge=1)

    @classmethod
    def beside(cls, path: Path) -> "Numbers":
        """Those in `NAME.json` beside `path`; raises `CheckpointError` where they are wrong."""
        stated = path.with_suffix(".json")
        try:
            return cls.model_validate_json(stated.read_bytes()) if stated.is_file() else cls()
        except ValidationError as error:
            reasons = "; ".join(": ".join([*map(str, e["loc"]), e["msg"]]) for e in error.errors())
            raise CheckpointError(f"{stated}: {reasons}") from error


@dataclass(frozen=True)
class SegmentationOptions:
    """How to load a segmenter; `backbone` is a file with the tower, for a head without one."""

    backbone: Path | None = None
    device: str | None = None
    dtype: str | None = None


def load_segmenter(
    path: Path, options: SegmentationOptions | None = None, room: Room = require_memory
) -> Segmenter:
    """The segmenter in `path`, a `.pth` or safetensors file.

    Raises `ModelUnavailable` where there is no such file, `CheckpointError` for files that are
    damaged or of something else, `InvalidOption`.
    """
    options = options or SegmentationOptions()
    catalogue = _catalogue(path, options.backbone)
    found = {name: stored.shape for name, stored in catalogue.weights.items()}
    config = read_config(found, path, Numbers.beside(path))
    device = first_device(options.device)
    dtype = parse_dtype(options.dtype, device)
    attend = require_attention(choose_attention(device, dtype))
    with torch.device("meta"):
        model = SegmentationModel(config, attend)
    _fill(model, catalogue, device, dtype, room)
    files = [file_identity(file.resolve()) for file in (options.backbone, path) if file]
    identity = digest(files, asdict(config), str(dtype))
    return Segmenter(model.eval(), _names(config.classes), device, identity)


def read_config(found: Shapes, path: Path, numbers: Numbers) -> SegmentationConfig:
    """The configuration that the shapes of a checkpoint's tensors and the numbers imply."""
    classes = _shape(found, "decode_head.conv_seg.weight", path)[0]
    vision = _vision(found, path, numbers)
    if "up1.0.weight" not in found:
        probed = (_probed(vision, path, numbers),)
        return SegmentationConfig(vision, probed, 0, classes, numbers.stride)
    quarter = vision.num_hidden_layers // 4
    spread = tuple(quarter * (number + 1) - 1 for number in range(4))
    channels = _shape(found, "decode_head.bottleneck.conv.weight", path)[0]
    return SegmentationConfig(vision, spread, channels, classes, numbers.stride)


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


def _vision(found: Shapes, path: Path, numbers: Numbers) -> VisionConfig:
    width = _shape(found, POSITIONS, path)[2]
    patch = _shape(found, "vision_model.embeddings.patch_embedding.weight", path)[2]
    first = "vision_model.encoder.layers.0."
    heads = numbers.heads or HEADS_OF_WIDTH.get(width)
    if heads is None or width % heads:
        raise CheckpointError(
            f"{path} has a tower {width} wide, and does not say how many attention heads that is: "
            f'write {{"heads": NUMBER}} into {path.with_suffix(".json").name} beside it'
        )
    if numbers.window % patch:
        raise CheckpointError(
            f"{path}: a window of {numbers.window} pixels is not a multiple of the patch, {patch}"
        )
    return VisionConfig(
        hidden_size=width,
        num_hidden_layers=1 + max(int(match[1]) for match in map(_BLOCK.match, found) if match),
        num_attention_heads=heads,
        intermediate_size=_shape(found, f"{first}mlp.fc1.weight", path)[0],
        image_size=numbers.window,
        patch_size=patch,
        qkv_bias=f"{first}attn.qkv.bias" in found,
        qk_normalization=f"{first}attn.q_norm.weight" in found,
        norm_type="layer_norm" if f"{first}norm1.bias" in found else "rms_norm",
    )


def _probed(vision: VisionConfig, path: Path, numbers: Numbers) -> int:
    last = vision.num_hidden_layers - 1
    block = numbers.block
    if block is None:
        block = PROBED_BLOCK if "frozen" in path.name and last > PROBED_BLOCK else last
    if block > last:
        raise CheckpointError(f"{path} has the blocks 0 to {last}, not {block}")
    return block


def _shape(found: Shapes, name: str, path: Path) -> tuple[int, ...]:
    if name not in found:
        raise CheckpointError(
            f"{path} lacks {name!r}: it is not an InternViT segmentation checkpoint in "
            "mmsegmentation's layout, or it is a head whose backbone must be given too"
        )
    return found[name]


def _fill(
    model: SegmentationModel,
    catalogue: Catalogue,
    device: torch.device,
    dtype: torch.dtype,
    room: Room,
) -> None:
    """Give a meta-device model its weights: the head in float32, all before it in `dtype`."""
    positions = catalogue.weights[POSITIONS]
    unused = {name for name in catalogue.weights if name.startswith("auxiliary_head.")}
    wanted = shapes_of(model)
    require_fit({**wanted, POSITIONS: positions.shape}, catalogue, unused)
    kept = {name: torch.float32 if name.startswith("decode_head.") else dtype for name in wanted}
    room(sum(math.prod(wanted[name]) * kept[name].itemsize for name in wanted), device)
    weights = {}
    for name in wanted:
        tensor = catalogue.read(name)
        if name == POSITIONS:
            tensor = resize_positions(tensor, model.config.vision.image_size, _patch(model))
        weights[name] = tensor.to(device, kept[name])
    model.load_state_dict(weights, assign=True)


def _patch(model: SegmentationModel) -> int:
    return model.config.vision.patch_size


def _names(classes: int) -> Sequence[str]:
    """ADE20K's, or numbers for a head that was trained on something else."""
    return ADE20K if classes == len(ADE20K) else [f"class {index}" for index in range(classes)]
