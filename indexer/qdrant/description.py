"""The metadata that polylens stores in a Qdrant collection."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from qdrant_client import QdrantClient

from indexer.base import Schema
from indexer.errors import NewerFormat

KEY = "polylens"
FORMAT = 1


@dataclass(frozen=True)
class Description:
    """`uid` is the collection's own id: another of the same name has another one."""

    uid: UUID
    schema: Schema

    def metadata(self) -> dict[str, Any]:
        schema = self.schema
        return {
            KEY: {
                "format": FORMAT,
                "uid": str(self.uid),
                "vectors": dict(schema.vectors),
                "encoder": schema.encoder,
                "fingerprint": dict(schema.fingerprint),
            }
        }


def read_description(client: QdrantClient, name: str) -> Description | None:
    """None for a collection that is not ours; raises `NewerFormat`."""
    found = (client.get_collection(name).config.metadata or {}).get(KEY)
    if not isinstance(found, dict):
        return None
    if found["format"] > FORMAT:
        raise NewerFormat(
            f"collection {name!r} has storage format {found['format']}; this version of polylens "
            f"reads up to {FORMAT}. Upgrade polylens."
        )
    schema = Schema(found["vectors"], found["encoder"], found["fingerprint"])
    return Description(UUID(found["uid"]), schema)
