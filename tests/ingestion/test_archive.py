import io
import random
import tarfile
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from indexer import LocalCollection
from ingestion import IngestError, Item, NothingFound, Source, SourceOptions, open_source
from tests import media as make
from tests.ingestion.conftest import ingested, payloads

Members = Iterable[tuple[str, bytes]]


def jpeg(seed: int) -> bytes:
    return make.encoded(make.picture(seed))


def save_tar(path: Path, members: Members, **options: Any) -> Path:  # noqa: ANN401
    with tarfile.open(path, "w", **options) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def opened(path: Path, *, texts: bool = False) -> Source:
    return open_source(str(path), SourceOptions(texts=texts))


def listed(path: Path) -> list[Item]:
    return list(opened(path))


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    video = make.save_video(tmp_path / "v.mp4", make.frames(["red", "blue"], each=40), fps=10)
    return save_tar(
        tmp_path / "shard-000.tar",
        [
            ("cat/0001.jpg", jpeg(1)),
            ("cat/0001.txt", b"a red cat\n"),
            ("cat/0001.cls", b"7"),
            ("cat/0001.json", b'{"by": "Ann", "width": 9, "bad": 1}'),
            ("cat/0002.json", b'{"x": NaN}'),
            ("cat/0002.jpg", jpeg(2)),
            ("cat/0003.mp4", video.read_bytes()),
            ("cat/0003.cls", b"dog"),
            ("readme.txt", b"words of no picture"),
        ],
    )


def test_members_of_one_key_belong_together(shard: Path, collection: LocalCollection) -> None:
    source = opened(shard)
    report, rows = ingested(source, collection)
    assert (report.done, report.skipped, report.failed) == (3, 1, 0)
    assert source.uri == f"tar:{shard.as_uri()}!"
    said = payloads(collection)
    assert (
        said[f"{source.uri}/cat/0001.jpg", "image"].items()
        >= {
            "text": "a red cat",
            "class": 7,
            "by": "Ann",
            "width": 64,
            "name": "0001.jpg",
            "folder": f"{shard}/cat",
            "size": len(jpeg(1)),
        }.items()
    )
    assert said[f"{source.uri}/cat/0003.mp4", "segment"]["class"] == "dog"
    assert said[f"{source.uri}/cat/0003.mp4", "video"]["duration"] == 8.0
    assert "NaN" in rows[f"{source.uri}/cat/0002.jpg"].reason
    assert rows[f"{source.uri}/readme.txt"].reason == "not an image or a video"
    again, _ = ingested(opened(shard), collection)
    assert (again.done, again.unchanged) == (0, 4)


def test_captions_and_texts_become_points(shard: Path, collection: LocalCollection) -> None:
    report, rows = ingested(opened(shard, texts=True), collection)
    assert (report.done, report.skipped) == (4, 0)
    said = payloads(collection)
    uri = f"tar:{shard.as_uri()}!"
    assert said[f"{uri}/cat/0001.jpg", "text"]["text"] == "a red cat"
    assert said[f"{uri}/readme.txt", "text"]["text"] == "words of no picture"
    assert rows[f"{uri}/cat/0001.jpg"].points == 2


def test_a_shard_written_anew_encodes_only_what_is_new(
    tmp_path: Path, collection: LocalCollection
) -> None:
    path = save_tar(tmp_path / "s.tar", [("1.jpg", jpeg(1)), ("2.jpg", jpeg(2))])
    ingested(opened(path), collection)
    before = {one.id: one.vectors for one in collection.scroll(with_vectors=["default"]).records}
    save_tar(path, [("0.jpg", jpeg(0)), ("1.jpg", jpeg(1)), ("2.jpg", jpeg(3))])
    report, _ = ingested(opened(path), collection)
    assert (report.done, report.unchanged) == (2, 1)
    after = {one.id: one.vectors for one in collection.scroll(with_vectors=["default"]).records}
    assert (
        sum(before[key]["default"].tobytes() == after[key]["default"].tobytes() for key in before)
        == 1
    )


def test_hostile_names_are_only_names(tmp_path: Path, collection: LocalCollection) -> None:
    names = [
        "../../up.jpg",
        "/etc/abs.jpg",
        "a\nb.jpg",
        "caf\udce9.jpg",
        "x" * 300 + ".jpg",
        "..jpg",
    ]
    path = tmp_path / "box" / "s.tar"
    path.parent.mkdir()
    save_tar(path, [(name, jpeg(at)) for at, name in enumerate(names)], encoding="utf-8")
    before = {one for one in tmp_path.rglob("*") if "data" not in one.parts}
    report, rows = ingested(opened(path), collection)
    assert {one for one in tmp_path.rglob("*") if "data" not in one.parts} == before
    assert report.done == report.found == len(names)
    assert any("caf%E9.jpg" in asset for asset in rows)


def test_links_devices_and_holes_are_skipped(tmp_path: Path, collection: LocalCollection) -> None:
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{kind!r}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        folder = tarfile.TarInfo("folder.jpg")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    report, rows = ingested(opened(path), collection)
    assert (report.found, report.skipped) == (4, 4)
    assert {row.reason for row in rows.values()} == {"a link, a device or a file with holes"}


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_shard_cut_short_gives_what_it_has(
    tenth: int, shard: Path, collection: LocalCollection
) -> None:
    data = shard.read_bytes()
    shard.write_bytes(data[: len(data) * tenth // 10])
    try:
        report, rows = ingested(opened(shard), collection)
    except NothingFound:
        return
    assert report.failed or report.found == 4  # but for the padding, it was whole
    assert all(row.reason for row in rows.values() if row.status == "failed")
    assert not opened(shard).is_gone("anything")


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_break_the_listing(seed: int, shard: Path) -> None:
    data, chance = bytearray(shard.read_bytes()), random.Random(seed)
    for _ in range(5):
        start = 512 * chance.randrange(len(data) // 512)  # where headers are
        data[start + chance.randrange(512)] = chance.randrange(256)
    shard.write_bytes(data)
    try:
        items = listed(shard)
    except NothingFound:
        return
    assert all(item.content or item.fault or item.text for item in items)


def test_a_header_that_leads_back_is_damage(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x.jpg")
    data = bytearray(info.tobuf())
    data[124:136] = b"\xff" * 11 + b"\x00"  # base 256, negative
    total = sum(data[:148]) + sum(data[156:512]) + 8 * 32
    data[148:156] = b"%06o\0 " % total
    path = tmp_path / "s.tar"
    path.write_bytes(bytes(data) + bytes(1024))
    (item,) = listed(path)
    assert "cannot be read" in item.fault


def test_an_absurd_header_takes_no_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 64 << 20
    path = tmp_path / "s.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(64 << 20))
    tracemalloc.start()
    (item,) = listed(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "a header of impossible length" in item.fault
    assert peak < 4 << 20


def test_memory_does_not_grow_with_the_members(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = save_tar(tmp_path / f"{count}.tar", ((f"{n:06}.jpg", b"x") for n in range(count)))
        tracemalloc.start()
        assert sum(1 for _ in opened(path)) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    # Threads of earlier tests may take some meanwhile; members that are kept take a megabyte.
    assert peak(3000) < peak(300) + (512 << 10)


def test_what_is_no_shard_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.tar.gz").write_bytes(b"")
    with pytest.raises(IngestError, match="gunzip it"):
        opened(tmp_path / "s.tar.gz")
    (tmp_path / "text.tar").write_bytes(b"hello" * 500)
    (item,) = listed(tmp_path / "text.tar")
    assert item.fault
    save_tar(tmp_path / "empty.tar", [])
    with pytest.raises(NothingFound, match=r"empty\.tar holds no file"):
        listed(tmp_path / "empty.tar")


def test_globs_choose_among_the_members(shard: Path) -> None:
    def names(include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
        source = open_source(str(shard), SourceOptions(include, exclude, texts=True))
        return [item.asset.rpartition("!/")[2] for item in source]

    assert "cat/0001.jpg" in names(include=("*.jpg",))
    assert all(name.endswith(".jpg") for name in names(include=("*.jpg",)))
    assert not any(name.startswith("cat/") for name in names(exclude=("cat",)))
    source = open_source(str(shard), SourceOptions(exclude=("cat",)))
    list(source)
    assert [source.is_gone(f"{source.uri}/{name}") for name in ("cat/0.jpg", "0.jpg")] == [
        False,
        True,
    ]
    with pytest.raises(NothingFound, match="that the globs let through"):
        iter(open_source(str(shard), SourceOptions(include=("*.nope",))))
