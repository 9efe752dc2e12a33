"""Pictures and films in archives are seen like files, while their archive is the same."""

import io
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from api.members import Members
from indexer import Point, point_id
from ingestion import SourceOptions, ingest, open_source
from ingestion.hashing import hash_bytes
from tests.api.routes.test_points import point_of, url_of
from tests.api.routes.test_search import refused
from tests.api.server import Served
from tests.ingestion.test_archive import save_tar
from tests.media import encoded, frames, plain, save_video

ODD = "../../odd\nname.jpg"


@pytest.fixture
def shard(fresh: Served, tmp_path: Path) -> Path:
    """An archive of two pictures and a film, ingested."""
    film = save_video(tmp_path / "film.mp4", frames(("red", "blue"), each=40), fps=10)
    (tmp_path / "shards").mkdir()
    path = save_tar(
        tmp_path / "shards" / "a.tar",
        [
            ("red.jpg", encoded(plain("red"))),
            (ODD, encoded(plain("blue"))),
            ("film.mp4", film.read_bytes()),
        ],
    )
    source = open_source(str(path), SourceOptions())
    assert source.root is not None
    fresh.installation.roots.add(source.root)
    collection = fresh.installation.store.open("default")
    for _ in ingest(source, fresh.installation.encoder(), collection):
        pass
    return path


def colour_of(answer: httpx.Response) -> Any:  # noqa: ANN401 - what Pillow says
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((30, 20))


@pytest.mark.usefixtures("shard")
def test_members_are_seen_like_files(fresh: Served) -> None:
    red, odd = (point_of(fresh.client, name, "default") for name in ("red.jpg", "odd\nname.jpg"))
    assert colour_of(fresh.client.get(url_of(red, "thumbnail")))[0] > 200
    assert colour_of(fresh.client.get(url_of(odd, "thumbnail")))[2] > 200
    original = fresh.client.get(url_of(red, "original"))
    assert (original.content, original.headers["content-type"]) == (
        encoded(plain("red")),
        "image/jpeg",
    )
    url = "/v1/collections/default/points?kind=segment"
    last = max(fresh.client.get(url).json()["points"], key=lambda one: one["payload"]["start"])
    assert colour_of(fresh.client.get(url_of(last, "thumbnail")))[2] > 180
    film = point_of(fresh.client, "film.mp4", "default")
    some = fresh.client.get(url_of(film, "original"), headers={"range": "bytes=4-7"})
    assert (some.status_code, some.content) == (206, b"ftyp")
    copies = [path.name for path in (fresh.installation.media / "members").iterdir()]
    hashes = [one["payload"]["content_hash"] for one in (red, odd, film)]
    assert sorted(copies) == sorted(hashes)


def test_an_archive_written_anew_is_another(fresh: Served, shard: Path) -> None:
    red, odd = (point_of(fresh.client, name, "default") for name in ("red.jpg", "odd\nname.jpg"))
    fresh.client.get(url_of(red, "original"))
    kept = shard.stat().st_mtime_ns
    save_tar(shard, [("red.jpg", encoded(plain("lime"))), (ODD, encoded(plain("lime")))])
    for point in (red, odd):
        refused(fresh.client.get(url_of(point, "original")), 410, "gone")
    os.utime(shard, ns=(kept, kept))  # the content tells
    refused(fresh.client.get(url_of(odd, "original")), 410, "gone")
    shard.unlink()
    refused(fresh.client.get(url_of(odd, "thumbnail")), 410, "gone")


def test_archives_outside_the_roots_are_not_served(fresh: Served, shard: Path) -> None:
    red = point_of(fresh.client, "red.jpg", "default")
    elsewhere = shard.parent.rename(shard.parent.with_name("secret"))
    shard.parent.symlink_to(elsewhere)
    for what in ("original", "thumbnail"):
        refused(fresh.client.get(url_of(red, what)), 403, "outside-roots")


@pytest.mark.usefixtures("shard")
@pytest.mark.parametrize("content_hash", ["../../polylens.db", "", "0" * 64])
def test_members_that_are_not_what_a_point_says(fresh: Served, content_hash: str) -> None:
    collection = fresh.installation.store.open("default")
    known = next(one for one in collection.scroll().records if one.asset.endswith("!/red.jpg"))
    vectors = collection.get([known.id], with_vectors=["default"])[0].vectors
    says = known.payload | {"content_hash": content_hash}
    wrong = Point(point_id("wrong", "image"), known.asset, vectors, says)
    unknown = Point(point_id("x", "image"), f"{known.asset}x", vectors, says)
    collection.upsert([wrong, unknown])
    for point in (wrong, unknown):
        url = url_of({"id": point.id}, "original")
        refused(fresh.client.get(url), 410, "gone")
    assert not list((fresh.installation.media / "members").glob("*"))


def test_copies_of_members_take_only_so_much_room(tmp_path: Path) -> None:
    data = [os.urandom(1000) for _ in range(10)]
    shard = save_tar(tmp_path / "a.tar", [(f"{at}.bin", one) for at, one in enumerate(data)])
    members = Members(tmp_path / "members", kept_bytes=3500)
    for at, one in enumerate(data):
        path = members.file(shard, f"{at}.bin", hash_bytes(one))
        assert path is not None
        assert path.read_bytes() == one
        os.utime(path, ns=(at, at))
        assert 1 <= len(list((tmp_path / "members").iterdir())) <= 4
    assert (tmp_path / "members" / hash_bytes(data[-1])).exists()
    assert not (tmp_path / "members" / hash_bytes(data[0])).exists()
