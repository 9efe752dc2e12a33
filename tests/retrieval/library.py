"""Collections of random vectors, and walks through the answers over them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from encoders import Encoder
from indexer import Collection, Payload, Point, Schema, Store, point_id
from retrieval import Answer, Query, Searcher


def schema_of(encoder: Encoder) -> Schema:
    info = encoder.info
    return Schema(info.vectors, info.name, info.fingerprint)


def create(store: Store, encoder: Encoder, name: str = "library") -> Collection:
    return store.create(name, schema_of(encoder))


def directions(random: np.random.Generator, dim: int) -> NDArray[np.float32]:
    return random.normal(size=dim).astype(np.float32)


def random_points(
    random: np.random.Generator, collection: Collection, asset: str, count: int = 1
) -> list[Point]:
    """An image, or a film of `count` segments, with a random vector for every name."""
    points = []
    for number in range(count):
        vectors = {name: directions(random, dim) for name, dim in collection.schema.vectors.items()}
        kind = "image" if count == 1 else "segment"
        payload: Payload = {"kind": kind, "name": asset}
        if kind == "segment":
            payload |= {"start": 4.0 * number, "end": 4.0 * number + 4}
        identity = point_id(asset, "image" if count == 1 else "segment", 4000 * number)
        points.append(Point(identity, asset, vectors, payload))
    return points


def store_all(collection: Collection, random: np.random.Generator, counts: Sequence[int]) -> None:
    """In one commit `asset-0` and so on, with as many points as are given for each."""
    points = [
        random_points(random, collection, f"asset-{n}", count) for n, count in enumerate(counts)
    ]
    collection.upsert([point for asset in points for point in asset])


def walk(searcher: Searcher, query: Query) -> Iterator[Answer]:
    """Page after page, to the end."""
    while True:
        answer = searcher.search(query)
        yield answer
        if answer.next is None:
            return
        query = replace(query, cursor=answer.next)
