"""Collections as Parquet files over HTTP, there and back."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pyarrow import parquet

from indexer import Schema
from indexer.parquet import FILES, LEDGER, POINTS, export_collection
from tests.api.routes.test_lifecycle import HERE, filled, found
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving

__all__ = ["filled"]


def exported(client: httpx.Client) -> dict[str, object]:
    made = client.post(f"{HERE}/exports")
    assert made.status_code == 201, made.text
    told: dict[str, object] = made.json()
    assert made.headers["location"] == f"/v1/exports/{told['name']}"
    return told


def contents(client: httpx.Client, name: object) -> dict[str, bytes]:
    """The files of an export."""
    answers = {file: client.get(f"/v1/exports/{name}/{file}") for file in FILES}
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    return {file: answer.content for file, answer in answers.items()}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Served]:
    """Another installation, which may read the folder `given`."""
    (tmp_path / "given").mkdir()
    with serving(tmp_path / "other", roots=[tmp_path / "given"]) as served:
        yield served


def test_an_export_is_listed_downloaded_and_removed(filled: Served) -> None:
    client = filled.client
    told = exported(client)
    assert (told["collection"], told["points"], told["assets"]) == ("default", 3, 3)
    files = contents(client, told["name"])
    assert sum(map(len, files.values())) == told["bytes"]
    table = parquet.read_table(io.BytesIO(files[POINTS]))
    assert table.column_names == ["id", "asset", "payload", "vector_default"]
    assert {json.loads(text)["name"] for text in table["payload"].to_pylist()} == {
        "red.png",
        "green.png",
        "blue.png",
    }
    part = client.get(f"/v1/exports/{told['name']}/{POINTS}", headers={"range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PAR1")
    assert client.get("/v1/exports").json() == {"exports": [told]}
    assert client.get(f"/v1/exports/{told['name']}").json() == told
    assert client.delete(f"/v1/exports/{told['name']}").status_code == 204
    assert client.get("/v1/exports").json() == {"exports": []}
    assert list(filled.installation.exports.folder.iterdir()) == []
    refused(client.get(f"/v1/exports/{told['name']}/{POINTS}"), 404, "unknown-export")
    refused(client.delete(f"/v1/exports/{told['name']}"), 404, "unknown-export")
    refused(client.post("/v1/collections/none/exports"), 404, "unknown-collection")


def test_an_export_is_imported_beside_what_it_was_made_of(filled: Served) -> None:
    client = filled.client
    name = exported(client)["name"]
    for _ in range(2):
        taken = client.post("/v1/collections/copy/import", json={"export": name})
        assert taken.json() == {"collection": "copy", "points": 3, "assets": 3}
    assert found(client, "copy") == "red.png"
    assert client.get("/v1/collections/copy").json()["points"] == 3
    assert len(client.get("/v1/collections/copy/assets").json()["assets"]) == 3


def test_an_export_is_sent_to_another_installation(filled: Served, other: Served) -> None:
    sent = list(contents(filled.client, exported(filled.client)["name"]).items())
    kept = other.client.post("/v1/exports", files=[("files", file) for file in sent])
    assert kept.status_code == 201, kept.text
    name = kept.json()["name"]
    assert contents(other.client, name) == dict(sent)
    taken = other.client.post("/v1/collections/photos/import", json={"export": name})
    assert taken.json()["points"] == 3
    assert found(other.client, "photos") == "red.png"


def test_an_export_is_read_from_a_folder_of_the_server(
    filled: Served, other: Served, tmp_path: Path
) -> None:
    collection = filled.installation.store.open("default")
    export_collection(collection, tmp_path / "given" / "photos")
    path = {"path": str(tmp_path / "given" / "photos")}
    assert other.client.post("/v1/collections/photos/import", json=path).json()["points"] == 3
    assert found(other.client, "photos") == "red.png"


def test_no_path_leads_out_of_the_allowed_folders(
    filled: Served, other: Served, tmp_path: Path
) -> None:
    collection, given = filled.installation.store.open("default"), tmp_path / "given"
    export_collection(collection, tmp_path / "outside")
    export_collection(collection, given / "inside")
    (given / "link").symlink_to(tmp_path / "outside")
    (given / "inside" / LEDGER).unlink()
    (given / "inside" / LEDGER).symlink_to(tmp_path / "outside" / LEDGER)
    (given / "empty").mkdir()
    for path, status, kind in [
        (tmp_path / "outside", 403, "outside-roots"),
        (given / ".." / "outside", 403, "outside-roots"),
        (given / "link", 403, "outside-roots"),
        (given / "inside", 403, "outside-roots"),
        (given / "none", 422, "path-not-found"),
        (given / "empty", 422, "path-not-found"),
        ("given", 422, "not-a-path"),
        (f"{given}\0", 422, "not-a-path"),
    ]:
        answer = other.client.post("/v1/collections/photos/import", json={"path": str(path)})
        refused(answer, status, kind)
    assert other.installation.store.names() == []


def test_what_is_no_export_is_not_kept(filled: Served, other: Served) -> None:
    files = contents(filled.client, exported(filled.client)["name"])
    folder = other.installation.exports.folder

    def sent(*named: tuple[str, bytes]) -> httpx.Response:
        return other.client.post("/v1/exports", files=[("files", file) for file in named])

    refused(sent((POINTS, files[POINTS])), 422, "not-an-export")
    refused(sent((POINTS, files[POINTS]), ("x", files[LEDGER])), 422, "not-an-export")
    refused(sent(*files.items(), (POINTS, files[POINTS])), 422, "not-an-export")
    cut = {**files, POINTS: files[POINTS][:-50]}
    assert str(folder) not in refused(sent(*cut.items()), 422, "invalid-archive")
    refused(sent((POINTS, files[LEDGER]), (LEDGER, files[POINTS])), 422, "invalid-archive")
    refused(other.client.post("/v1/exports", content=b"x"), 415, "not-multipart")
    assert list(folder.iterdir()) == []
    assert other.client.get("/v1/exports").json() == {"exports": []}


def test_imports_that_do_not_fit_are_refused(filled: Served) -> None:
    client = filled.client
    name = exported(client)["name"]
    filled.installation.store.create("narrow", Schema({"default": 7}))

    def asked(collection: str, **wanted: object) -> httpx.Response:
        return client.post(f"/v1/collections/{collection}/import", json=wanted)

    refused(asked("narrow", export=name), 409, "schema-mismatch")
    refused(asked("Not A Name", export=name), 422, "invalid-name")
    refused(asked("copy", export="../default"), 404, "unknown-export")
    for wanted in ({}, {"export": name, "path": "/x"}, {"export": name, "more": 1}, {"path": ""}):
        refused(asked("copy", **wanted), 422, "invalid-request")
    assert filled.installation.store.names() == ["default", "narrow"]
