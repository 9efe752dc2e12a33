import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingestion import Limits, MediaError, load_image
from ingestion.images import Picture
from tests import media

SIZE = (64, 48)
RED, GREEN, WHITE = (255, 0, 0), (0, 128, 0), (255, 255, 255)
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF"]


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def read_or_refused(data: bytes) -> Image.Image | None:
    """The picture, or None for a `MediaError`; any other error is the test's."""
    try:
        return load_image(data)
    except MediaError:
        return None


def half_and_half(left: str, right: str) -> Image.Image:
    image = media.plain(left, SIZE)
    image.paste(media.plain(right, (SIZE[0] // 2, SIZE[1])), (SIZE[0] // 2, 0))
    return image


@pytest.fixture(scope="module", autouse=True)
def _heif() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_from_bytes_and_from_a_file(name: str, tmp_path: Path) -> None:
    original = media.picture(1, SIZE)
    data = media.encoded(original, name)
    (tmp_path / "misnamed.bin").write_bytes(data)
    for source in (data, tmp_path / "misnamed.bin"):
        image = load_image(source)
        assert (image.mode, image.size) == ("RGB", SIZE)
        assert difference(image, original) < 16


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_first_picture_of_several_counts(name: str) -> None:
    first, second = media.plain("red", SIZE), media.plain("blue", SIZE)
    data = media.encoded(first, name, save_all=True, append_images=[second])
    assert difference(load_image(data), first) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_applied(orientation: int, name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = half_and_half("red", "lime")
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    stored = upright if turn is None else upright.transpose(turn)
    picture = Picture(media.encoded(stored, name, exif=exif))
    image = picture.decode()
    assert (picture.width, picture.height) == image.size == SIZE
    assert difference(image, upright) < 16


def test_damaged_exif_is_no_reason_to_fail() -> None:
    data = media.encoded(media.picture(), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert load_image(data).size == SIZE
    assert Picture(data).payload() == {"width": 64, "height": 48, "format": "JPEG"}


def test_cmyk() -> None:
    data = media.encoded(media.plain("red", SIZE).convert("CMYK"), "JPEG", quality=95)
    assert difference(load_image(data), media.plain("red", SIZE)) < 4


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_16_bits_are_scaled_not_clipped(name: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (48, 1))
    image = load_image(media.encoded(Image.fromarray(ramp), name))
    expected = np.rint(np.linspace(0, 255, 64))
    assert np.abs(np.asarray(image)[0, :, 0] - expected).max() <= 1


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([[0, 32768, 65535]], np.int32), [0, 128, 255]),
        (np.array([[-100, 0, 155]], np.int32), [0, 100, 255]),
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, np.nan, 1e6]], np.float32), [0, 0, 255]),
        (np.array([[0.0, 0.0, 0.0]], np.float32), [0, 0, 0]),
    ],
)
def test_wide_samples_are_stretched(samples: np.ndarray, expected: list[int]) -> None:
    image = load_image(media.encoded(Image.fromarray(samples), "TIFF"))
    assert np.abs(np.asarray(image)[0, :, 0].astype(int) - expected).max() <= 1


def transparent(mode: str) -> Image.Image:
    image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    image.paste((*GREEN, 255), (0, 0, 32, 48))
    if mode == "P":
        return image.quantize(8)
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "name"), [("RGBA", "PNG"), ("P", "PNG"), ("RGBA", "WEBP"), ("RGBA", "GIF")]
)
def test_what_is_transparent_is_white(mode: str, name: str) -> None:
    options = {"lossless": True} if name == "WEBP" else {}
    image = load_image(media.encoded(transparent(mode), name, **options))
    assert (image.getpixel((5, 5)), image.getpixel((60, 5))) == (GREEN, WHITE)


def test_a_colour_that_stands_for_transparency_is_white() -> None:
    data = media.encoded(half_and_half("green", "blue"), "PNG", transparency=(0, 0, 255))
    image = load_image(data)
    assert (image.getpixel((5, 5)), image.getpixel((60, 5))) == (GREEN, WHITE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    data = media.encoded(half_and_half("black", "white").convert(mode), "PNG")
    image = load_image(data)
    assert (image.getpixel((5, 5)), image.getpixel((60, 5))) == ((0, 0, 0), WHITE)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_no_larger_than_needed(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    original = media.picture(3, (1600, 1200))
    picture = Picture(media.encoded(original, quality=95, exif=exif))
    full = load_image(media.encoded(original, quality=95, exif=exif))
    size = (1200, 1600) if orientation == 6 else (1600, 1200)
    assert (picture.width, picture.height) == full.size == size
    small = picture.decode(target_size=128)
    assert small.size == (size[0] // 4, size[1] // 4)  # an eighth would be less than twice 128
    shrunk = full.resize(small.size, Image.Resampling.BOX)
    assert difference(small, shrunk) < 1.5


def test_a_small_jpeg_is_decoded_as_it_is() -> None:
    assert load_image(media.encoded(media.picture()), target_size=448).size == SIZE


def test_too_many_pixels_are_refused_before_decoding() -> None:
    data = media.encoded(Image.new("1", (30_000, 20_000)), "PNG")
    assert len(data) < 200_000
    with pytest.raises(
        MediaError, match="30000 x 20000 pixels are 600 MP, above the limit of 200 MP"
    ):
        load_image(data)


def test_limits_are_the_callers() -> None:
    data = media.encoded(media.picture())
    with pytest.raises(MediaError, match="above the limit"):
        load_image(data, Limits(max_pixels=1000))
    with pytest.raises(MediaError, match="larger than the limit"):
        load_image(data, Limits(max_bytes=100))


def test_a_long_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(MediaError, match="larger than the limit of 1 MB"):
        load_image(path, Limits(max_bytes=1_000_000))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("tenth", range(10))
def test_a_file_cut_short_is_refused_or_read_never_worse(name: str, tenth: int) -> None:
    data = media.encoded(media.picture(5, (256, 192)), name)
    image = read_or_refused(data[: len(data) * tenth // 10])
    assert image is None or image.size == (256, 192)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_common_file_cut_short_is_refused(name: str, tenth: int) -> None:
    data = media.encoded(media.picture(5, (256, 192)), name)
    with pytest.raises(MediaError, match=r"damaged or cut short|content is not"):
        load_image(data[: len(data) * tenth // 10])


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_escape_as_other_errors(seed: int) -> None:
    random = np.random.default_rng(seed)
    name = FORMATS[seed % len(FORMATS)]
    data = np.frombuffer(media.encoded(media.picture(7, (96, 64)), name), np.uint8).copy()
    at = random.integers(0, len(data), 12)
    data[at] = random.integers(0, 256, 12)
    image = read_or_refused(data.tobytes())
    assert image is None or image.mode == "RGB"


def test_a_video_is_not_an_image(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", media.frames(["red"]))
    with pytest.raises(MediaError, match=r"a video \(MP4\), not an image"):
        load_image(path)


def test_empty_missing_and_foreign_files_say_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="empty"):
        load_image(b"")
    with pytest.raises(MediaError, match="No such file"):
        load_image(tmp_path / "gone.jpg")
    with pytest.raises(MediaError, match="not an image"):
        load_image(b"<html></html>")


def test_pillow_warnings_stay_out() -> None:
    data = media.encoded(media.picture())
    broken_mpo = data[:2] + b"\xff\xe2\x00\x20MPF\0" + bytes(26) + data[2:]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Image.open(io.BytesIO(broken_mpo)).close()
        assert caught
        caught.clear()
        load_image(broken_mpo)
        assert caught == []
