"""Jobs, and what they could not use."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from api import video
from api.schemas.base import Request

Glob = Annotated[str, Field(min_length=1, max_length=256)]
OF_SETTINGS: Any = Field(
    None,
    description="Default: the service's setting. Videos made with other options are processed "
    "again.",
)


class JobOptions(Request):
    include: list[Glob] = Field(
        [], max_length=100, description="Only paths that match one of these globs."
    )
    exclude: list[Glob] = Field(
        [], max_length=100, description="Skip paths that match one of these globs."
    )
    follow_symlinks: bool = Field(
        False, description="Also follow links to folders inside the roots."
    )
    texts: bool = Field(False, description="Also make captions and text files searchable.")
    retry_failed: bool = Field(False, description="Retry files that failed before.")
    reason: str = Field(
        "", max_length=256, description="With retry_failed: only files whose reason contains this."
    )
    force: bool = Field(False, description="Process everything again.")
    prune: bool = Field(False, description="Remove files that no longer exist.")
    captions: bool = Field(
        False,
        description="Then caption every photo and moment that has no caption, with InternVL-G.",
    )
    video_frames: video.Frames | None = OF_SETTINGS
    video_segment_seconds: video.SegmentSeconds | None = OF_SETTINGS
    video_segment_frames: video.SegmentFrames | None = OF_SETTINGS
    video_shots: video.Shots | None = OF_SETTINGS
    video_keyframes: video.KeyFrames | None = OF_SETTINGS

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.reason and not self.retry_failed:
            raise ValueError("reason needs retry_failed")
        return self


class JobRequest(JobOptions):
    sources: list[Annotated[str, Field(min_length=1, max_length=4096)]] = Field(
        min_length=1,
        max_length=100,
        description="Folders, files, manifests and shards: absolute paths on the server, inside "
        "the allowed folders, or URLs of allowed hosts.",
        examples=[["/mnt/photos/2026"]],
    )
    dry_run: bool = Field(
        False, description="Return what would be done and how long it would take; change nothing."
    )


class JobPlan(BaseModel):
    """What a job would do: `found` is the sum of the six below it. In files, but for bytes."""

    found: int
    new: int
    changed: int
    unchanged: int
    failed_before: int = Field(
        description="Unchanged since they failed; retried only with retry_failed."
    )
    skipped: int = Field(description="Not media.")
    unusable: int = Field(description="Would fail, judging by their first bytes.")
    images: int = Field(description="Of the files to process, like all counts below.")
    videos: int
    texts: int
    elsewhere: int = Field(description="Must be fetched first; kind unknown.")
    bytes: int
    video_bytes: int
    seconds: float | None = Field(
        description="Estimated time without fetching, measured on a few of the files; null if "
        "unknown."
    )
    reasons: dict[str, str] = Field(
        description="Why an asset is unusable, or failed before: the first hundred."
    )


class JobRates(BaseModel):
    """What each stage can do alone, per second of the time it was not waiting."""

    decode: float = Field(0, description="Files.")
    encode: float = Field(0, description="Images, frames and texts.")
    write: float = Field(0, description="Points.")


class JobCounts(BaseModel):
    """In files, but for `points` and captions."""

    found: int = 0
    done: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    points: int = Field(0, description="Written.")
    captions: int = Field(0, description="Written.")
    uncaptioned: int = Field(0, description="Pictures that were not available for captioning.")
    total: int | None = Field(None, description="Total number of files, once known.")


class JobOut(BaseModel):
    """A job, as it stands. Times are in seconds since 1970 UTC."""

    id: int
    collection: str
    sources: list[str] = Field(description="URIs.")
    options: dict[str, Any] = Field(description="Those given.")
    encoder: str = Field(description="Empty until the job begins.")
    state: Literal["queued", "running", "done", "stopped", "cancelled", "failed", "interrupted"]
    is_over: bool = Field(description="Whether the job has ended.")
    started: float = Field(description="When it started, or was queued.")
    updated: float
    counts: JobCounts
    rates: JobRates
    seconds: float = Field(description="Running time since the last start.")
    eta: float | None = Field(description="Estimated seconds left.")
    waiting: str = Field(
        description="What it is waiting for while something is unavailable; otherwise empty."
    )
    error: str = Field(description="Why it failed.")


class JobList(BaseModel):
    jobs: list[JobOut] = Field(description="Newest first.")
    next: int | None = Field(
        description="Pass it as `before` to get the next page; null at the end."
    )


class Failure(BaseModel):
    """A file that could not be used."""

    asset: str
    status: Literal["done", "skipped", "failed"]
    reason: str
    attempts: int
    size: int = Field(description="Bytes.")
    seconds: float
    updated: float
    source: str


class FailurePage(BaseModel):
    failures: list[Failure]
    next: str | None = Field(
        description="Pass it as `after` to get the next page; null at the end."
    )
