from pathlib import Path

import pytest

from ingestion import MediaError, NotMedia, formats
from tests import media


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_pictures_are_known_by_content_whatever_their_name(name: str) -> None:
    head = media.encoded(media.picture(), name)[: formats.HEAD_BYTES]
    assert formats.identify(Path("notes.txt"), head).name == name
    assert formats.identify(Path("clip.mp4"), head).kind == "image"


@pytest.mark.parametrize(
    ("suffix", "codec", "expected"),
    [
        (".mp4", "libx264", formats.MP4),
        (".mov", "libx264", formats.MP4),
        (".mkv", "libx264", formats.MATROSKA),
        (".webm", "libvpx", formats.MATROSKA),
        (".avi", "mpeg4", formats.AVI),
        (".mpg", "mpeg2video", formats.MPEG),
        (".ts", "mpeg2video", formats.MPEG_TS),
        (".m2ts", "libx264", formats.MPEG_TS),
        (".flv", "flv", formats.FLV),
        (".wmv", "wmv2", formats.ASF),
    ],
)
def test_videos_are_known_by_content(
    tmp_path: Path, suffix: str, codec: str, expected: formats.Format
) -> None:
    path = media.save_video(tmp_path / f"v{suffix}", media.frames(["red"]), codec=codec, fps=25)
    assert formats.identify(Path("unnamed"), path.read_bytes()[: formats.HEAD_BYTES]) is expected


def test_suffixes_belong_to_one_format_each() -> None:
    listed = [suffix for format_ in formats.FORMATS for suffix in format_.suffixes]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("notes.txt", b"hello"),
        ("empty", b""),
        ("code.ts", b"export const x = 1\n" * 60),
        ("song.m4a", b"\0\0\0\x18ftypM4A \0\0\0\0M4A isom"),
        ("shot.nef", b"MM\0*" + bytes(60)),
        ("shot.CR2", b"II*\0" + bytes(60)),
        ("page.pdf", b"%PDF-1.7"),
        ("song.wav", b"RIFF\0\0\0\0WAVEfmt "),
    ],
)
def test_other_files_are_not_media(name: str, head: bytes) -> None:
    with pytest.raises(NotMedia):
        formats.identify(Path(name), head)


@pytest.mark.parametrize(
    ("name", "head", "reason"),
    [
        ("a.jpg", b"", "empty"),
        ("a.jpg", b"<html>not found</html>", r"named \.jpg, but its content is not an image"),
        ("a.PNG", b"\0" * 1024, r"named \.png"),
        ("a.mp4", b"#EXTM3U\nhttp://example.org/x.ts", "not a video"),
    ],
)
def test_media_names_over_other_content_are_errors(name: str, head: bytes, reason: str) -> None:
    with pytest.raises(MediaError, match=reason) as caught:
        formats.identify(Path(name), head)
    assert not isinstance(caught.value, NotMedia)
