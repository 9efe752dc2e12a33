"""What looking after a collection came to."""

from pydantic import BaseModel, Field

from api.schemas.base import Request


class MigrationRequest(Request):
    target: str = Field(
        min_length=1,
        max_length=4096,
        description="One of the setting `migrate_targets`: a Qdrant server, or a data folder.",
        examples=["http://qdrant:6333"],
    )
    name: str | None = Field(None, description="Name of the copy; default: the collection's own.")


class Migration(BaseModel):
    collection: str = Field(description="The copy.")
    points: int
    written: int = Field(description="How many of them were missing or different in the target.")
    assets: int
    checksum: str = Field(description="SHA-256 of all points, the same on both sides.")


class Compaction(BaseModel):
    points: int = Field(description="Dead points removed.")
    before: int = Field(description="Bytes on disk.")
    after: int


class Verification(BaseModel):
    bytes: int | None = Field(description="Verified bytes of vectors.")
    damage: str | None = Field(description="What is wrong; null if nothing is.")
