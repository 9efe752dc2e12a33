"""How the service stands, as it goes over the wire."""

from pydantic import BaseModel, Field

from api.schemas.indexes import IndexStatus


class EncoderStatus(BaseModel):
    """An encoder that was loaded."""

    name: str
    description: str
    waiting: int = Field(description="Texts and images in its queue.")
    workers_replaced: int = Field(description="Its threads or processes that died.")


class CollectionStatus(BaseModel):
    """A collection; one on a Qdrant server shows its points alone."""

    name: str
    points: int
    bytes: int | None = Field(description="Bytes on disk, without segments.")
    indexes: list[IndexStatus]


class DeviceStatus(BaseModel):
    """What encoders run on."""

    name: str
    memory_used: int | None = Field(description="Bytes, by this process.")
    memory_total: int | None


class DiskStatus(BaseModel):
    """Where the data folder lies; bytes."""

    free: int
    total: int


class ServiceStatus(BaseModel):
    """How the service stands."""

    version: str
    uptime_seconds: float
    ready: bool
    encoders: list[EncoderStatus]
    heads: list[str] = Field(description="Auxiliary models in memory.")
    waiting: dict[str, int] = Field(description="Calls waiting for a thread, by lane.")
    collections: list[CollectionStatus]
    unreadable: list[str] = Field(description="Collections that cannot be opened.")
    devices: list[DeviceStatus]
    disk: DiskStatus
