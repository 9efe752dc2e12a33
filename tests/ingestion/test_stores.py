"""Object stores, by fsspec's own one in memory; S3 itself was not run."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from indexer import LocalCollection
from ingestion import NothingFound, PathNotFound, SourceOptions, open_source
from tests.ingestion.conftest import ingested, payloads
from tests.ingestion.test_archive import jpeg, save_tar


@pytest.fixture
def bucket() -> Iterator[str]:
    """The URL of an empty folder of its own in a store."""
    store, name = fsspec.filesystem("memory"), uuid.uuid4().hex
    store.mkdir(f"/{name}")
    yield f"memory://{name}"
    store.rm(f"/{name}", recursive=True)


def put(url: str, data: bytes) -> None:
    with fsspec.open(url, "wb") as file:
        file.write(data)


def test_a_folder_of_a_store(bucket: str, collection: LocalCollection) -> None:
    put(f"{bucket}/a/1.jpg", jpeg(1))
    put(f"{bucket}/a/caf\u00e9 2.jpg", jpeg(2))
    put(f"{bucket}/b/3.png", b"broken")
    put(f"{bucket}/.hidden.jpg", jpeg(3))
    report, rows = ingested(open_source(bucket, SourceOptions()), collection)
    assert (report.found, report.done, report.failed) == (3, 2, 1)
    (asset,) = [one for one in rows if "caf" in one]
    assert asset.endswith("/a/caf%C3%A9%202.jpg")
    assert payloads(collection)[asset, "image"]["name"] == "caf\u00e9 2.jpg"
    again, _ = ingested(open_source(bucket, SourceOptions()), collection)
    assert (again.done, again.unchanged) == (0, 3)
    put(f"{bucket}/a/1.jpg", jpeg(9))
    assert ingested(open_source(bucket, SourceOptions()), collection)[0].done == 1


def test_globs_and_what_they_hide_is_not_gone(bucket: str) -> None:
    for name in ("1.jpg", "2.png"):
        put(f"{bucket}/a/{name}", jpeg(1))
    put(f"{bucket}/thumbs/small/1.jpg", jpeg(1))
    put(f"{bucket}/.trash/1.jpg", jpeg(1))
    source = open_source(bucket, SourceOptions(include=("*.jpg",), exclude=("b/*", "Thumbs")))
    (item,) = source
    assert item.asset == f"{source.uri}/a/1.jpg"
    assert source.is_gone(f"{source.uri}/a/0.jpg")
    assert not source.is_gone(f"{source.uri}/a/2.png")
    assert not source.is_gone(f"{source.uri}/b/1.jpg")
    assert not source.is_gone(f"{source.uri}/thumbs/small/1.jpg")


class Guarded(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A store that lets nobody list its folder `closed`, and remembers what it listed."""

    protocol = "guarded"
    listings: dict[str, list[dict[str, Any]]] = {}  # noqa: RUF012 - all its like share it

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("guarded://", "memory://")))

    def ls(self, path: str, **_: object) -> list[dict[str, Any]]:
        if path.endswith("/closed"):
            raise PermissionError("Access Denied")
        if path not in self.listings:
            self.listings[path] = super().ls(path, detail=True)
        return self.listings[path]

    def invalidate_cache(self, path: str | None = None) -> None:  # noqa: ARG002
        self.listings.clear()


def test_a_folder_that_cannot_be_listed_fails_alone_and_hides_nothing(
    bucket: str, collection: LocalCollection
) -> None:
    fsspec.register_implementation("guarded", Guarded, clobber=True)
    url = bucket.replace("memory://", "guarded://")
    for name in ("closed/1.jpg", "open/2.jpg", "3.jpg"):
        put(f"{bucket}/{name}", jpeg(int(name[-5])))
    source = open_source(url, SourceOptions())
    report, rows = ingested(source, collection)
    assert (report.done, report.failed) == (2, 1)
    (failed,) = [row for row in rows.values() if row.status == "failed"]
    assert failed.asset.endswith("/closed")
    assert failed.reason == "a folder that cannot be read: Access Denied"
    assert not source.is_gone(f"{failed.asset}/1.jpg")
    assert source.is_gone(f"{source.uri}/open/1.jpg")


def test_what_was_added_since_a_store_was_listed_is_found(bucket: str) -> None:
    fsspec.register_implementation("guarded", Guarded, clobber=True)
    url = bucket.replace("memory://", "guarded://")
    put(f"{bucket}/1.jpg", jpeg(1))
    assert len(list(open_source(url, SourceOptions()))) == 1
    put(f"{bucket}/2.jpg", jpeg(2))
    assert len(list(open_source(url, SourceOptions()))) == 2


def test_a_manifest_and_its_folder_name_an_object_alike(
    bucket: str, collection: LocalCollection
) -> None:
    put(f"{bucket}/a b.jpg", jpeg(1))
    put(f"{bucket}/m.csv", b"path,text\na b.jpg,red\n")
    report, rows = ingested(open_source(f"{bucket}/m.csv", SourceOptions()), collection)
    assert report.done == 1, rows
    again, _ = ingested(open_source(bucket, SourceOptions(include=("*.jpg",))), collection)
    assert (again.done, again.unchanged) == (0, 1)


def test_one_object_a_shard_and_a_manifest(
    bucket: str, tmp_path: Path, collection: LocalCollection
) -> None:
    put(f"{bucket}/1.jpg", jpeg(1))
    assert ingested(open_source(f"{bucket}/1.jpg", SourceOptions()), collection)[0].done == 1
    shard = save_tar(tmp_path / "s.tar", [("2.jpg", jpeg(2)), ("2.txt", b"red")])
    put(f"{bucket}/s.tar", shard.read_bytes())
    report, rows = ingested(open_source(f"{bucket}/s.tar", SourceOptions()), collection)
    assert report.done == 1
    assert f"tar:{bucket}/s.tar!/2.jpg" in rows
    other = f"memory://elsewhere-{uuid.uuid4().hex}/x.jpg"
    put(f"{bucket}/m.jsonl", f'{{"path": "1.jpg"}}\n{{"url": "{other}"}}'.encode())
    report, rows = ingested(open_source(f"{bucket}/m.jsonl", SourceOptions()), collection)
    assert (report.found, report.failed) == (2, 1)
    assert "may not be fetched" in next(
        row.reason for row in rows.values() if row.status == "failed"
    )


def test_what_is_not_there_is_told(bucket: str) -> None:
    with pytest.raises(PathNotFound, match="does not exist"):
        open_source(f"{bucket}/nowhere", SourceOptions())
    put(f"{bucket}/x/.hidden", b"")
    with pytest.raises(NothingFound):
        iter(open_source(f"{bucket}/x", SourceOptions()))


def test_a_file_url_is_a_local_file(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    (item,) = open_source(tmp_path.as_uri(), SourceOptions())
    assert item.path == tmp_path / "1.jpg"
    with pytest.raises(PathNotFound):
        open_source("file://elsewhere/x", SourceOptions())
