"""Images to the pixel arrays of the checkpoint's own image processor, on the CPU, one at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from transformers import PreTrainedConfig

from encoders.base import Pixels, Preprocess, RGBImage, Use
from encoders.dual.plain import SIZES, PlainTransform, admitted
from encoders.errors import CheckpointError
from encoders.fingerprint import digest

PROBES = ((67, 41), (41, 67))  # widths and heights of pictures that tell transforms apart
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
        self._plain = None if self._is_naflex else _plain(self._processor)

    @property
    def preprocess(self) -> Preprocess:
        """The same, light enough for processes that do nothing else where that is possible."""
        return self._plain or self

    def __call__(self, image: RGBImage, use: Use = "search") -> Pixels:
        """uint8 `[height, width, 3]`, all uses alike; raises as `admitted`.

        Where only the processor itself makes the right pixels, float32 `[3, height, width]`, or
        `[patches + 1, patch values]` for NaFlex.
        """
        if self._plain is not None:
            return self._plain(image, use)
        fields = self._processor(images=admitted(image), return_tensors="np")
        pixels = np.asarray(fields["pixel_values"][0], dtype=np.float32)
        return _pack(pixels, fields["spatial_shapes"][0]) if self._is_naflex else pixels

    def inputs(self, pixels: Sequence[Pixels]) -> dict[str, torch.Tensor]:
        """The model's inputs for a batch of what `__call__` gave."""
        batch = self._plain.numbers(pixels) if self._plain else np.stack(pixels)
        tensor = torch.from_numpy(batch)
        return _unpack(tensor) if self._is_naflex else {"pixel_values": tensor}

    def fingerprint(self) -> str:
        """A hash of the settings that decide the pixels."""
        settings = self._processor.to_dict()
        return digest({key: settings[key] for key in SETTINGS if settings.get(key) is not None})


def _plain(processor: Any) -> PlainTransform | None:  # noqa: ANN401
    """The transform of the same pixels, bit by bit, in a third of the time, if there is one."""
    size = dict(processor.size or {})
    if not processor.do_resize or size.keys() not in SIZES:
        return None
    crop = dict(processor.crop_size) if getattr(processor, "do_center_crop", False) else {}
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    levels = _pixels(processor, Image.fromarray(ramp), do_resize=False, do_center_crop=False)
    plain = PlainTransform(size, int(processor.resample), crop, levels[..., 0])
    noise = np.random.default_rng(0).integers(0, 256, (*PROBES[0], 3), dtype=np.uint8)
    probes = [Image.fromarray(noise.reshape(height, width, 3)) for width, height in PROBES]
    same = all(
        np.array_equal(plain.numbers([plain(probe)])[0], _pixels(processor, probe))
        for probe in probes
    )
    return plain if same else None


def _pixels(processor: Any, image: Image.Image, **changes: bool) -> NDArray[np.float32]:  # noqa: ANN401
    """float32 `[3, height, width]`."""
    fields = processor(images=image, return_tensors="np", **changes)
    return np.asarray(fields["pixel_values"][0], dtype=np.float32)


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
