from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders import LoadOptions, Pixels, Vectors, unit
from encoders.fake import FakeEncoder
from encoders.internvl.load import load_internvl
from retrieval.errors import InvalidDataset
from retrieval.evaluate import embeddings
from retrieval.evaluate.dataset import Gaps
from retrieval.evaluate.embeddings import Embeddings, readable
from tests.encoders.internvl.tiny import DATA, FEATURES, TINY, load_numbers
from tests.retrieval.evaluate.toys import COLOURS, save_image


class Interrupted(Exception):
    pass


class Counting(FakeEncoder):
    """Counts what it encodes; stops working after a number of images."""

    def __init__(self, most: int = 10**6) -> None:
        self.texts = self.images = 0
        self.most = most

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return super().encode_texts(texts)

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        self.images += len(pixels)
        if self.images > self.most:
            raise Interrupted
        return super().encode_pixels(pixels, normalize=normalize)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [save_image(tmp_path / "in" / f"{at}.jpg", COLOURS[at % 6]) for at in range(10)]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "CHUNK", 4)


def test_an_interrupted_run_goes_on_where_it_stopped(paths: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(Interrupted):
        Embeddings(Counting(most=8), cache).images(paths, "search")
    rest = Counting()
    resumed = Embeddings(rest, cache).images(paths, "search")["default"]
    assert rest.images == 2
    whole = Embeddings(FakeEncoder()).images(paths, "search")["default"]
    np.testing.assert_array_equal(resumed, whole)
    again = Counting()
    Embeddings(again, cache).images(paths, "search")
    assert again.images == 0


def test_a_changed_file_use_or_text_is_encoded_anew(paths: list[Path], tmp_path: Path) -> None:
    cache, encoder = tmp_path / "cache", Counting()
    ours = Embeddings(encoder, cache)
    ours.images(paths[:4], "search")
    ours.images(paths[:4], "class")
    assert encoder.images == 8
    save_image(paths[0], "white").touch()
    ours.images(paths[:4], "search")
    assert encoder.images == 12
    for _ in range(2):
        ours.texts(["a", "b"])
    ours.texts(["a", "c"])
    assert encoder.texts == 4


def test_damage_in_the_cache_only_costs_time(paths: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    whole = Embeddings(FakeEncoder(), cache).images(paths, "search")["default"]
    for path in cache.rglob("*.safetensors"):
        path.write_bytes(b"{}")
    np.testing.assert_array_equal(
        Embeddings(FakeEncoder(), cache).images(paths, "search")["default"], whole
    )
    assert not [
        path for path in cache.rglob("*") if path.is_file() and path.suffix != ".safetensors"
    ]


def test_rows_of_unreadable_files_are_told_apart(paths: list[Path]) -> None:
    paths[3].write_bytes(b"no image")
    paths[5].unlink()
    gaps = Gaps()
    kept = readable(Embeddings(FakeEncoder()).images(paths, "search"), paths, gaps)
    assert np.flatnonzero(~kept).tolist() == [3, 5]
    assert gaps.sentences() == ["2 files unreadable: 3.jpg, 5.jpg"]
    for path in paths:
        path.write_bytes(b"no image")
    with pytest.raises(InvalidDataset, match=r"no file can be read: .*3\.jpg"):
        readable(Embeddings(FakeEncoder()).images(paths, "search"), paths, gaps)


def test_progress_is_told(paths: list[Path]) -> None:
    seen: list[tuple[str, int, int]] = []
    ours = Embeddings(FakeEncoder(), follow=lambda *step: seen.append(step))
    ours.images(paths, "search")
    assert seen == [("images", 4, 10), ("images", 8, 10), ("images", 10, 10)]


def test_internvl_images_and_videos_equal_the_reference() -> None:
    """Retrieval squashes, classification crops; a video is the unit mean of raw frame vectors."""
    encoder = load_internvl(str(TINY), LoadOptions(device="cpu"))
    images = sorted((DATA / "images").iterdir())
    ours = Embeddings(encoder)
    opened = [Image.open(path).convert("RGB") for path in images]
    squashed = unit(encoder.encode_images(opened, normalize=False)["g"])
    np.testing.assert_allclose(ours.images(images, "search")["g"], squashed, atol=FEATURES)
    cropped = encoder.encode_pixels([encoder.preprocess(image, "class") for image in opened])["g"]
    np.testing.assert_allclose(ours.images(images, "class")["g"], cropped, atol=FEATURES)
    frames, expected = load_numbers("07_video_frames"), load_numbers("07_video")
    (shots,) = frames.values()
    video = ours.videos(images[:1], len(shots), lambda _path, _count: iter(shots))
    for name in ("c", "g"):
        reference = unit(expected[f"video_feature_{name}"])
        np.testing.assert_allclose(video[name], reference, atol=FEATURES)
