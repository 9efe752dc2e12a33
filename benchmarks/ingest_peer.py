"""What one would write without polylens: a torch DataLoader and a loop over a `transformers` model.

Also the checkpoint that both it and polylens load: CLIP as it is published, its weights random.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from ingestion.options import Limits, VideoOptions
from ingestion.segments import samples, spans
from ingestion.timeline import Timeline

SIDE = 224  # pixels that the model sees
SMALL = {
    "hidden_size": 192,
    "intermediate_size": 768,
    "num_hidden_layers": 6,
    "num_attention_heads": 3,
}
"""A tower that leaves most of the processor to the decoders, as one on another device would."""


def save_clip(folder: Path, *, small: bool) -> Path:
    """CLIP ViT-B/32, or a tower of a hundredth of its work, with random weights."""
    torch.manual_seed(0)
    vision = {"image_size": SIDE, "patch_size": 32} | (SMALL if small else {})
    text = {"num_hidden_layers": 1}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision)
    transformers.CLIPModel(config).save_pretrained(folder)
    square = {"height": SIDE, "width": SIDE}
    images = transformers.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=square)
    images.save_pretrained(folder)
    return folder


class Photos(Dataset[NDArray[np.float32]]):
    """Each photo as the model wants it."""

    def __init__(self, paths: Sequence[Path], checkpoint: Path) -> None:
        self._paths = paths
        self._processor = transformers.AutoImageProcessor.from_pretrained(checkpoint, backend="pil")

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> NDArray[np.float32]:
        return _pixels(self._processor, Image.open(self._paths[number]).convert("RGB"))


class Films(Dataset[NDArray[np.float32]]):
    """The frames of each film that polylens looks at too, found by decoding it from the start."""

    def __init__(self, paths: Sequence[Path], checkpoint: Path) -> None:
        self._paths = paths
        self._processor = transformers.AutoImageProcessor.from_pretrained(checkpoint, backend="pil")

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> NDArray[np.float32]:
        wanted = frame_times(self._paths[number])
        found: list[NDArray[np.float32]] = []
        with av.open(str(self._paths[number])) as container:
            for frame in container.decode(video=0):
                if len(found) < len(wanted) and frame.time >= wanted[len(found)] - 1e-4:
                    found.append(_pixels(self._processor, frame.to_image()))
        return np.stack(found)


def frame_times(path: Path) -> list[float]:
    """When the frames of a film are shown that its vectors are made of, in seconds."""
    options = VideoOptions()
    timeline = Timeline.read(path, Limits())
    return [sample.time for sample in samples(timeline, spans(timeline, options), options)]


def run(data: Dataset[Any], checkpoint: Path, target: Path, workers: int, batch_size: int) -> int:
    """Encode all of it as a plain loop does, and save the rows; how many there are."""
    model = transformers.CLIPModel.from_pretrained(checkpoint).eval()
    is_film = isinstance(data, Films)
    loader = DataLoader(data, batch_size=None if is_film else batch_size, num_workers=workers)
    rows = []
    with torch.inference_mode():
        for batch in loader:
            for part in torch.split(torch.as_tensor(batch), batch_size):
                pooled = model.vision_model(pixel_values=part).pooler_output
                rows.append(torch.nn.functional.normalize(model.visual_projection(pooled), dim=-1))
    np.save(target, torch.cat(rows).numpy())
    return sum(map(len, rows))


def _pixels(processor: Any, image: Image.Image) -> NDArray[np.float32]:  # noqa: ANN401
    return np.asarray(processor(images=image, return_tensors="np")["pixel_values"][0])
