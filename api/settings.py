"""Every setting of an installation: the only place that reads the environment."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from api import video
from api.batcher import BatchOptions
from indexer import IndexerError
from indexer.checks import check_folder
from indexer.local.options import Choice
from indexer.qdrant.options import IndexKind, Quantization, default_indexes
from ingestion.options import VideoOptions

MIB = 1024 * 1024
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$")]

Towers = Literal["image", "text", "both"]


class NoHome(Exception):
    """There is no home folder for the default data folder."""


def default_data() -> Path:
    """The default data folder, by the XDG base directory convention.

    Raises `NoHome`.
    """
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    try:
        return Path(base).expanduser() / "polylens"
    except RuntimeError as error:
        raise NoHome(
            "this user has no home folder: set the data folder with --data or POLYLENS_DATA"
        ) from error


def _server(address: str) -> str:
    try:
        check_folder(address)
    except IndexerError as error:
        raise ValueError(str(error)) from error
    return address


class Settings(BaseSettings):
    """Flags override `POLYLENS_*` variables, which override a TOML file, which overrides these.

    Every setting has the same name in all three: `--data`, `POLYLENS_DATA`, `data = "..."`. The
    file is `polylens.toml` in the working directory, or what `POLYLENS_CONFIG` names.
    """

    model_config = SettingsConfigDict(
        env_prefix="POLYLENS_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    data: Path = Field(
        default_factory=default_data,
        description="Data folder: everything polylens stores is in it.",
    )
    collection: str = Field("default", description="Collection to use when none is named.")
    encoder: str | None = Field(
        None,
        description="Encoder name, checkpoint folder, hub id, or URL of another polylens whose "
        "encoder to use. Default: the collection's own; `offline` for a new collection.",
    )
    encoder_key: SecretStr | None = Field(
        None, description="API key for the polylens at the encoder's URL."
    )
    device: str | None = Field(None, description="Torch device(s), e.g. cuda:0 or cuda:0,cuda:1.")
    dtype: str | None = Field(
        None, description="Torch dtype, e.g. bfloat16; float8 for InternVL on Hopper GPUs."
    )
    towers: Towers | None = Field(
        None,
        description="Load only the encoder's image or text tower. Default: what the command needs.",
    )
    compile: bool = Field(False, description="Run InternVL's image tower through torch.compile.")

    index_kind: Choice = Field(
        "auto", description="Index kind of large local collections; `exact` builds no index."
    )
    index_recall: float = Field(
        0.98, gt=0, le=1, description="Share of the nearest points that a search should find."
    )

    qdrant_url: Annotated[str, AfterValidator(_server)] | None = Field(
        None, description="Store collections on this Qdrant server, not in the data folder."
    )
    qdrant_api_key: SecretStr | None = Field(None, description="API key for the Qdrant server.")
    qdrant_grpc: bool = Field(False, description="Use gRPC (port 6334) with Qdrant where possible.")
    qdrant_timeout: int = Field(
        30, ge=1, le=3600, description="Timeout of a request to Qdrant, in seconds."
    )
    qdrant_batch: int = Field(500, ge=1, le=10_000, description="Most points stored per request.")
    qdrant_oversampling: float = Field(
        2.0,
        ge=1,
        le=100,
        description="How many times the limit are found among quantized vectors, then rescored "
        "with the original ones.",
    )
    qdrant_shards: int | None = Field(
        None, ge=1, le=10_000, description="Shards of new collections."
    )
    qdrant_replicas: int | None = Field(
        None, ge=1, le=100, description="Copies of each shard, for new collections."
    )
    qdrant_write_consistency: int | None = Field(
        None, ge=1, le=100, description="Copies that must acknowledge a write. Default: all."
    )
    qdrant_on_disk: bool = Field(
        False,
        description="Keep original vectors and payload indexes of new collections on disk, not in "
        "RAM.",
    )
    qdrant_quantization: Quantization | None = Field(
        None, description="Quantized copies in RAM for new collections: int8 or binary."
    )
    qdrant_indexes: dict[str, IndexKind] = Field(
        default_factory=default_indexes,
        description="Payload keys that Qdrant indexes in new collections, each as text, number, "
        "time or place.",
    )

    chat: str | None = Field(
        None,
        description="Chat: the URL of an OpenAI-compatible server (http://127.0.0.1:23333/v1), or "
        "the folder or hub id of an InternVL chat checkpoint.",
    )
    chat_model: str | None = Field(None, description="Name of the chat model.")
    chat_api_key: SecretStr | None = Field(None, description="API key for the chat server.")
    segmenter: Path | None = Field(None, description="Segmentation checkpoint file.")
    segmenter_backbone: Path | None = Field(
        None, description="Tower checkpoint file, for a segmentation checkpoint with only the head."
    )
    heads_memory: float | None = Field(
        None,
        gt=0,
        description="Gigabytes for the chat and segmentation models together; those idle longest "
        "are unloaded first. Default: the free memory of their device.",
    )

    max_batch: int = Field(
        64, ge=1, le=4096, description="Most query texts or images encoded in one batch."
    )
    batch_wait_ms: float = Field(
        0, ge=0, le=1000, description="How long a batch waits for more queries, in milliseconds."
    )
    max_queue: int = Field(
        1024, ge=1, description="Most query texts or images that may wait; beyond that: 429."
    )
    request_timeout: float = Field(
        60, gt=0, description="Seconds a query may wait for the encoder."
    )

    fetch_hosts: list[str] = Field(
        default_factory=list,
        description="Hosts that URLs in manifests and HTTP jobs may be fetched from; globs like "
        "*.example.com.",
    )
    fetch_private_hosts: list[str] = Field(
        default_factory=list,
        description="Those of `fetch_hosts` that may have non-public addresses.",
    )

    video_frames: video.Frames = 8
    video_segment_seconds: video.SegmentSeconds = 4.0
    video_segment_frames: video.SegmentFrames = 4
    video_shots: video.Shots = False
    video_keyframes: video.KeyFrames = False

    engine: Literal["local", "ray"] = Field(
        "local", description="Where `polylens ingest` runs: on this machine or on a Ray cluster."
    )
    ray_address: str | None = Field(
        None,
        description="Ray cluster to join, e.g. auto or 10.0.0.1:6379. Default: start one on this "
        "machine for each job.",
    )

    near_duplicates: bool = Field(
        True,
        description="Find near-duplicates after each ingestion and record them as duplicate_of.",
    )

    client_key: SecretStr | None = Field(
        None, description="API key that commands send to the service at --url."
    )

    host: str = Field("127.0.0.1", description="Address the service binds to.")
    port: int = Field(8000, ge=0, le=65_535, description="Port the service binds to.")
    log_format: Literal["text", "json"] = Field("text", description="Format of the log.")
    log_requests: bool = Field(False, description="Log every request.")
    allowed_hosts: list[str] = Field(
        default_factory=list, description="Host names accepted besides the address bound to."
    )
    api_keys: list[Digest] = Field(
        default_factory=list,
        description="SHA-256 hex digests of keys that may do everything. `polylens keys` creates "
        "keys with other scopes.",
    )
    rate_limit: float | None = Field(
        None, gt=0, description="Requests per second for each key (or address). Default: unlimited."
    )
    max_connections: int = Field(
        1000,
        ge=1,
        description="Most open connections per process; the one idle longest makes room.",
    )
    roots: list[Path] = Field(
        default_factory=list,
        description="Folders whose originals may be served, and ingested over HTTP, besides those "
        "ingested on this machine.",
    )
    migrate_targets: list[str] = Field(
        default_factory=list,
        description="Qdrant servers (URLs) and data folders that collections may be migrated to "
        "over HTTP.",
    )
    max_upload_bytes: int = Field(
        512 * MIB, gt=0, description="Largest file accepted by upload, in bytes."
    )
    max_upload_files: int = Field(100, gt=0, description="Most files in one upload.")
    max_sync_files: int = Field(
        16,
        ge=0,
        description="Uploads with more files, or with videos, are indexed by a job.",
    )
    max_jobs: int = Field(1, ge=0, le=64, description="HTTP jobs that this process runs at a time.")
    max_queued_jobs: int = Field(100, ge=1, description="Most waiting jobs; beyond that: 429.")
    max_body_bytes: int = Field(32 * MIB, gt=0, description="Largest JSON body, in bytes.")
    max_image_pixels: int = Field(
        200_000_000, gt=0, description="Largest image decoded, in pixels."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.qdrant_write_consistency or 1) > (self.qdrant_replicas or 1):
            raise ValueError("qdrant_write_consistency is more than qdrant_replicas")
        return self

    @property
    def batching(self) -> BatchOptions:
        """How queries share forward passes."""
        return BatchOptions(self.max_batch, self.batch_wait_ms, self.max_queue)

    @property
    def video(self) -> VideoOptions:
        """How videos become vectors. Changing it makes the next ingestion process videos again."""
        return VideoOptions(**{name: getattr(self, own) for own, name in video.NAMES.items()})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env file is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        named = os.environ.get("POLYLENS_CONFIG")
        if named is not None and not Path(named).is_file():
            raise FileNotFoundError(f"POLYLENS_CONFIG names {named!r}, which is not a file")
        path = named or "polylens.toml"
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)
