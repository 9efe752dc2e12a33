"""What we send survives gRPC's messages; gRPC itself needs a server."""

from typing import Any

from qdrant_client.conversions.conversion import (
    GrpcToRest,
    RestToGrpc,
    grpc_to_payload,
)

from indexer.points import prepare
from indexer.qdrant.batches import requests
from indexer.qdrant.filters import translated
from tests.indexer.operations import SCHEMA, Generator


def without_empty_parts(tree: Any) -> Any:  # noqa: ANN401
    """A filter as JSON; gRPC does not tell an empty list of conditions from none."""
    if isinstance(tree, dict):
        parts = {name: without_empty_parts(part) for name, part in tree.items()}
        return {name: part for name, part in parts.items() if part != [] or name == "has_id"}
    return [without_empty_parts(part) for part in tree] if isinstance(tree, list) else tree


def test_filters_survive_the_messages_of_grpc() -> None:
    generator = Generator(1, bound=2**52)
    for _ in range(300):
        before = translated(generator.filter())
        after = GrpcToRest.convert_filter(RestToGrpc.convert_filter(before))
        one, two = (tree.model_dump(mode="json", exclude_none=True) for tree in (before, after))
        assert without_empty_parts(two) == without_empty_parts(one)


def test_points_survive_the_messages_of_grpc() -> None:
    batch = prepare([Generator(seed).point(str(seed)) for seed in range(100)], SCHEMA)
    for points in requests(batch, 500):
        for point in points:
            message = RestToGrpc.convert_point_struct(point)
            assert grpc_to_payload(message.payload) == point.payload
            vectors = message.vectors.vectors.vectors
            found = {name: list(vectors[name].data or vectors[name].dense.data) for name in vectors}
            assert found == point.vector
