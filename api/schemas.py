"""What goes over the wire."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

from api import video
from indexer import Filter
from retrieval.query import MAX_CANDIDATES, MAX_PARTS, MAX_RERANK, MAX_TEXT

MAX_LIMIT = 250

Payload = dict[str, Any]


def _decoded(value: object) -> bytes:
    if isinstance(value, bytes):  # a file of a form, which JSON cannot hold
        return value
    if not isinstance(value, str):
        raise ValueError("must be a string of base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64 (and a data: URI is not taken)") from None


Float32 = Annotated[float, Field(ge=-3.4e38, le=3.4e38, allow_inf_nan=False)]
Floats = Annotated[list[Float32], Field(max_length=65_536)]
Base64 = Annotated[bytes, PlainValidator(_decoded, json_schema_input_type=str)]
FilterTree = Annotated[Filter, PlainValidator(Filter.parse, json_schema_input_type=Filter)]
"""Checked by the indexer, whose messages name the place and what exists there."""


class Request(BaseModel):
    """A body whose every field is known: a misspelt one is an error."""

    model_config = ConfigDict(extra="forbid")


class NewCollection(Request):
    name: str = Field(examples=["holidays"])


class CollectionInfo(BaseModel):
    name: str
    points: int
    encoder: str = Field(description="The encoder that made its vectors.")
    vectors: dict[str, int] = Field(description="Vector name to dimension.")


class CollectionDetail(CollectionInfo):
    kinds: dict[str, int] = Field(
        description="How many points are image, segment, video and text.",
        examples=[{"image": 1204, "segment": 310, "video": 36, "text": 0}],
    )


class CollectionList(BaseModel):
    collections: list[CollectionInfo]
    default: str | None = Field(description="The one to use when none is named.")


FieldType = Literal["text", "number", "time", "flag", "place"]


class FieldValue(BaseModel):
    value: bool | int | float | str
    points: int


class FieldOut(BaseModel):
    """A payload field, as the points looked at have it."""

    key: str = Field(description="As filters write it.", examples=["camera"])
    type: FieldType
    points: int = Field(description="How many of them have it.")
    distinct: int = Field(description="How many different values they have.")
    min: float | str | None = Field(None, description="Of numbers and times.")
    max: float | str | None = None
    values: list[FieldValue] = Field([], description="The most frequent; none of times and places.")


class FieldList(BaseModel):
    fields: list[FieldOut] = Field(description="The most frequent first.")
    points: int = Field(description="How many points were looked at.")
    sampled: bool = Field(description="Whether there are more points than that.")


class AliasTarget(Request):
    collection: str = Field(examples=["holidays"])


class Alias(BaseModel):
    alias: str
    collection: str


class AliasList(BaseModel):
    aliases: list[Alias]


class Snapshot(BaseModel):
    """A backup of a collection; `created` in UTC."""

    name: str
    collection: str = Field(description="The collection it was taken of.")
    points: int
    bytes: int
    created: datetime


class SnapshotList(BaseModel):
    snapshots: list[Snapshot]


class RestoreRequest(Request):
    name: str | None = Field(None, description="For the collection; the one it had by default.")


class Export(BaseModel):
    """A collection as the two files `points.parquet` and `ledger.parquet`."""

    name: str
    collection: str = Field(description="The collection it was made of.")
    points: int
    assets: int = Field(description="Files of which it says what ingestion did with them.")
    bytes: int


class ExportList(BaseModel):
    exports: list[Export]


class ImportRequest(Request):
    """Either an export that is kept here, or a folder with its two files."""

    export: str | None = Field(None, description="Its name.")
    path: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="An absolute path on the server, inside the allowed folders.",
    )

    @model_validator(mode="after")
    def _one(self) -> "ImportRequest":
        if (self.export is None) == (self.path is None):
            raise ValueError("give either an export or a path")
        return self


class Import(BaseModel):
    collection: str
    points: int = Field(description="How many were in the export.")
    assets: int


class MigrationRequest(Request):
    target: str = Field(
        min_length=1,
        max_length=4096,
        description="One of the setting `migrate_targets`: a Qdrant server, or a data folder.",
        examples=["http://qdrant:6333"],
    )
    name: str | None = Field(None, description="For the copy; the collection's own by default.")


class Migration(BaseModel):
    collection: str = Field(description="The copy.")
    points: int
    written: int = Field(description="How many of them were not there, or not the same.")
    assets: int
    checksum: str = Field(description="SHA-256 of all points, the same on both sides.")


class Compaction(BaseModel):
    points: int = Field(description="How many dead points are gone.")
    before: int = Field(description="Bytes on disk.")
    after: int


class Verification(BaseModel):
    bytes: int | None = Field(description="Bytes of vectors that are as they were written.")
    damage: str | None = Field(description="What is wrong; null where nothing is.")


class QueryPart(Request):
    """Exactly one of text, point, image and vector; a negative weight steers away from it."""

    text: str | None = Field(None, max_length=MAX_TEXT, description="In any language.")
    point: UUID | None = Field(None, description="A stored point's id.")
    image: Base64 | None = Field(None, description="A picture file in base64.")
    vector: Floats | None = Field(
        None, description="Numbers of the space that is searched, of any norm but 0."
    )
    weight: float = Field(1.0, ge=-100, le=100, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one(self) -> "QueryPart":
        given = (self.text, self.point, self.image, self.vector)
        if sum(value is not None for value in given) != 1:
            raise ValueError("give exactly one of text, point, image and vector")
        return self


class SearchOptions(Request):
    """How to answer, whatever is asked."""

    limit: int = Field(10, ge=1, le=MAX_LIMIT)
    group: bool = Field(True, description="One hit per file, with its moments, or one per point.")
    vector: str | None = Field(
        None, description="Search by this vector name alone; else the collection decides."
    )
    cursor: str | None = Field(
        None, max_length=100_000, description="`next` of an answer to the same request."
    )
    words: bool = Field(
        True, description="Also find files whose text or caption has every word of a single text."
    )
    effort: float | None = Field(
        None,
        ge=0,
        le=1,
        description="How hard to look through an index: at 1 nothing is missed. By default as hard "
        "as the recall that the collection aims at takes.",
    )
    candidates: int | None = Field(
        None, ge=1, le=MAX_CANDIDATES, description="How many of its best a stage hands to the next."
    )
    rerank: int = Field(
        0, ge=0, le=MAX_RERANK, description="Compare so many pictures with the text, one by one."
    )
    collapse: bool = Field(False, description="Show one of near-duplicates.")
    diversity: float = Field(0, ge=0, le=1, description="Prefer hits unlike those before them.")
    min_relevance: float = Field(
        0, ge=0, le=1, description="Leave out hits less likely to answer the text, even all."
    )
    explain: bool = Field(False, description="List what was done, in `stages`.")


class SearchRequest(SearchOptions):
    parts: list[QueryPart] = Field(
        [],
        max_length=MAX_PARTS,
        examples=[[{"text": "a red bicycle"}, {"text": "night", "weight": -0.3}]],
    )
    filter: FilterTree | None = None


class SearchLink(SearchOptions):
    """A search in an address."""

    q: str | None = Field(
        None, max_length=MAX_TEXT, description="The text.", examples=["a red bicycle"]
    )
    minus: list[str] = Field([], max_length=MAX_PARTS, description="Texts to stay away from.")
    point: list[UUID] = Field([], max_length=MAX_PARTS, description="Stored points' ids.")
    filter: str | None = Field(None, max_length=16_384, description="A filter as JSON.")


class MomentOut(BaseModel):
    """A span of a video, in seconds; `frame` is the time of the frame that shows it."""

    id: UUID
    start: float
    end: float
    frame: float
    score: float


class SpanOut(BaseModel):
    start: float
    end: float
    score: float


class HitOut(BaseModel):
    id: UUID
    asset: str
    score: float = Field(description="Cosine to the query, -1 to 1.")
    payload: Payload
    scores: dict[str, float] = Field(description="What each stage gave it.")
    relevance: float | None = Field(
        description="How likely it answers the text, 0 to 1; null where that is not known."
    )
    good_match: bool | None = Field(
        description="Whether its relevance is one half or more; null where that is not known."
    )
    moments: list[MomentOut]
    timeline: list[SpanOut] = Field(description="A video's scores from beginning to end.")
    duplicates: list[UUID] = Field(description="Near-duplicates that this hit stands for.")


class StageOut(BaseModel):
    name: str
    using: str = Field(description="With what, e.g. a vector name.")
    count: int = Field(description="How many things it left or worked on.")
    took_ms: float
    note: str


class SearchAnswer(BaseModel):
    hits: list[HitOut]
    good_match: bool | None = Field(
        description="Whether any hit is one; false: nothing relevant was found; null: not known."
    )
    warnings: list[str]
    took_ms: dict[str, float]
    next: str | None = Field(description="Give it as `cursor` to go on; null at the end.")
    stages: list[StageOut] = Field(description="What was done, in order, if `explain` asked.")


class PointOut(BaseModel):
    id: UUID
    asset: str
    payload: Payload
    vectors: dict[str, list[float]] = Field({}, description="Those that were asked for.")


class PointPage(BaseModel):
    points: list[PointOut]
    next: UUID | None = Field(description="Give it as `after` to go on; null at the end.")


class PayloadPatch(Request):
    """What to set and what to remove at the top level of a point's payload."""

    set: dict[str, Any] = Field({}, max_length=1_000)
    delete: list[str] = Field([], max_length=1_000)

    @model_validator(mode="after")
    def _some(self) -> "PayloadPatch":
        if not self.set and not self.delete:
            raise ValueError("give keys to set or to delete")
        return self


class PointSelection(Request):
    """Points by their ids, or those that match a filter."""

    ids: list[UUID] = Field([], max_length=10_000)
    filter: FilterTree | None = None

    @model_validator(mode="after")
    def _one(self) -> "PointSelection":
        if bool(self.ids) == (self.filter is not None):
            raise ValueError("give either ids or a filter")
        return self


class CountRequest(Request):
    filter: FilterTree | None = None


class ScrollRequest(Request):
    filter: FilterTree | None = None
    limit: int = Field(100, ge=1, le=1_000)
    after: UUID | None = Field(None, description="`next` of the page before.")
    with_vectors: list[str] = Field([], max_length=8, description="Vector names to send along.")


class Count(BaseModel):
    count: int


class AssetOut(BaseModel):
    """What ingestion did with a file."""

    asset: str
    status: Literal["done", "skipped", "failed"]
    reason: str
    size: int
    content_hash: str
    points: int
    attempts: int
    updated: float = Field(description="Seconds since 1970 UTC.")


class AssetPage(BaseModel):
    assets: list[AssetOut]
    next: str | None = Field(description="Give it as `after` to go on; null at the end.")


class TextUpload(Request):
    texts: list[str] = Field(
        min_length=1, max_length=256, description="Each becomes a point; 64 kB at most."
    )


class UploadItem(BaseModel):
    name: str = Field(description="Of the file, or how the text begins.")
    status: Literal["queued", "done", "unchanged", "skipped", "failed"]
    reason: str = ""
    asset: str | None = None
    point: UUID | None = Field(None, description="The image or text, or the video as a whole.")


class UploadReport(BaseModel):
    items: list[UploadItem] = Field(
        description="One for each file or text, in the order they came."
    )
    job: int | None = Field(None, description="The job that indexes those that are queued.")


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
            raise ValueError("reason goes with retry_failed")
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


class Credentials(Request):
    key: str = Field(max_length=512)


class SessionInfo(BaseModel):
    scope: Literal["read", "write", "admin"] = Field(description="What the caller may do.")


class PictureRequest(Request):
    """Either a picture, or a stored point of a collection."""

    image: Base64 | None = Field(None, description="A picture file in base64.")
    collection: str | None = None
    point: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> "PictureRequest":
        stored = self.collection is not None and self.point is not None
        partly = self.collection is not None or self.point is not None
        if (self.image is not None) == partly or partly != stored:
            raise ValueError("give either an image, or a collection and a point")
        return self


class ClassifyRequest(PictureRequest):
    """A picture or a stored point, and the labels to choose from: named here, or a probe's."""

    labels: list[Annotated[str, Field(max_length=512)]] = Field(
        [],
        max_length=1_000,
        description="Classes; one with a tab in it is a label and the words for its prompts.",
        examples=[["cat", "dog"]],
    )
    probe: str | None = Field(None, description="A trained or imported classifier, by name.")
    language: str = Field("en", max_length=35, description="Of the prompts: en, zh, ja, ar or it.")
    templates: list[Annotated[str, Field(max_length=512)]] = Field(
        [], max_length=100, description="Prompts of your own, `{c}` where the class goes."
    )
    multi: bool = Field(False, description="Any number of labels may hold, not just one.")
    top: int = Field(5, ge=1, le=1_000, description="How many labels to answer at most.")
    at_least: float | None = Field(
        None, ge=0, le=1, description="Leave out less probable labels; with `multi` 0.5."
    )

    @model_validator(mode="after")
    def _labelled(self) -> "ClassifyRequest":
        if bool(self.labels) == (self.probe is not None):
            raise ValueError("give either labels or a probe")
        return self


class LabelOut(BaseModel):
    label: str
    probability: float = Field(description="0 to 1; of all labels that exclude each other, 1.")


class ClassifyAnswer(BaseModel):
    labels: list[LabelOut] = Field(description="The likeliest first.")
    exclusive: bool = Field(description="Whether exactly one label holds.")
    made: str = Field(description="How the classifier came about.")


class ClassArea(BaseModel):
    index: int = Field(description="The class's value in the class map.")
    name: str
    share: float = Field(description="Of the picture's pixels, 0 to 1.")
    colour: str = Field(description="Its colour in the class map and the overlay, #rrggbb.")


class SegmentAnswer(BaseModel):
    width: int
    height: int
    areas: list[ClassArea] = Field(description="The classes in the picture, largest first.")
    class_map: str = Field(description="A palette PNG in base64; pixel values are class indices.")


class CaptionAnswer(BaseModel):
    caption: str


class EncoderOut(BaseModel):
    """An encoder, as another polylens must know it to use it by its URL."""

    name: str
    description: str
    vectors: dict[str, int] = Field(description="Vector name to dimension.")
    modalities: list[str] = Field(description="text, image")
    fingerprint: dict[str, str] = Field(description="Of each part, a hash of all that decides it.")
    match_threshold: float | None
    batch_size: int = Field(description="Images at a time that keep its devices busy.")
    needs_prompts: bool
    side: int | None = Field(description="Of the square in pixels that it sees.")
    max_inputs: int = Field(description="Of one request for embeddings.")
    max_body_bytes: int


class Health(BaseModel):
    status: Literal["alive", "ready"]


class Readiness(Health):
    heads: list[str] = Field(description="Auxiliary models in memory: chat, segmenter.")
    workers_replaced: int = Field(description="Encoder threads that died and were replaced.")
