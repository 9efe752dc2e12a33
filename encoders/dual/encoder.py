"""A dual encoder: one tower for texts, one for images, one space."""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import PreTrainedModel

from encoders.base import EncoderInfo, Modality, Pixels, RGBImage, Vectors, require_texts, unit
from encoders.devices import parse_devices, parse_dtype
from encoders.dual.files import find_checkpoint, weight_files
from encoders.dual.images import ImageTransform
from encoders.dual.model import FEATURES, is_inert, load_model, read_config, tower_of
from encoders.dual.texts import TextTransform
from encoders.errors import CheckpointError, InvalidInput, InvalidOption
from encoders.fingerprint import digest, hash_tensors
from encoders.registry import LoadOptions

VECTOR = "default"
IMAGE_BATCH = 64  # images per device and forward pass


class DualEncoder:
    """SigLIP, SigLIP 2, CLIP, MetaCLIP 2, Chinese-CLIP, AltCLIP or another of `transformers`.

    Texts and images give one vector each, named "default". With several devices every one holds
    the whole model and takes its share of each batch.
    """

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        devices: Sequence[torch.device],
        texts: TextTransform | None,
        images: ImageTransform | None,
        weights: Mapping[Modality, str],
    ) -> None:
        """`weights` maps each loaded tower to the hash of its tensors; see `load`."""
        self._texts, self._images = texts, images
        self._replicas = [
            copy.deepcopy(model).to(device) if i else model.to(device)
            for i, device in enumerate(devices)
        ]
        self._pool = ThreadPoolExecutor(len(devices), thread_name_prefix="dual-encoder")
        self.info = self._describe(name, weights)

    @classmethod
    def load(cls, name_or_path: str, options: LoadOptions) -> Self:
        """Load from a folder, or from a hub id that is in the local hub cache.

        Nothing is downloaded, no code of the checkpoint runs and no pickle is executed. Raises
        `UnknownEncoder`, `ModelUnavailable`, `CheckpointError` or `InvalidOption`.
        """
        _require_known({VECTOR} if options.vectors is None else options.vectors, {VECTOR}, "vector")
        _require_known(options.towers, FEATURES.keys(), "tower")
        devices = parse_devices(options.device)
        dtype = parse_dtype(options.dtype, devices[0])
        folder = find_checkpoint(name_or_path)
        files = weight_files(folder, name_or_path)
        config = read_config(folder)
        model = load_model(folder, config, files, options.towers, dtype)
        texts = TextTransform(folder, config) if "text" in options.towers else None
        images = ImageTransform(folder, config) if "image" in options.towers else None
        weights = {tower: hash_tensors(files, _names_of(tower)) for tower in options.towers}
        return cls(name_or_path, model, devices, texts, images, weights)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit rows `[len(texts), dim]`; raises `InvalidInput` on an empty text."""
        if self._texts is None:
            raise InvalidInput(f"{self.info.name} was loaded without its text tower")
        require_texts(texts)
        rows = np.zeros((len(texts), self.info.vectors[VECTOR]), dtype=np.float32)
        for positions, inputs in self._texts.batches(texts):
            rows[positions] = self._forward("text", inputs)
        return {VECTOR: unit(rows)}

    def preprocess(self, image: RGBImage) -> Pixels:
        """The model's input for one image as float32, see `ImageTransform`; thread-safe.

        Raises `InvalidInput` for images that cannot be decoded or are far too narrow.
        """
        return self._image_transform()(image)

    def preprocess_frame(self, image: RGBImage) -> Pixels:
        """As `preprocess`: frames are images here."""
        return self.preprocess(image)

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        """Rows `[len(pixels), dim]`, see `Encoder.encode_pixels`."""
        transform = self._image_transform()
        rows = np.zeros((len(pixels), self.info.vectors[VECTOR]), dtype=np.float32)
        step = IMAGE_BATCH * len(self._replicas)
        for start in range(0, len(pixels), step):
            inputs = transform.inputs(pixels[start : start + step])
            rows[start : start + step] = self._forward("image", inputs)
        return {VECTOR: unit(rows) if normalize else rows}

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        """`encode_pixels` of each image's `preprocess`."""
        return self.encode_pixels([self.preprocess(image) for image in images], normalize=normalize)

    def _image_transform(self) -> ImageTransform:
        if self._images is None:
            raise InvalidInput(f"{self.info.name} was loaded without its image tower")
        return self._images

    def _forward(self, tower: Modality, inputs: dict[str, torch.Tensor]) -> NDArray[np.float32]:
        """Features `[batch, dim]`, not normalised, each device taking a part of the batch."""
        parts = zip(*(_split(value, len(self._replicas)) for value in inputs.values()), strict=True)
        shares = [dict(zip(inputs, part, strict=True)) for part in parts]
        jobs = zip(self._replicas, shares, strict=False)
        return np.concatenate(list(self._pool.map(lambda job: _features(tower, *job), jobs)))

    def _describe(self, name: str, weights: Mapping[Modality, str]) -> EncoderInfo:
        """What this encoder is; its dimension is measured, which also proves that it runs."""
        dims: dict[Modality, int] = {}
        transforms: dict[Modality, str] = {}
        if self._texts is not None:
            _, inputs = next(self._texts.batches(["a"]))
            dims["text"] = self._forward("text", inputs).shape[1]
            transforms["text"] = self._texts.fingerprint()
        if self._images is not None:
            pixels = [self._images(Image.new("RGB", (64, 64)))]
            dims["image"] = self._forward("image", self._images.inputs(pixels)).shape[1]
            transforms["image"] = self._images.fingerprint()
        if len(set(dims.values())) != 1:
            raise CheckpointError(f"{name} has towers of different dimensions: {dims}")
        vectors = {VECTOR: dims.popitem()[1]}
        config = self._replicas[0].config
        return EncoderInfo(
            name=name,
            description=f"{config.model_type} dual encoder, {vectors[VECTOR]} dimensions",
            vectors=vectors,
            modalities=frozenset(transforms),
            fingerprint={
                "vectors": digest(vectors),
                **{tower: digest(weights[tower], how) for tower, how in transforms.items()},
            },
        )


@torch.inference_mode()
def _features(
    tower: Modality, model: PreTrainedModel, inputs: dict[str, torch.Tensor]
) -> NDArray[np.float32]:
    inputs = {
        name: value.to(model.device, model.dtype if value.is_floating_point() else None)
        for name, value in inputs.items()
    }
    with torch.autocast(model.device.type, enabled=False):
        output = getattr(model, FEATURES[tower])(**inputs)
    rows = getattr(output, "pooler_output", output)
    if not isinstance(rows, torch.Tensor) or rows.ndim != 2:
        raise CheckpointError(
            f"{type(model).__name__} does not give one vector per {tower}: it is no dual encoder"
        )
    return rows.float().cpu().numpy()


def _split(value: torch.Tensor, parts: int) -> list[torch.Tensor]:
    return list(value.tensor_split(min(parts, len(value))))


def _names_of(tower: Modality) -> Callable[[str], bool]:
    """Whether a tensor decides what a tower computes; what both towers share counts for both."""
    return lambda name: not is_inert(name) and tower_of(name) in {tower, None}


def _require_known(asked: Collection[str], known: Collection[str], what: str) -> None:
    if not asked:
        raise InvalidOption(f"no {what} is asked for: there is {', '.join(sorted(known))}")
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise InvalidOption(
            f"no {what} is called {unknown[0]!r}: there is {', '.join(sorted(known))}"
        )
