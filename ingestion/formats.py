"""The supported media formats, recognised by first bytes and by file name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ingestion.errors import MediaError, NotMedia

MediaKind = Literal["image", "video"]
HEAD_BYTES = 1024  # enough of a file to tell its format


@dataclass(frozen=True)
class Format:
    """A kind of file; `suffixes` are lower case and belong to no other common kind of file.

    (`.ts` and `.mts` are TypeScript more often than video: such files are told by content alone.)
    """

    name: str
    kind: MediaKind
    suffixes: tuple[str, ...]


JPEG = Format("JPEG", "image", (".jpg", ".jpeg", ".jpe", ".jfif"))
PNG = Format("PNG", "image", (".png", ".apng"))
WEBP = Format("WEBP", "image", (".webp",))
GIF = Format("GIF", "image", (".gif",))
TIFF = Format("TIFF", "image", (".tif", ".tiff"))
BMP = Format("BMP", "image", (".bmp", ".dib"))
AVIF = Format("AVIF", "image", (".avif",))
HEIF = Format("HEIF", "image", (".heic", ".heif", ".hif"))
MP4 = Format("MP4", "video", (".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".qt"))
MATROSKA = Format("Matroska", "video", (".mkv", ".webm"))
AVI = Format("AVI", "video", (".avi", ".divx"))
MPEG = Format("MPEG", "video", (".mpg", ".mpeg", ".m2v", ".vob"))
MPEG_TS = Format("MPEG-TS", "video", (".m2ts",))
FLV = Format("FLV", "video", (".flv",))
ASF = Format("ASF", "video", (".wmv", ".asf"))
OGG = Format("Ogg", "video", (".ogv",))

FORMATS = (
    JPEG, PNG, WEBP, GIF, TIFF, BMP, AVIF, HEIF,
    MP4, MATROSKA, AVI, MPEG, MPEG_TS, FLV, ASF, OGG,
)  # fmt: skip
BY_SUFFIX = {suffix: format_ for format_ in FORMATS for suffix in format_.suffixes}

# Raw files are TIFF or MP4 inside, and their first picture is a thumbnail: worse than none.
RAW_SUFFIXES = frozenset(
    (".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".nef", ".nrw", ".orf", ".pef", ".raf",
     ".raw", ".rw2", ".srw", ".x3f")
)  # fmt: skip

MAGIC = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\x1aE\xdf\xa3", MATROSKA),
    (b"FLV\x01", FLV),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ASF),
    (b"\0\0\x01\xba", MPEG),
    (b"\0\0\x01\xb3", MPEG),
)
RIFF_TYPES = {b"WEBP": WEBP, b"AVI ": AVI}
HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
AVIF_BRANDS = frozenset((b"avif", b"avis"))
AUDIO_BRANDS = frozenset((b"M4A ", b"M4B ", b"M4P "))
QUICKTIME_ATOMS = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
OGG_VIDEO = (b"\x80theora", b"BBCD", b"OVP80", b"\x01video")


def identify(path: Path, head: bytes) -> Format:
    """The format of the file at `path` that begins with `head` (`HEAD_BYTES`, or all of it).

    The content decides, not the name. Raises `NotMedia` where neither claims to be media, and
    `MediaError` where the name does and the content is something else.
    """
    suffix = path.suffix.lower()
    if suffix in RAW_SUFFIXES:
        raise NotMedia(f"a raw camera file ({suffix}): export it as JPEG, TIFF or HEIC")
    found = sniff(head)
    if found is not None:
        return found
    if suffix == ".tar":
        raise NotMedia("an archive: name it as a source to ingest what is in it")
    if suffix not in BY_SUFFIX:
        raise NotMedia("not an image or a video")
    if not head:
        raise MediaError("the file is empty")
    kind = "an image" if BY_SUFFIX[suffix].kind == "image" else "a video"
    raise MediaError(f"named {suffix}, but its content is not {kind} of a supported format")


def sniff(head: bytes) -> Format | None:
    """The format that the first bytes of a file tell, or None."""
    for magic, format_ in MAGIC:
        if head.startswith(magic):
            return format_
    return _sniff_boxes(head) or _sniff_deeper(head)


def _sniff_boxes(head: bytes) -> Format | None:
    """ISO base media (MP4, HEIF, AVIF), QuickTime and RIFF."""
    if head[:4] == b"RIFF":
        return RIFF_TYPES.get(head[8:12])
    if head[4:8] in QUICKTIME_ATOMS:
        return MP4
    if head[4:8] != b"ftyp":
        return None
    brands = _brands(head)
    if brands[0] in AUDIO_BRANDS:
        return None
    if AVIF_BRANDS.intersection(brands):
        return AVIF
    return HEIF if HEIF_BRANDS.intersection(brands) else MP4


def _brands(head: bytes) -> list[bytes]:
    """The major brand, then the compatible ones; two bytes 8-12 and 16 to the end of the box."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def _sniff_deeper(head: bytes) -> Format | None:
    """The formats whose first bytes alone could be something else."""
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and len(head) >= 26:
        return BMP
    if any(_is_sync(head, first, step) for first, step in ((0, 188), (4, 192))):
        return MPEG_TS
    if head[:4] == b"OggS" and any(mark in head for mark in OGG_VIDEO):
        return OGG
    return None


def _is_sync(head: bytes, first: int, step: int) -> bool:
    """Whether transport packets begin at `first` and every `step` bytes."""
    marks = head[first::step]
    return len(marks) >= 4 and set(marks) == {0x47}
