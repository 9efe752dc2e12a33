"""Jobs, and what they could not use."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from api import video
from api.schemas.base import Request

Glob = Annotated[str, Field(min_length=1, max_length=256)]
OF_SETTINGS: Any = Field(
    None, description="By default as the service is set; videos made by other options are redone."
)


class JobOptions(Request):
    include: list[Glob] = Field([], max_length=100, description="Only paths that match one.")
    exclude: list[Glob] = Field([], max_length=100, description="No paths that match one.")
    follow_symlinks: bool = Field(False, description="Also enter linked folders, inside the roots.")
    texts: bool = Field(False, description="Make captions and text files searchable, too.")
    retry_failed: bool = Field(False, description="Try what failed before again.")
    reason: str = Field(
        "", max_length=256, description="With retry_failed: only where the reason contains this."
    )
    force: bool = Field(False, description="Do everything again.")
    prune: bool = Field(False, description="Forget what is gone.")
    captions: bool = Field(
        False,
        description="Then write a caption for each photo and moment that has none, by InternVL-G.",
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
        False, description="Answer at once what would be done, and in what time; do nothing."
    )


class JobPlan(BaseModel):
    """What a job would do: `found` is the sum of the six below it. In files, but for bytes."""

    found: int
    new: int
    changed: int
    unchanged: int
    failed_before: int = Field(
        description="Unchanged since they failed; tried again only with retry_failed."
    )
    skipped: int = Field(description="Not media.")
    unusable: int = Field(description="They would fail, as far as their first bytes tell.")
    images: int = Field(description="Of those to do, as all that follows.")
    videos: int
    texts: int
    elsewhere: int = Field(description="To be fetched first, and of unknown kind.")
    bytes: int
    video_bytes: int
    seconds: float | None = Field(
        description="It would take about, less what is to be fetched, going by a few of the files; "
        "null where nothing tells."
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
    uncaptioned: int = Field(0, description="Pictures that could not be had to be captioned.")
    total: int | None = Field(None, description="How many there are, once that is known.")


class JobOut(BaseModel):
    """A job, as it stands. Times are in seconds since 1970 UTC."""

    id: int
    collection: str
    sources: list[str] = Field(description="URIs.")
    options: dict[str, Any] = Field(description="Those given.")
    encoder: str = Field(description="Empty until it begins.")
    state: Literal["queued", "running", "done", "stopped", "cancelled", "failed", "interrupted"]
    is_over: bool = Field(description="Whether nothing more will come of it.")
    started: float = Field(description="When it began, or was queued.")
    updated: float
    counts: JobCounts
    rates: JobRates
    seconds: float = Field(description="It has been at work, since it was begun last.")
    eta: float | None = Field(description="Seconds it will still take, as far as can be told.")
    waiting: str = Field(description="What it waits for while something is away; else empty.")
    error: str = Field(description="Why it failed.")


class JobList(BaseModel):
    jobs: list[JobOut] = Field(description="The newest first.")
    next: int | None = Field(description="Give it as `before` to go on; null at the end.")


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
    next: str | None = Field(description="Give it as `after` to go on; null at the end.")
