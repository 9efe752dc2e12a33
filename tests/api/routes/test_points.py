import io
import os
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.api.conftest import fill
from tests.api.routes.test_search import refused
from tests.api.server import Served
from tests.media import encoded, plain

POINTS = "/v1/collections/colours/points"


def point_of(client: httpx.Client, name: str, collection: str = "colours") -> dict[str, Any]:
    """The point of a file (of a video as a whole)."""
    url = f"/v1/collections/{collection}/points?limit=100&kind=image&kind=video"
    points = client.get(url).json()["points"]
    found: dict[str, Any] = next(point for point in points if point["payload"]["name"] == name)
    return found


def test_pages_hold_every_point_once(client: httpx.Client) -> None:
    seen: list[str] = []
    after = None
    while True:
        query = {"limit": 4} | ({"after": after} if after else {})
        page = client.get(POINTS, params=query).json()
        seen += [point["id"] for point in page["points"]]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 14


def test_pages_of_some_kinds(client: httpx.Client) -> None:
    points = client.get(POINTS, params={"kind": ["segment", "video"]}).json()["points"]
    assert sorted(point["payload"]["kind"] for point in points) == ["segment"] * 3 + ["video"]
    refused(client.get(POINTS, params={"kind": "sound"}), 422, "invalid-request")


def test_point(client: httpx.Client) -> None:
    red = point_of(client, "red.jpg")
    again = client.get(f"{POINTS}/{red['id']}").json()
    assert again == red
    assert again["payload"]["width"] == 64


@pytest.mark.parametrize("tail", ["", "/thumbnail", "/original"])
def test_unknown_points(client: httpx.Client, tail: str) -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    refused(client.get(f"{POINTS}/{unknown}{tail}"), 404, "unknown-point")
    refused(client.get(f"{POINTS}/..%2F..%2Fetc%2Fpasswd{tail}"), 404, "not-found")
    refused(client.get(f"{POINTS}/passwd{tail}"), 422, "invalid-request")


def test_thumbnail_of_a_picture(client: httpx.Client, library: Served) -> None:
    red = point_of(client, "red.jpg")
    answer = client.get(f"{POINTS}/{red['id']}/thumbnail")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["x-content-type-options"] == "nosniff"
    thumbnail = Image.open(io.BytesIO(answer.content))
    assert thumbnail.size == (64, 48)
    pixel = thumbnail.convert("RGB").getpixel((30, 20))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200
    assert pixel[1] < 60
    kept = list((library.installation.media / "thumbs").rglob(f"{red['id']}-*-grid.webp"))
    assert len(kept) == 1
    etag = {"if-none-match": answer.headers["etag"]}
    assert client.get(f"{POINTS}/{red['id']}/thumbnail", headers=etag).status_code == 304
    head = client.head(f"{POINTS}/{red['id']}/thumbnail")
    assert (head.status_code, head.content) == (200, b"")
    refused(client.get(f"{POINTS}/{red['id']}/thumbnail?size=huge"), 422, "invalid-request")


def test_thumbnail_of_a_moment_shows_its_frame(client: httpx.Client) -> None:
    segments = client.get(POINTS, params={"kind": "segment"}).json()["points"]
    last = max(segments, key=lambda point: point["payload"]["start"])
    answer = client.get(f"{POINTS}/{last['id']}/thumbnail")
    pixel = Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((5, 60))
    assert isinstance(pixel, tuple)
    assert pixel[2] > 180 > 80 > pixel[0]  # blue


def test_original(client: httpx.Client, photos: Path) -> None:
    red = point_of(client, "red.jpg")
    answer = client.get(f"{POINTS}/{red['id']}/original")
    assert answer.content == (photos / "red.jpg").read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == 'inline; filename="red.jpg"'


@pytest.mark.parametrize("what", ["thumbnail", "original"])
def test_what_a_client_has_is_not_sent_again(client: httpx.Client, what: str) -> None:
    url = f"{POINTS}/{point_of(client, 'red.jpg')['id']}/{what}"
    etag = client.get(url).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get(url, headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    assert client.get(url, headers={"if-none-match": '"other"'}).status_code == 200


def test_ranges_of_a_video(client: httpx.Client, photos: Path) -> None:
    url = f"{POINTS}/{point_of(client, 'film.mp4')['id']}/original"
    whole = (photos / "film.mp4").read_bytes()

    def fetch(value: str) -> httpx.Response:
        return client.get(url, headers={"range": value})

    assert client.get(url).headers["accept-ranges"] == "bytes"
    some = fetch("bytes=100-199")
    assert (some.status_code, some.content) == (206, whole[100:200])
    assert some.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert some.headers["content-type"] == "video/mp4"
    assert fetch("bytes=-50").content == whole[-50:]
    assert fetch(f"bytes={len(whole) - 10}-").content == whole[-10:]
    assert fetch("bytes=0-99999999").content == whole
    two = fetch("bytes=0-9,20-29")
    assert two.status_code == 206
    assert two.headers["content-type"].startswith("multipart/byteranges")
    old = client.get(url, headers={"range": "bytes=0-9", "if-range": '"other"'})
    assert (old.status_code, old.content) == (200, whole)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("bytes=99999999-", 416),
        ("bytes=abc", 400),
        ("bytes=", 400),
        ("lines=1-2", 400),
        ("bytes=5-2", 400),
        ("bytes", 400),
    ],
)
def test_invalid_ranges(client: httpx.Client, value: str, status: int) -> None:
    url = f"{POINTS}/{point_of(client, 'film.mp4')['id']}/original"
    answer = client.get(url, headers={"range": value})
    assert answer.status_code == status
    assert len(answer.content) < 500
    if status == 416:
        assert answer.headers["content-range"].startswith("bytes */")


def gallery(served: Served, folder: Path) -> dict[str, Any]:
    """The point of a lone picture in an ingested folder."""
    folder.mkdir()
    (folder / "red.jpg").write_bytes(encoded(plain("red")))
    fill(served.installation, "default", folder)
    return point_of(served.client, "red.jpg", "default")


def url_of(point: dict[str, Any], what: str) -> str:
    return f"/v1/collections/default/points/{point['id']}/{what}"


def test_changed_original_is_gone_and_shows_its_thumbnail(fresh: Served, tmp_path: Path) -> None:
    point = gallery(fresh, tmp_path / "photos")
    thumbnail = fresh.client.get(url_of(point, "thumbnail"))
    (tmp_path / "photos" / "red.jpg").write_bytes(b"secret")
    gone = fresh.client.get(url_of(point, "original"))
    assert (gone.status_code, gone.headers["content-type"]) == (410, "image/webp")
    assert gone.content == thumbnail.content
    assert fresh.client.get(url_of(point, "thumbnail")).status_code == 200


def test_same_size_but_another_time_is_a_change(fresh: Served, tmp_path: Path) -> None:
    point = gallery(fresh, tmp_path / "photos")
    os.utime(tmp_path / "photos" / "red.jpg", ns=(0, 0))
    refused(fresh.client.get(url_of(point, "original")), 410, "gone")


def test_vanished_original_without_a_thumbnail(fresh: Served, tmp_path: Path) -> None:
    point = gallery(fresh, tmp_path / "photos")
    shutil.rmtree(tmp_path / "photos")
    refused(fresh.client.get(url_of(point, "original")), 410, "gone")
    refused(fresh.client.get(url_of(point, "thumbnail")), 410, "gone")


def test_files_outside_the_roots_are_not_served(fresh: Served, tmp_path: Path) -> None:
    point = gallery(fresh, tmp_path / "photos")
    secret = tmp_path / "secret"
    (tmp_path / "photos").rename(secret)
    (tmp_path / "photos").symlink_to(secret)  # same size, same time, other place
    for what in ("original", "thumbnail"):
        refused(fresh.client.get(url_of(point, what)), 403, "outside-roots")


@pytest.mark.parametrize(
    "asset",
    ["file:///etc/passwd", "file://host/etc/passwd", "/etc/passwd", "http://x/", "media:.."],
)
def test_assets_that_name_other_files(fresh: Served, asset: str) -> None:
    import numpy as np

    from indexer import Point, point_id

    point = Point(
        point_id(asset, "image"),
        asset,
        {"default": np.ones(48, dtype=np.float32)},
        {"kind": "image", "name": "x.jpg", "size": Path("/etc/passwd").stat().st_size},
    )
    fresh.installation.store.open("default").upsert([point])
    for what in ("original", "thumbnail"):
        refused(
            fresh.client.get(f"/v1/collections/default/points/{point.id}/{what}"),
            403,
            "outside-roots",
        )
