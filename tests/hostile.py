"""A folder of files that have broken, slowed or fooled programs that read media.

    python -m tests.hostile FOLDER

writes it and prints what is expected of each file.
"""

import io
import os
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests import media

SIZE = (256, 192)
CUT = ".*(damaged|cut short|content is not an image|not a readable video|without frames).*"
IMAGES = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "TIFF": "tif",
    "BMP": "bmp",
    "AVIF": "avif",
}
VIDEOS = ("mp4", "mkv", "ts")


@dataclass(frozen=True)
class Expected:
    """What becomes of a file: one of `statuses` (separated by |), for a `reason` (a pattern)."""

    statuses: str
    reason: str = ""


FINE = Expected("done")
Made = Iterator[tuple[str | bytes, bytes, Expected]]
"""Name, content and what is expected."""


def write(folder: Path) -> dict[Path, Expected]:
    """All of it; each path and what is expected there."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for make in (bombs, cut_images, misnamed, odd_pixels, odd_headers, odd_names):
        for name, content, expected in make():
            path = folder / os.fsdecode(name)
            path.write_bytes(content)
            found[path] = expected
    return found | videos(folder / "videos") | not_files(folder / "others")


def bombs() -> Made:
    """Small files that promise, or are, many pixels."""
    above = Expected("failed", r"\d+ x \d+ pixels are \d+ MP, above the limit of 200 MP")
    jpeg = bytearray(media.encoded(media.picture()))
    frame = jpeg.index(b"\xff\xc0") + 5
    jpeg[frame : frame + 4] = struct.pack(">HH", 65_500, 65_500)
    yield "bomb.jpg", bytes(jpeg), above
    yield "bomb.png", png(60_000, 60_000, b""), above
    gif = bytearray(media.encoded(media.picture(), "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    yield "bomb.gif", bytes(gif), above
    bmp = bytearray(media.encoded(media.picture(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    yield "bomb.bmp", bytes(bmp), above
    yield "large.png", media.encoded(Image.new("1", (10_000, 8_000)), "PNG"), FINE
    text = zlib.compress(bytes(80 << 20), 1)
    chunk = png_chunk(b"zTXt", b"a\0\0" + text)
    whole = media.encoded(media.picture(), "PNG")
    yield "text.png", whole[:33] + chunk + whole[33:], Expected("failed|done", ".*(damaged|$)")
    yield "wide.jpg", media.encoded(media.picture(1, (65_500, 4))), FINE
    yield "wide.png", media.encoded(media.picture(1, (65_500, 2)), "PNG"), FINE
    yield "tall.png", media.encoded(media.picture(1, (1, 60_000)), "PNG"), FINE
    yield "one.png", media.encoded(media.plain("red", (1, 1)), "PNG"), FINE


def cut_images() -> Made:
    """Each common format, cut at every tenth; and nothing at all."""
    for name, suffix in IMAGES.items():
        data = media.encoded(media.picture(5, SIZE), name)
        # TIFF and GIF may be whole before their last byte.
        statuses = "failed|done" if name in ("TIFF", "GIF") else "failed"
        for tenth in range(1, 10):
            yield f"cut{tenth}.{suffix}", data[: len(data) * tenth // 10], Expected(statuses, CUT)
        yield f"nothing.{suffix}", b"", Expected("failed", "the file is empty")


def misnamed() -> Made:
    """Names that do not tell what is inside."""
    other = Expected("failed", "named .*, but its content is not an? (image|video) of .*")
    yield "png.jpg", media.encoded(media.picture(2), "PNG"), FINE
    yield "jpeg.mp4", media.encoded(media.picture(3)), FINE
    yield "no suffix", media.encoded(media.picture(4)), FINE
    yield "page.jpg", b"<!doctype html><title>404</title>", other
    yield "paper.png", b"%PDF-1.7\n" + bytes(100), other
    yield "program.gif", b"\x7fELF" + bytes(100), other
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.jpg", media.encoded(media.picture()))
    yield "archive.mp4", archive.getvalue(), other
    yield "notes.txt", b"hello", Expected("skipped", "not an image or a video")
    yield "drawing.svg", b"<svg/>", Expected("skipped", "not an image or a video")
    yield "camera.nef", b"MM\0*" + bytes(100), Expected("skipped", "a raw camera file .*")


def odd_pixels() -> Made:
    """Whole files of unusual kinds."""
    picture, frames = media.picture(6, SIZE), [media.picture(seed, SIZE) for seed in range(3)]
    deep = np.random.default_rng(0).integers(0, 65_536, (48, 64), dtype=np.uint16)
    for name in ("GIF", "WEBP", "PNG", "TIFF"):
        whole = media.encoded(picture, name, save_all=True, append_images=frames)
        yield f"animated.{IMAGES[name]}", whole, FINE
    yield "16 bits.png", media.encoded(Image.fromarray(deep), "PNG"), FINE
    yield "16 bits.tif", media.encoded(Image.fromarray(deep), "TIFF"), FINE
    yield "floats.tif", media.encoded(Image.fromarray(deep.astype(np.float32)), "TIFF"), FINE
    yield "cmyk.jpg", media.encoded(picture.convert("CMYK")), FINE
    yield "cmyk.tif", media.encoded(picture.convert("CMYK"), "TIFF"), FINE
    yield "nothing seen.png", media.encoded(Image.new("RGBA", SIZE), "PNG"), FINE
    yield "palette.png", media.encoded(picture.quantize(7), "PNG"), FINE
    yield "progressive.jpg", media.encoded(picture, progressive=True), FINE


def odd_headers() -> Made:
    """What surrounds the pixels is broken; the pixels are not."""
    whole = media.encoded(media.picture(7))
    broken = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 60
    yield "exif.jpg", media.encoded(media.picture(8), exif=broken), FINE
    looped = b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0"
    yield "exif loop.jpg", media.encoded(media.picture(9), exif=looped), FINE
    yield "profile.jpg", media.encoded(media.picture(10), icc_profile=b"no profile" * 50), FINE
    yield "tail.jpg", whole + random.Random(1).randbytes(5000), FINE
    yield "mpf.jpg", whole[:2] + b"\xff\xe2\x00\x20MPF\0" + bytes(26) + whole[2:], FINE
    tiff = bytearray(media.encoded(media.picture(11), "TIFF"))
    yield "loop.tif", looped_tiff(tiff), FINE
    flipped = bytearray(media.encoded(media.picture(12, SIZE), "PNG"))
    flipped[len(flipped) // 2] ^= 0xFF
    yield "flipped.png", bytes(flipped), Expected("done|failed", CUT)
    yield "zero.gif", b"GIF89a" + bytes(7) + b";", Expected("failed", ".*")
    yield "empty.png", png(0, 0, b""), Expected("failed", ".*")


def odd_names() -> Made:
    """Names of all bytes that a name may have."""
    names = [
        "new\nline",
        "-rf",
        "a#b?c%20d",
        "back\\slash",
        "猫 🐈",
        " ",
        "x" * 251,
        "'; DROP TABLE",
    ]
    encoded = [f"{name}.jpg".encode() for name in names]
    for seed, name in enumerate([*encoded, b"latin-\xe9.jpg", b"\xff\xfe.jpg"], 100):
        yield name, media.encoded(media.picture(seed)), FINE


def videos(folder: Path) -> dict[Path, Expected]:
    """Containers cut, broken and odd."""
    folder.mkdir()
    found = {}
    shots = media.frames(["red", "lime", "blue"], each=20)
    for suffix in VIDEOS:
        path = media.save_video(
            folder / f"whole.{suffix}", shots, container_options={"movflags": "faststart"}
        )
        found[path], data = FINE, path.read_bytes()
        for tenth in range(1, 10):
            cut = folder / f"cut{tenth}.{suffix}"
            cut.write_bytes(data[: len(data) * tenth // 10])
            found[cut] = Expected("done|failed", CUT)
    return found | _broken_videos(folder, shots)


def _broken_videos(folder: Path, shots: list[media.RGBFrame]) -> dict[Path, Expected]:
    unreadable = Expected("failed", "not a readable video .*")
    plain = media.save_video(folder / "v.mp4", shots).read_bytes()
    made: dict[str, tuple[bytes, Expected]] = {
        "no index.mp4": (plain[: plain.rindex(b"moov")], unreadable),
        "junk.mp4": (b"\0\0\0\x18ftypisom" + b"junk" * 100, unreadable),
        "junk.mkv": (b"\x1aE\xdf\xa3" + bytes(1000), unreadable),
        "nothing.mp4": (b"", Expected("failed", "the file is empty")),
        "flipped.mp4": (_flipped(plain), Expected("done|failed", ".*")),
        "film.jpg": (plain, Expected("done", "same content as .*|")),
    }
    for name, (content, _) in made.items():
        (folder / name).write_bytes(content)
    found = {folder / name: expected for name, (_, expected) in made.items()}
    found[folder / "v.mp4"] = Expected("done", "same content as .*|")
    found[media.save_sound(folder / "sound.mp4")] = Expected("failed", ".*sound but no video")
    night = media.save_video(folder / "night.mp4", media.frames(["black"]))
    found[night] = Expected("failed", "every frame is black")
    turned = media.save_video(folder / "turned.mp4", media.frames(["red", "blue"]))
    media.turn_video(turned)
    found[turned] = FINE
    still = media.save_video(folder / "still.mp4", media.frames(["red"], each=1))
    uneven = media.save_video(folder / "uneven.mkv", shots[:3], times_ms=[0, 40, 60_000])
    return found | {still: FINE, uneven: FINE}


def not_files(folder: Path) -> dict[Path, Expected]:
    """Links, loops and things that block whoever opens them."""
    folder.mkdir()
    linked = Expected("skipped", "a link, and links are not followed")
    links = {"loop": folder, "self.jpg": folder / "self.jpg", "gone.jpg": folder / "no such file"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    with (folder / "endless.jpg").open("wb") as file:
        file.write(b"\xff\xd8\xff\xe0")
        file.truncate(1 << 40)
    return {folder / name: linked for name in links} | {
        folder / "pipe.jpg": Expected("failed", "not a regular file"),
        folder / "endless.jpg": Expected("failed", "larger than the limit of .* MB for an image"),
    }


def png(width: int, height: int, data: bytes) -> bytes:
    """A PNG of grey pixels; `data` is what its pixels are compressed to."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def looped_tiff(data: bytearray) -> bytes:
    """A TIFF whose second page is its first."""
    (start,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[start : start + 2])
    data[start + 2 + 12 * count : start + 6 + 12 * count] = struct.pack("<I", start)
    return bytes(data)


def _flipped(data: bytes) -> bytes:
    dice, found = random.Random(2), bytearray(data)
    for _ in range(30):
        found[dice.randrange(len(found))] = dice.randrange(256)
    return bytes(found)


if __name__ == "__main__":
    for path, expected in write(Path(sys.argv[1])).items():
        print(f"{expected.statuses:12} {os.fsencode(path)!r}  {expected.reason}")
