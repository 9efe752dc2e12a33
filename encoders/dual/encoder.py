"""A dual encoder: one tower for texts, one for images, one space."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import PreTrainedConfig, PreTrainedModel

from encoders.base import (
    EncoderInfo,
    Modality,
    Pixels,
    Preprocess,
    RGBImage,
    Vectors,
    require_texts,
    unit,
)
from encoders.devices import parse_device, parse_dtype
from encoders.dual.files import find_checkpoint, weight_files
from encoders.dual.images import ImageTransform
from encoders.dual.model import FEATURES, is_inert, load_model, read_config, tower_of
from encoders.dual.texts import TextTransform
from encoders.errors import CheckpointError, InvalidOption, TowerNotLoaded
from encoders.fingerprint import digest, hash_tensors
from encoders.registry import LoadOptions

T = TypeVar("T")

VECTOR = "default"
IMAGE_BATCH = 64  # images per forward pass


class DualEncoder:
    """SigLIP, SigLIP 2, CLIP, MetaCLIP 2, Chinese-CLIP, AltCLIP or another of `transformers`.

    Texts and images give one vector each, named "default".
    """

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        texts: TextTransform | None,
        images: ImageTransform | None,
        prints: Mapping[str, str],
    ) -> None:
        """`prints` maps each tower whose files are here to its fingerprint; see `load`."""
        self._texts, self._images = texts, images
        self._model = model
        self.info = self._describe(name, prints)

    @classmethod
    def load(cls, name_or_path: str, options: LoadOptions) -> Self:
        """Load from a folder, or from a hub id that is in the local hub cache.

        Nothing is downloaded, no code of the checkpoint runs and no pickle is executed. Raises
        `UnknownEncoder`, `ModelUnavailable`, `CheckpointError` or `InvalidOption`.
        """
        _require_known({VECTOR} if options.vectors is None else options.vectors, {VECTOR}, "vector")
        _require_known(options.towers, FEATURES.keys(), "tower")
        device = parse_device(options.device)
        dtype = parse_dtype(options.dtype, device)
        folder = find_checkpoint(name_or_path)
        files = weight_files(folder, name_or_path)
        config = read_config(folder)
        model = load_model(folder, config, files, options.towers, dtype).to(device)
        texts = _built(TextTransform, folder, config, required="text" in options.towers)
        images = _built(ImageTransform, folder, config, required="image" in options.towers)
        transforms: dict[Modality, TextTransform | ImageTransform | None]
        transforms = {"text": texts, "image": images}
        prints: dict[str, str] = {
            tower: digest(hash_tensors(files, _names_of(tower)), transform.fingerprint())
            for tower, transform in transforms.items()
            if transform
        }
        return cls(
            name_or_path,
            model,
            texts if "text" in options.towers else None,
            images if "image" in options.towers else None,
            prints,
        )

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit rows `[len(texts), dim]`; raises `InvalidInput` on an empty text."""
        if self._texts is None:
            raise TowerNotLoaded(self.info.name, "text")
        require_texts(texts)
        rows = np.zeros((len(texts), self.info.vectors[VECTOR]), dtype=np.float32)
        for positions, inputs in self._texts.batches(texts):
            rows[positions] = self._forward("text", inputs)
        return {VECTOR: unit(rows)}

    @property
    def preprocess(self) -> Preprocess:
        """See `ImageTransform`."""
        return self._transform().preprocess

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        """Rows `[len(pixels), dim]`, see `Encoder.encode_pixels`."""
        transform = self._transform()
        rows = np.zeros((len(pixels), self.info.vectors[VECTOR]), dtype=np.float32)
        for start in range(0, len(pixels), IMAGE_BATCH):
            inputs = transform.inputs(pixels[start : start + IMAGE_BATCH])
            rows[start : start + IMAGE_BATCH] = self._forward("image", inputs)
        return {VECTOR: unit(rows) if normalize else rows}

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        """`encode_pixels` of each image's `preprocess`."""
        return self.encode_pixels([self.preprocess(image) for image in images], normalize=normalize)

    def _transform(self) -> ImageTransform:
        if self._images is None:
            raise TowerNotLoaded(self.info.name, "image")
        return self._images

    def _describe(self, name: str, prints: Mapping[str, str]) -> EncoderInfo:
        """What this encoder is; its dimension is measured, which also proves that it runs."""
        dims: dict[Modality, int] = {}
        if self._texts is not None:
            _, inputs = next(self._texts.batches(["a"]))
            dims["text"] = self._forward("text", inputs).shape[1]
        if self._images is not None:
            pixels = [self._images(Image.new("RGB", (64, 64)))]
            dims["image"] = self._forward("image", self._images.inputs(pixels)).shape[1]
        if len(set(dims.values())) != 1:
            raise CheckpointError(f"{name} has towers of different dimensions: {dims}")
        vectors = {VECTOR: next(iter(dims.values()))}
        config = self._model.config
        return EncoderInfo(
            name=name,
            description=f"{config.model_type} dual encoder, {vectors[VECTOR]} dimensions",
            vectors=vectors,
            modalities=frozenset(dims),
            fingerprint={"vectors": digest(vectors), **prints},
            batch_size=IMAGE_BATCH,
        )

    @torch.inference_mode()
    def _forward(self, tower: Modality, inputs: dict[str, torch.Tensor]) -> NDArray[np.float32]:
        """Features `[batch, dim]`, not normalised."""
        model = self._model
        inputs = {
            name: value.to(model.device, model.dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        with torch.autocast(model.device.type, enabled=False):
            output = getattr(model, FEATURES[tower])(**inputs)
        rows = getattr(output, "pooler_output", output)
        if not isinstance(rows, torch.Tensor) or rows.ndim != 2:
            kind = type(model).__name__
            raise CheckpointError(
                f"{kind} does not give one vector per {tower}: it is not a dual encoder"
            )
        return rows.float().cpu().numpy()


def _built(
    kind: Callable[[Path, PreTrainedConfig], T],
    folder: Path,
    config: PreTrainedConfig,
    *,
    required: bool,
) -> T | None:
    """A tower's transform; one that is not required may lack its files, and then is None."""
    try:
        return kind(folder, config)
    except CheckpointError:
        if required:
            raise
        return None


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
