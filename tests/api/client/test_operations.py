"""Every operation of a service through the client, over real HTTP."""

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from api.client import AsyncClient, Client, ServiceError, operations, upkeep
from api.client.call import Call
from encoders.fake import FakeEncoder
from tests.api.chat.upstream import upstream
from tests.api.server import Served, serving
from tests.media import encoded, plain

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
ELSEWHERE = {
    "GET /v1/jobs/{job}/events",  # `watch`
    "GET /v1/collections/{name}/search",  # a link for people: `search`
    "GET /v1/collections/{name}/points",  # the same: `points`
    "POST /v2/rerank",  # for Cohere's client: `rerank`
    *(f"{method} /v1/session" for method in ("GET", "POST", "DELETE")),  # the page's cookie
}
"""What no function makes the call of, and which method does it instead."""


def public(module: ModuleType) -> Iterator[tuple[str, Callable[..., Call[Any]]]]:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == module.__name__ and not name.startswith("_"):
            yield name, function


FUNCTIONS = dict([*public(operations), *public(upkeep)])


def place(function: Callable[..., Call[Any]]) -> str:
    """The operation that a function makes the call of."""
    known = inspect.signature(function).parameters.values()
    needed = [p for p in known if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    call = function(*("x" for _ in needed))
    return f"{call.method} {call.path}"


def test_every_operation_has_a_method() -> None:
    paths = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {place(function) for function in FUNCTIONS.values()} | ELSEWHERE == there
    for client in (Client, AsyncClient):
        assert all(hasattr(client, name) for name in FUNCTIONS), client


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    folder = tmp_path / "colours"
    folder.mkdir()
    for colour in ("red", "green", "blue"):
        (folder / f"{colour}.png").write_bytes(encoded(plain(colour), "PNG"))
    return folder


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    targets = [str(tmp_path / "other")]
    with (
        upstream() as chat,
        serving(
            tmp_path / "data", chat=chat.url, roots=[tmp_path], migrate_targets=targets
        ) as served,
    ):
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with Client(served.url, patience=5) as client:
        client.create_collection("photos")
        yield client


def test_collections_and_their_aliases(client: Client, colours: Path) -> None:
    client.upload("photos", sorted(colours.iterdir()))
    assert client.collection("photos").kinds["image"] == 3
    assert {field.key for field in client.fields("photos", ["image"]).fields} >= {"name", "width"}
    assert client.fields("photos", ["video"]).points == 0
    assert client.set_alias("now", "photos").collection == "photos"
    assert [alias.alias for alias in client.aliases().aliases] == ["now"]
    assert client.alias("now").collection == "photos"
    assert client.search("now", "red", limit=1).hits[0].payload["name"] == "red.png"
    client.delete_alias("now")
    client.delete_collection("photos")
    assert client.collections().collections == []
    with pytest.raises(ServiceError, match="there is no collection") as refused:
        client.collection("photos")
    assert refused.value.status == 404


def test_assets_of_ids_and_their_points(client: Client, colours: Path, tmp_path: Path) -> None:
    item = client.put("photos", "sku-1", colours / "red.png", {"price": 49})
    assert (item.status, item.asset) == ("done", "id:sku-1")
    assert item.point is not None
    assert client.asset("photos", "sku-1").points == 1
    client.upload("photos", [colours / "blue.png"], {"album": "Lisbon"})
    listed = client.assets("photos", status="done", limit=1)
    assert client.assets("photos", after=listed.next).assets[0].asset != listed.assets[0].asset

    said = [
        {"key": "price", "match": {"value": 49}},
        {"key": "album", "match": {"value": "Lisbon"}},
    ]
    assert client.count("photos", {"should": said}) == 2
    patched = client.patch("photos", item.point, {"stars": 5})
    assert patched.payload["stars"] == 5
    starred = {"must": [{"key": "stars", "match": {"value": 5}}]}
    page = client.points("photos", filter=starred, with_vectors=["default"])
    assert [point.id for point in page.points] == [item.point]
    assert len(page.points[0].vectors["default"]) == FakeEncoder.info.vectors["default"]
    assert client.count("photos", starred) == 1
    assert client.point("photos", item.point).asset == "id:sku-1"
    assert client.thumbnail("photos", item.point)[8:12] == b"WEBP"
    client.download_original("photos", item.point, tmp_path / "back.png")
    assert (tmp_path / "back.png").read_bytes() == (colours / "red.png").read_bytes()

    assert client.patch("photos", item.point, delete=["stars"]).payload.get("stars") is None
    assert client.delete_points("photos", [item.point]) == 1
    client.delete_asset("photos", "sku-1")
    [left] = client.assets("photos").assets
    client.forget("photos", left.asset)
    assert client.count("photos") == 0
    with pytest.raises(ServiceError, match="no asset"):
        client.asset("photos", "sku-1")


def test_jobs_are_listed_with_their_failures(client: Client, colours: Path) -> None:
    (colours / "broken.jpg").write_bytes(encoded(plain("red"))[:99])
    job = client.submit_job("photos", [str(colours)])
    *_, last = client.watch(job.id)
    assert (last.counts.done, last.counts.failed) == (3, 1)
    [failure] = client.failures(job.id, limit=1).failures
    assert failure.asset.endswith("broken.jpg")
    filled = client.backfill("photos")
    *_, last = client.watch(filled.id)
    assert last.counts.unchanged == 3
    assert [one.id for one in client.jobs(collection="photos").jobs] == [filled.id, job.id]
    assert client.jobs(before=filled.id).jobs[0].id == job.id


def test_a_collection_is_looked_after(client: Client, colours: Path, tmp_path: Path) -> None:
    client.upload("photos", sorted(colours.iterdir()))
    assert client.calibrate("photos").points == 3
    assert client.build("photos").index[0].unsealed == 0
    assert client.index("photos").relevance is not None
    assert client.verify("photos").damage is None
    assert client.compact("photos").points == 0
    assert client.migrate("photos", str(tmp_path / "other"), "moved").written == 3


def test_snapshots_and_exports(client: Client, colours: Path, tmp_path: Path) -> None:
    client.upload("photos", sorted(colours.iterdir()))
    taken = client.create_snapshot("photos")
    assert client.snapshots().snapshots == [taken]
    client.download_snapshot(taken.name, tmp_path / "photos.tar")
    assert (tmp_path / "photos.tar").stat().st_size == taken.bytes
    assert client.restore(taken.name, "copy").points == 3
    client.delete_snapshot(taken.name)
    assert client.snapshots().snapshots == []
    assert client.upload_snapshot(tmp_path / "photos.tar").points == taken.points

    made = client.create_export("photos")
    assert client.export(made.name) == made
    files = [tmp_path / "points.parquet", tmp_path / "ledger.parquet"]
    client.download_export(made.name, "points.parquet", files[0])
    client.download_export(made.name, "ledger.parquet", files[1])
    client.delete_export(made.name)
    assert client.exports().exports == []
    sent = client.upload_export(files)
    assert client.import_export("next", sent.name).points == 3
    folder = str(tmp_path)
    assert client.import_export("last", path=folder).assets == 3


def test_models(client: Client, colours: Path) -> None:
    assert client.encoder().name == "fake"
    assert [one.kind for one in client.models().data] == ["embedding", "chat"]
    (best, score), *_ = client.rerank("red", ["a blue wall", "a red wall"], top_n=1)
    assert best == 1
    assert 0.5 < score <= 1
    picture = (colours / "blue.png").read_bytes()
    assert client.classify(["red", "blue"], image=picture, top=1).labels[0].label == "blue"
    item = client.put("photos", "sku-1", colours / "red.png")
    stored = client.classify(["red", "blue"], collection="photos", point=item.point)
    assert stored.labels[0].label == "red"
    answer = client.chat([{"role": "user", "content": "What is red?"}], collection="photos")
    assert answer["citations"][0]["asset"] == "id:sku-1"
    for see in (client.caption, client.segment):
        with pytest.raises(ServiceError, match="is not set up here") as refused:
            see(image=picture)
        assert refused.value.status == 501


def test_the_service_itself(client: Client) -> None:
    assert client.alive().status == "alive"
    assert client.ready().status == "ready"
    assert "photos" in {one.name for one in client.status().collections}
    assert "polylens_collection_points" in client.metrics()


def test_files_go_both_ways_without_blocking(
    client: Client, served: Served, colours: Path, tmp_path: Path
) -> None:
    async def both_ways() -> None:
        async with AsyncClient(served.url) as awaited:
            item = await awaited.put("photos", "sku-1", colours / "red.png")
            assert item.point is not None
            await awaited.download_original("photos", item.point, tmp_path / "back.png")
            with pytest.raises(ServiceError, match="no export"):
                await awaited.download_export("none", "points.parquet", tmp_path / "none")

    asyncio.run(both_ways())
    assert (tmp_path / "back.png").read_bytes() == (colours / "red.png").read_bytes()
    assert client.asset("photos", "sku-1").status == "done"
    assert {path.name for path in tmp_path.iterdir()} == {"back.png", "colours", "data"}


def test_names_lead_nowhere_else(client: Client) -> None:
    for name, status in (("photos/points", 0), ("..", 0), ("photos?x=", 422), ("photos#", 422)):
        with pytest.raises(ServiceError) as refused:
            client.collection(name)
        assert refused.value.status == status, name
