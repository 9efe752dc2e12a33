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
    """There is no home folder for the default data folder to be in."""


def default_data() -> Path:
    """Where an installation lives unless told otherwise, by the XDG base directory convention.

    Raises `NoHome`.
    """
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    try:
        return Path(base).expanduser() / "polylens"
    except RuntimeError as error:
        raise NoHome(
            "this user has no home folder: say where the data belongs with --data or POLYLENS_DATA"
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

    data: Path = Field(default_factory=default_data, description="Folder that holds everything.")
    collection: str = Field("default", description="Collection used when none is named.")
    encoder: str | None = Field(
        None,
        description="Encoder name, checkpoint folder, hub id, or the URL of another polylens whose "
        "encoder is asked; by default the collection's own, `offline` for a new one.",
    )
    encoder_key: SecretStr | None = Field(
        None, description="Key that the polylens at the encoder's URL wants."
    )
    device: str | None = Field(None, description="Torch device(s), e.g. cuda:0 or cuda:0,cuda:1.")
    dtype: str | None = Field(
        None, description="Torch dtype, e.g. bfloat16; float8 for InternVL on Hopper GPUs."
    )
    towers: Towers | None = Field(
        None,
        description="Load the encoder's image or text tower alone; by default what a command "
        "needs.",
    )
    compile: bool = Field(False, description="Run InternVL's image tower through torch.compile.")

    index_kind: Choice = Field(
        "auto", description="How large local collections are indexed; `exact` seals nothing."
    )
    index_recall: float = Field(
        0.98, gt=0, le=1, description="Share of the best points that a search shall find."
    )

    qdrant_url: Annotated[str, AfterValidator(_server)] | None = Field(
        None, description="Keep collections on this Qdrant server, not in the data folder."
    )
    qdrant_api_key: SecretStr | None = Field(None, description="Key that the Qdrant server wants.")
    qdrant_grpc: bool = Field(False, description="Speak gRPC (port 6334) to Qdrant where it can.")
    qdrant_timeout: int = Field(30, ge=1, le=3600, description="Seconds for one request to Qdrant.")
    qdrant_batch: int = Field(500, ge=1, le=10_000, description="Most points stored by a request.")
    qdrant_oversampling: float = Field(
        2.0,
        ge=1,
        le=100,
        description="How many times more quantized vectors are found than are wanted, to be scored "
        "again by the original ones.",
    )
    qdrant_shards: int | None = Field(
        None, ge=1, le=10_000, description="Shards of collections made from now on."
    )
    qdrant_replicas: int | None = Field(
        None, ge=1, le=100, description="Copies of each shard, of collections made from now on."
    )
    qdrant_write_consistency: int | None = Field(
        None, ge=1, le=100, description="Copies that acknowledge a write; by default all."
    )
    qdrant_on_disk: bool = Field(
        False,
        description="Keep original vectors and payload indexes of collections made from now on out "
        "of RAM.",
    )
    qdrant_quantization: Quantization | None = Field(
        None, description="Smaller copies in RAM for collections made from now on: int8 or binary."
    )
    qdrant_indexes: dict[str, IndexKind] = Field(
        default_factory=default_indexes,
        description="Payload keys that Qdrant indexes in collections made from now on, each as "
        "text, number, time or place.",
    )

    chat: str | None = Field(
        None,
        description="Chat: the URL of an OpenAI-compatible server (http://127.0.0.1:23333/v1), or "
        "the folder or hub id of an InternVL chat checkpoint.",
    )
    chat_model: str | None = Field(None, description="What the chat model is called.")
    chat_api_key: SecretStr | None = Field(None, description="Key that the chat server wants.")
    segmenter: Path | None = Field(None, description="File of a segmentation checkpoint.")
    segmenter_backbone: Path | None = Field(
        None, description="File of the tower, for a segmentation checkpoint of the head alone."
    )
    heads_memory: float | None = Field(
        None,
        gt=0,
        description="Gigabytes that the models of chat and segmentation may take together: whoever "
        "was idle longest leaves first. By default what their device has free.",
    )

    max_batch: int = Field(
        64, ge=1, le=4096, description="Most query texts or images that are encoded together."
    )
    batch_wait_ms: float = Field(
        0, ge=0, le=1000, description="How long a batch waits for more queries to come."
    )
    max_queue: int = Field(
        1024, ge=1, description="Query texts or images that may wait; beyond that: 429."
    )
    request_timeout: float = Field(
        60, gt=0, description="Seconds after which a query that waits for the encoder is given up."
    )

    fetch_hosts: list[str] = Field(
        default_factory=list,
        description="Hosts that URLs in manifests, and in jobs over HTTP, may be fetched from; "
        "globs like *.example.com.",
    )
    fetch_private_hosts: list[str] = Field(
        default_factory=list,
        description="Those of them that may be at addresses which are not public.",
    )

    video_frames: video.Frames = 8
    video_segment_seconds: video.SegmentSeconds = 4.0
    video_segment_frames: video.SegmentFrames = 4
    video_shots: video.Shots = False
    video_keyframes: video.KeyFrames = False

    engine: Literal["local", "ray"] = Field(
        "local", description="What `polylens ingest` runs on: this machine, or a Ray cluster."
    )
    ray_address: str | None = Field(
        None,
        description="Ray cluster to join, e.g. auto or 10.0.0.1:6379; by default one of this "
        "machine alone is started for each job.",
    )

    near_duplicates: bool = Field(
        True,
        description="Compare what looks the same after each ingestion, and record it as "
        "duplicate_of.",
    )

    client_key: SecretStr | None = Field(
        None, description="Key that commands show to the service of their --url."
    )

    host: str = Field("127.0.0.1", description="Address the service binds to.")
    port: int = Field(8000, ge=0, le=65_535, description="Port the service binds to.")
    log_format: Literal["text", "json"] = Field("text", description="How the log is written.")
    log_requests: bool = Field(False, description="Write a line to the log for each request.")
    allowed_hosts: list[str] = Field(
        default_factory=list, description="Host names accepted besides the address bound to."
    )
    api_keys: list[Digest] = Field(
        default_factory=list,
        description="SHA-256 hex digests of keys that may do everything; `polylens keys` makes "
        "others.",
    )
    rate_limit: float | None = Field(
        None, gt=0, description="Requests a second that one key (or address) may send; none: any."
    )
    max_connections: int = Field(
        1000,
        ge=1,
        description="Most open connections of a process; for a new one the one idle longest goes.",
    )
    roots: list[Path] = Field(
        default_factory=list,
        description="Folders whose originals may be served, and ingested over HTTP, besides those "
        "ingested here.",
    )
    migrate_targets: list[str] = Field(
        default_factory=list,
        description="Qdrant servers (URLs) and data folders that collections may be copied to over "
        "HTTP.",
    )
    max_upload_bytes: int = Field(512 * MIB, gt=0, description="Largest file taken by upload.")
    max_upload_files: int = Field(100, gt=0, description="Most files in one upload.")
    max_sync_files: int = Field(
        16,
        ge=0,
        description="Uploads of more files, and of videos, are indexed by a job, after the answer.",
    )
    max_jobs: int = Field(
        1, ge=0, le=64, description="Jobs over HTTP that this process works on at a time."
    )
    max_queued_jobs: int = Field(100, ge=1, description="Jobs that may wait; beyond that: 429.")
    max_body_bytes: int = Field(32 * MIB, gt=0, description="Largest JSON body.")
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
        """How videos become vectors; changing it makes the next ingestion redo them."""
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
            raise FileNotFoundError(f"POLYLENS_CONFIG names {named!r}, which is no file")
        path = named or "polylens.toml"
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)
