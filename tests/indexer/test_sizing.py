"""Estimated sizes against real collections and indexes, and what must follow from what."""

import hashlib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from indexer import AssetWrite, LedgerRow, LocalStore, Payload, Point, Schema, point_id
from indexer.local.faiss_index import lists_of
from indexer.sizing import (
    ASSET,
    LOCAL,
    PAYLOAD,
    QDRANT,
    TB,
    Load,
    LocalKind,
    Machine,
    database_bytes,
    estimates,
    fitted,
    index_bytes,
    payload_bytes,
    raw_bytes,
)
from tests.parts import require_part

SMALL: Payload = {"kind": "text", "n": 7}
CAPTION = " ".join(hashlib.md5(bytes([number])).hexdigest()[:7] for number in range(40))
LONG_FOLDER = "file:///mnt/archive/2024/summer%20holidays%20by%20the%20sea/originals/"


def filled(folder: Path, load: Load) -> Path:
    """A local collection of that many photos like the load's, written as ingestion writes."""
    store = LocalStore(folder)
    collection = store.create("photos", Schema(load.dims))
    random = np.random.default_rng(0)
    for start in range(0, load.items, 250):
        collection.replace([a_photo(load, number, random) for number in range(start, start + 250)])
    store.close()
    return folder / "collections" / "photos"


def a_photo(load: Load, number: int, random: np.random.Generator) -> AssetWrite:
    hash_ = hashlib.sha256(str(number).encode()).hexdigest()
    asset = load.asset[:-10] + f"{number:06d}.jpg"
    unique = {"content_hash": hash_, "size": 2_000_000 + 7 * number}
    payload = load.payload | {key: unique[key] for key in unique if key in load.payload}
    vectors = {name: random.normal(size=dim).astype(np.float32) for name, dim in load.dims.items()}
    point = Point(point_id(asset, "image"), asset, vectors, payload)
    row = LedgerRow(
        asset,
        "done",
        size=2_000_000,
        mtime_ns=1_700_000_000_000_000_000 + number,
        content_hash=hash_,
        points=1,
        fingerprint="f" * 64,
    )
    return AssetWrite(asset, [point], row)


@pytest.mark.parametrize(
    "load",
    [
        Load(20_000, {"default": 16}),
        Load(5_000, {"c": 8, "g": 24}, payload=PAYLOAD | {"caption": CAPTION}),
        Load(5_000, {"default": 16}, asset=LONG_FOLDER + "000000.jpg"),
        Load(5_000, {"default": 16}, asset="a000000.jpg", payload=SMALL),
    ],
    ids=["photos", "captions", "long names", "small"],
)
def test_a_local_collection_is_as_large_as_estimated(tmp_path: Path, load: Load) -> None:
    folder = filled(tmp_path, load)
    assert (folder / "collection.db").stat().st_size == pytest.approx(
        database_bytes(load), rel=0.05
    )
    raw = sum(path.stat().st_size for path in (folder / "vectors").iterdir())
    assert raw == pytest.approx(raw_bytes(load), rel=0.02)


FACTORIES = {"rabitq": "IVF1,RaBitQfs{bits}", "ivf-rabitq": "IVF{lists},RaBitQfs{bits}",
             "ivf-sq8": "IVF{lists},SQ8", "hnsw-sq8": "HNSW16,SQ8"}  # fmt: skip


@pytest.mark.parametrize("kind", LOCAL[1:], ids=lambda kind: kind.name)
@pytest.mark.parametrize(("dim", "ram", "bits"), [(64, 0, ""), (256, 0, ""), (256, 2**40, "2")])
def test_an_index_is_as_large_as_estimated(kind: LocalKind, dim: int, ram: int, bits: str) -> None:
    require_part(find_spec("faiss") is not None, "faiss")
    import faiss

    items = 20_000
    kind = fitted(kind, items, dim, ram)
    vectors = np.random.default_rng(0).normal(size=(items, dim)).astype(np.float32)
    index = faiss.index_factory(
        dim,
        FACTORIES[kind.name].format(lists=lists_of(kind.name, items), bits=bits),
        faiss.METRIC_INNER_PRODUCT,
    )
    if kind.lists:
        faiss.extract_index_ivf(index).cp.niter = 2
    index.train(vectors)
    index.add(vectors)
    found = len(faiss.serialize_index(index))
    assert found == pytest.approx(index_bytes(kind, items, dim), rel=0.05)


def test_more_of_anything_takes_no_less() -> None:
    base, machine = Load(10**6, {"c": 768}), Machine()
    before = estimates(base, machine)
    more = [
        estimates(replace(base, items=10**7), machine),
        estimates(replace(base, dims={"c": 1536}), machine),
        estimates(replace(base, dims={"c": 768, "g": 768}), machine),
        estimates(replace(base, payload=PAYLOAD | {"caption": CAPTION}), machine),
        estimates(base, machine, replicas=3),
    ]
    for after in more:
        for one, two in zip(before, after, strict=True):
            assert (one.backend, one.index) == (two.backend, two.index)
            assert two.ram >= one.ram
            assert two.disk >= one.disk
            assert two.nodes >= one.nodes
            assert two.nodes == one.nodes or two.backend == "qdrant"


@pytest.mark.parametrize("items", [1, 2, 1000, 10**6, 10**9, 10**12])
@pytest.mark.parametrize("replicas", [1, 3])
def test_the_nodes_have_the_room(items: int, replicas: int) -> None:
    machine = Machine(disk=4 * TB)
    found = estimates(Load(items, {"c": 768, "g": 768}), machine, replicas)
    assert [one.index for one in found] == [
        *(kind.name for kind in LOCAL),
        *(kind.name for kind in QDRANT),
    ]
    for one in found:
        assert one.ram > 0
        assert one.build_seconds >= 0
        assert one.qps is None or one.qps > 0
        if one.backend == "local":
            assert one.fits == (one.ram <= machine.ram and one.disk <= machine.disk)
            continue
        assert one.nodes >= replicas
        assert one.ram <= one.nodes * machine.ram
        assert one.disk <= one.nodes * machine.disk
        assert one.shards % one.nodes == 0
        assert items / one.shards <= 20e6


def test_larger_machines_are_fewer() -> None:
    load = Load(10**9, {"c": 768})
    for index, one in enumerate(estimates(load, Machine())):
        larger = estimates(load, Machine(ram=4 * Machine.ram, disk=4 * Machine.disk))[index]
        assert larger.nodes <= one.nodes
        assert larger.nodes < one.nodes or one.nodes == 1


def test_the_payload_in_qdrant_is_counted_with_its_terms() -> None:
    load = Load(1, {"c": 3})
    assert payload_bytes(load) > 3 * len(str(PAYLOAD))
    assert payload_bytes(replace(load, asset=ASSET + "x")) == payload_bytes(load) + 1
