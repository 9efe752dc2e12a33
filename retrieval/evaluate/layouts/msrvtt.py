"""MSR-VTT: videos and sentences, as the retrieval papers list them.

ROOT/VIDEO.mp4 (or ROOT/videos/VIDEO.mp4)
any JSON file [{"video": "VIDEO.mp4", "caption": "..."}], or the CSV file of the 1k-A test set
with the columns video_id and sentence
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from retrieval.evaluate.dataset import Pairs
from retrieval.evaluate.layouts.files import read_json, read_text, unexpected


def read(root: Path, annotations: Path) -> Pairs:
    """Captions as they are; a video that is listed several times has several.

    Raises `InvalidDataset`.
    """
    folder = root / "videos" if (root / "videos").is_dir() else root
    captions: dict[str, list[str]] = {}
    rows = _csv(annotations) if annotations.suffix == ".csv" else _json(annotations)
    for video, caption in rows:
        captions.setdefault(video, []).append(caption)
    said = ((folder / video, texts) for video, texts in captions.items())
    return Pairs.of("msrvtt", "en", said, folder)


def _json(path: Path) -> Iterator[tuple[str, str]]:
    try:
        for row in read_json(path):
            yield str(row["video"]), str(row["caption"])
    except (KeyError, TypeError) as error:
        raise unexpected(path, f"a list of videos with a caption each ({error!r})") from error


def _csv(path: Path) -> Iterator[tuple[str, str]]:
    try:
        for row in csv.DictReader(io.StringIO(read_text(path)), strict=True):
            yield f"{row['video_id']}.mp4", row["sentence"] or ""
    except (KeyError, csv.Error) as error:
        raise unexpected(path, f"columns video_id and sentence ({error!r})") from error
