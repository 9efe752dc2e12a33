"""Images to pixel arrays by the checkpoint's own image processor, on the CPU, one at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import PreTrainedConfig

from encoders.base import Pixels, RGBImage, Use, as_rgb
from encoders.errors import CheckpointError, InvalidInput
from encoders.fingerprint import digest

MAX_ASPECT = 100  # a side this much longer than the other: resizing its short side would explode
SETTINGS = (
    "crop_size",
    "do_center_crop",
    "do_normalize",
    "do_rescale",
    "do_resize",
    "image_mean",
    "image_std",
    "max_num_patches",
    "patch_size",
    "resample",
    "rescale_factor",
    "size",
)


class ImageTransform:
    """A checkpoint's image processor without torchvision. Thread-safe.

    NaFlex models (native aspect ratio) take a mask and a grid shape beside the patches; both travel
    in one extra row of the array, so that every encoder's pixels are one array.
    """

    def __init__(self, folder: Path, config: PreTrainedConfig) -> None:
        """Raises `CheckpointError` where the folder holds no image processor."""
        try:
            self._processor = transformers.AutoImageProcessor.from_pretrained(
                folder, config=config, backend="pil", trust_remote_code=False, local_files_only=True
            )
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            raise CheckpointError(
                f"the image processor in {folder} cannot be loaded: {error}"
            ) from error
        self._is_naflex = "spatial_shapes" in self._processor.model_input_names
        self._size = dict(self._processor.size or {}) if self._processor.do_resize else {}

    def __call__(self, image: RGBImage, use: Use = "search") -> Pixels:  # noqa: ARG002
        """float32 `[3, height, width]`, or `[patches + 1, patch values]` for NaFlex.

        All uses are alike. Raises `InvalidInput` for images that cannot be decoded or are far too
        narrow.
        """
        rgb = as_rgb(image)
        if max(rgb.size) > MAX_ASPECT * min(rgb.size):
            raise InvalidInput(
                f"the image is {rgb.width} x {rgb.height} pixels: one side is more than "
                f"{MAX_ASPECT} times the other"
            )
        target = self._target(rgb.width, rgb.height)
        if (
            target is not None
        ):  # the processor's own way to the same pixels takes four times as long
            rgb = rgb.resize(target, self._processor.resample)
        fields = self._processor(images=rgb, do_resize=target is None, return_tensors="np")
        pixels = np.asarray(fields["pixel_values"][0], dtype=np.float32)
        return _pack(pixels, fields["spatial_shapes"][0]) if self._is_naflex else pixels

    def inputs(self, pixels: Sequence[Pixels]) -> dict[str, torch.Tensor]:
        """The model's inputs for a batch of what `__call__` gave."""
        batch = torch.from_numpy(np.stack(pixels))
        return _unpack(batch) if self._is_naflex else {"pixel_values": batch}

    def _target(self, width: int, height: int) -> tuple[int, int] | None:
        """Width and height that the processor would resize to; None where it must do so itself."""
        if self._size.keys() == {"height", "width"}:
            return self._size["width"], self._size["height"]
        if self._size.keys() == {"shortest_edge"}:
            edge, short = self._size["shortest_edge"], min(width, height)
            return int(edge * width / short), int(edge * height / short)
        return None

    def fingerprint(self) -> str:
        """A hash of the settings that decide the pixels."""
        settings = self._processor.to_dict()
        return digest({key: settings[key] for key in SETTINGS if settings.get(key) is not None})


def _pack(patches: Pixels, grid: Pixels) -> Pixels:
    extra = np.zeros_like(patches[:1])
    extra[0, :2] = grid
    return np.concatenate([patches, extra])


def _unpack(batch: torch.Tensor) -> dict[str, torch.Tensor]:
    patches, grids = batch[:, :-1], batch[:, -1, :2].long()
    used = grids.prod(dim=1, keepdim=True)
    mask = torch.arange(patches.shape[1]) < used
    return {
        "pixel_values": patches,
        "pixel_attention_mask": mask.int(),
        "spatial_shapes": grids,
    }
