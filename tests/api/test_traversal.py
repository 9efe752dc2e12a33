"""Names and paths that try to lead out of where they belong, at every entry that takes one."""

import base64
import http.client
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import numpy as np
import pytest

from indexer import Point
from tests.api.routes.test_jobs import ended, submit
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.media import encoded, picture, plain

SECRET = b"a secret that nobody may read"
ONE = "/v1/collections/default"

ESCAPES = [
    *("..", ".", "../secret.txt", "../../secret.txt", "../../../../../../../etc/passwd"),
    *("/etc/passwd", "//etc/passwd", "/proc/self/root/etc/passwd", "/proc/self/environ"),
    *("....//....//secret.txt", "..;/secret.txt", "x/../../secret.txt", "./../secret.txt"),
    *("..\\..\\secret.txt", "\\\\server\\share\\x", "C:\\windows\\win.ini", "//server/share/x"),
    *("file:///etc/passwd", "file://localhost/etc/passwd", "~root/.ssh/id_rsa", "$HOME/secret.txt"),
    *("\0", "../secret.txt\0.jpg", "x\n../secret.txt", " ../secret.txt", "..%2fsecret.txt"),
    *("%2e%2e/secret.txt", "%2e%2e%2fsecret.txt", "%252e%252e%252fsecret.txt", "%c0%ae%c0%ae/x"),
    *("．．／secret.txt", "‥/secret.txt", "․․/secret.txt", "..∕secret.txt", "..＼secret.txt"),
    *("polylens.db", "session.secret", "../polylens.db", "collections/default", "x" * 3000),
]
"""As they are meant; they are sent as they are, encoded once and encoded twice."""

PLACES = [
    *("/static/{}", "/v1/collections/{}", "/v1/collections/{}/search?q=red", "/v1/jobs/{}"),
    *("/v1/collections/{}/points", "/v1/collections/{}/fields", "/v1/collections/{}/assets"),
    *("/v1/exports/{}/points.parquet", "/v1/exports/x/{}"),
    *(f"{ONE}/points/{{}}", f"{ONE}/points/{{}}/thumbnail", f"{ONE}/points/{{}}/original"),
    *(
        f"{ONE}/assets/{{}}",
        "/v1/aliases/{}",
        "/v1/snapshots/{}",
        "/v1/exports/{}",
        "/v1/jobs/{}/failures",
        "/{}",
    ),
]


@dataclass(frozen=True)
class Place:
    """A service of the folder `photos`, beside which there are things that nobody may read."""

    served: Served
    folder: Path

    @property
    def photos(self) -> Path:
        return self.folder / "photos"

    @property
    def private(self) -> Path:
        return self.folder / "private"

    def outside(self) -> set[Path]:
        """All there is but the data folder."""
        return {p for p in self.folder.rglob("*") if not p.is_relative_to(self.folder / "data")}

    def assets(self) -> set[str]:
        collection = self.served.installation.store.open("default")
        return {record.asset for record in collection.scroll(limit=1_000).records}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    for name in ("photos", "private"):
        (tmp_path / name).mkdir()
    (tmp_path / "photos" / "red.jpg").write_bytes(encoded(plain("red")))
    (tmp_path / "private" / "secret.jpg").write_bytes(encoded(picture(7)))
    (tmp_path / "secret.txt").write_bytes(SECRET)
    with serving(tmp_path / "data", roots=[tmp_path / "photos"]) as served:
        (tmp_path / "data" / "secret.txt").write_bytes(SECRET)
        served.installation.create("default")
        yield Place(served, tmp_path)


def sent(served: Served, method: str, path: str) -> tuple[int, bytes]:
    """What is answered to a path sent as it is, which clients would tidy."""
    address = urlsplit(served.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    connection.request(method, path)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def spelled(name: str) -> list[str]:
    """A name in a path: as it is where that can be sent, encoded, and encoded twice."""
    once = quote(name, safe="")
    as_it_is = [name] if name.isascii() and name.isprintable() and " " not in name else []
    return [*as_it_is, once, quote(once, safe="")]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_names_in_paths(place: Place, method: str) -> None:
    before = place.outside()
    for form in PLACES if method == "GET" else PLACES[1:]:
        for name in (way for escape in ESCAPES for way in spelled(escape)):
            status, body = sent(place.served, method, form.format(name))
            assert 300 <= status < 500, (status, form, name)
            assert SECRET not in body, (form, name)
            assert b"root:" not in body, (form, name)
    assert place.outside() == before
    assert place.served.installation.store.names() == ["default"]


def test_names_in_bodies(place: Place) -> None:
    client, before = place.served.client, place.outside()
    taken = client.post(f"{ONE}/snapshots").json()["name"]
    for name in ESCAPES:
        for answer in (
            client.post("/v1/collections", json={"name": name}),
            client.post(f"/v1/snapshots/{taken}/restore", json={"name": name}),
            client.post(f"{ONE}/import", json={"export": name}),
            client.post(f"{ONE}/import", json={"path": name}),
            client.post(f"{ONE}/import", json={"path": f"{place.photos}/{name}"}),
            client.post(f"{ONE}/migrate", json={"target": name}),
            client.put("/v1/aliases/other", json={"collection": name}),
            client.post(f"{ONE}/search", json={"parts": [{"text": "red"}], "vector": name}),
            client.post(f"{ONE}/points/scroll", json={"with_vectors": [name]}),
            client.post("/v1/embeddings", json={"input": "red", "model": name}),
            client.request("DELETE", f"{ONE}/assets", params={"uri": name}),
        ):
            assert 400 <= answer.status_code < 500, (answer.request.url, name, answer.text)
            assert SECRET.decode() not in answer.text
    assert place.outside() == before
    assert place.served.installation.store.names() == ["default"]


def test_names_of_probes(place: Place) -> None:
    """Of a good picture, so that nothing but the name can be what is wrong."""
    image = base64.b64encode(encoded(plain("red"))).decode()
    probes = place.served.installation.probes
    for name in ESCAPES:
        answer = place.served.client.post("/v1/classify", json={"image": image, "probe": name})
        kind = answer.json()["type"].removeprefix("urn:polylens:")
        assert (answer.status_code, kind) in ((404, "unknown-probe"), (422, "invalid-classifier"))
        assert "probe" in answer.json()["detail"] or "name" in answer.json()["detail"]
        assert SECRET.decode() not in answer.text
    assert not probes.folder.exists()


def test_names_of_uploads(place: Place) -> None:
    before = place.outside()
    for number, name in enumerate(ESCAPES):
        file = {"files": (f"{name}.jpg", encoded(picture(number)))}
        answer = place.served.client.post(f"{ONE}/assets", files=file)
        [item] = answer.json()["items"]
        assert item["status"] == "done", item
        assert "/" not in item["name"]
        assert "\\" not in item["name"]
    assert place.outside() == before
    kept = [p for p in place.served.installation.media.rglob("*") if p.is_file()]
    assert len(kept) == len(ESCAPES)
    assert all(len(path.name) == 64 for path in kept)


def test_paths_of_jobs(place: Place) -> None:
    (place.photos / "link").symlink_to(place.private)
    (place.photos / "root").symlink_to("/")
    private, photos = str(place.private), str(place.photos)
    encodings = (quote(f"{photos}/../private"), f"{photos}/%2e%2e/private")
    for name in (
        *ESCAPES,
        *(f"{photos}/{escape}" for escape in ESCAPES if escape != "."),
        *(private, f"//{private}", f"{photos}/link", f"{photos}/root{private}", "/proc/self/cwd"),
        *(f"/proc/self/root{private}", f"/proc/{os.getpid()}/root{private}", "/dev/fd/0"),
        *(f"file://{encoding}" for encoding in encodings),
        *(f"{private}/../private", f"{photos}/./../private", f"{photos}{'/x/..' * 700}/../private"),
    ):
        answer = place.served.client.post(f"{ONE}/jobs", json={"sources": [photos, name]})
        assert answer.status_code in (403, 422), (name, answer.text)
    assert place.served.client.get("/v1/jobs").json()["jobs"] == []


def test_paths_in_manifests(place: Place) -> None:
    secret = str(place.private / "secret.jpg")
    (place.photos / "link.jpg").symlink_to(secret)
    (place.photos / "away").symlink_to(place.private)
    ways = [
        *ESCAPES,
        *(secret, f"file://{secret}", f"/{secret}", f"/proc/self/root{secret}", "link.jpg"),
        *("../private/secret.jpg", "%2e%2e/private/secret.jpg", "away/secret.jpg"),
        *("x/../../private/secret.jpg", "file:../private/secret.jpg", f"tar:{secret}!/x"),
    ]
    rows = [f'"{way}"' for way in ways if "\0" not in way and "\n" not in way]
    (place.photos / "list.csv").write_text("\n".join(["path", *rows, "red.jpg"]))
    last = ended(place.served.client, submit(place.served.client, place.photos / "list.csv")["id"])
    assert last["state"] == "done"
    assert (last["counts"]["done"], last["counts"]["found"]) == (1, len(rows) + 1)
    assert place.assets() == {(place.photos / "red.jpg").as_uri()}


def test_names_in_archives(place: Place) -> None:
    before = place.outside()
    path = place.photos / "shard.tar"
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(ESCAPES):
            data = encoded(picture(number))
            member = tarfile.TarInfo(f"{name}{number}.jpg".replace("\0", "%00"))
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for kind, name in ((tarfile.SYMTYPE, "symbolic.jpg"), (tarfile.LNKTYPE, "hard.jpg")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, str(place.private / "secret.jpg")
            archive.addfile(member)
    client = place.served.client
    counts = ended(client, submit(client, path)["id"])["counts"]
    assert (counts["done"], counts["skipped"]) == (len(ESCAPES), 2)
    points = client.get(f"{ONE}/points", params={"limit": 1_000}).json()["points"]
    for point in points:
        url = f"{ONE}/points/{point['id']}"
        thumbnail, original = client.get(f"{url}/thumbnail"), client.get(f"{url}/original")
        assert (thumbnail.status_code, original.status_code) == (200, 200)
        assert len(original.content) == point["payload"]["size"]
    assert len(points) == len(ESCAPES)
    assert place.outside() == before | {path}


def test_an_original_that_became_a_link_is_not_followed(place: Place) -> None:
    client, photo = place.served.client, place.photos / "red.jpg"
    ended(client, submit(client, photo)["id"])
    [point] = client.get(f"{ONE}/points").json()["points"]
    url = f"{ONE}/points/{point['id']}/original"
    assert client.get(url).status_code == 200
    photo.unlink()
    photo.symlink_to(place.private / "secret.jpg")
    refused(client.get(url), 403, "outside-roots")


def test_payloads_from_elsewhere_name_no_file(place: Place) -> None:
    """Of points that were imported, or written to Qdrant by others."""
    photo = place.photos / "red.jpg"
    status = photo.stat()
    payload = {"kind": "image", "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    row = np.eye(1, 48, dtype=np.float32)[0]
    hashes = ["/../../../../x", "../../../../../x", "a/b", "\\..\\x", "x\n"]
    ids = [uuid4() for _ in hashes]
    points = [
        Point(id_, photo.as_uri(), {"default": row}, {**payload, "content_hash": content_hash})
        for id_, content_hash in zip(ids, hashes, strict=True)
    ]
    place.served.installation.store.open("default").upsert(points)
    for id_ in ids:
        assert place.served.client.get(f"{ONE}/points/{id_}/thumbnail").status_code == 200
    thumbs = place.served.installation.media / "thumbs"
    made = list(place.folder.rglob("*.webp"))
    assert {path.parent.parent for path in made} == {thumbs}
    assert len(made) == len(hashes)
